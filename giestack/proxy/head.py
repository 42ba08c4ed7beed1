"""Message heads: the second check after the parser, and what of a head is passed on.

The parser (llhttp) refuses most malformed heads, but lets some ambiguous ones through: a
missing or repeated Host, other HTTP versions, stacked transfer codings, absolute targets.
This module refuses those too (RFC 9112 sections 3.2, 6.1 and 6.3), and sorts the fields of a
head into what this proxy acts on, what it must not pass on, and what it passes unchanged.
Nothing here does I/O.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address

Fields = Sequence[tuple[bytes, bytes]]

MAX_FIELDS = 256
"""More fields than this in one head are refused with 431."""

# The parser's own limits on values are kept here too, so that this module is safe by itself.
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_HOST = re.compile(
    rb"(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?|\[([0-9a-f:.]+)\])(?::([0-9]{1,5}))?", re.I
)
_TARGET = re.compile(rb"[!-~]+")
_ABSOLUTE = re.compile(rb"https?://([^/?]*)(.*)", re.I)
_DIGITS = re.compile(rb"[0-9]{1,18}")

_TOKEN = b"!#$%&'*+-.^_`|~" + bytes((*range(48, 58), *range(65, 91), *range(97, 123)))
_PUNCTUATION = b"!#$%&'*+.^_`|~"
_CANONICAL = bytes(c if c in _TOKEN else 0 for c in range(256)).lower()
_CANONICAL = _CANONICAL.translate(bytes.maketrans(_PUNCTUATION, b"-" * len(_PUNCTUATION)))

# RFC 9110 section 7.6.1, with the obsolete ones that old software still sends. "Close" is no
# field, but every Connection field that says so names it.
_HOP_BY_HOP = frozenset(
    b"close connection keep-alive proxy-authenticate proxy-authorization proxy-connection te "
    b"transfer-encoding upgrade http2-settings".split()
)

# What the client may claim about its way here; giestack writes these itself.
_FORWARDING = frozenset(
    b"forwarded x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-port "
    b"x-forwarded-prefix x-real-ip x-scheme x-interactive-tool-host "
    b"x-interactive-tool-port".split()
)

# CGI programs would take it for the environment variable HTTP_PROXY (CVE-2016-5385 and others).
_HARMFUL = frozenset((b"proxy",))

_READ = frozenset(b"host cookie content-length expect origin accept user-agent referer".split())

_SPECIAL = _HOP_BY_HOP | _FORWARDING | _HARMFUL | _READ

UNDERSTOOD = _SPECIAL
"""Names of request fields that giestack acts on, replaces or removes."""


class Malformed(Exception):
    """A head that is refused.

    :ivar status: the HTTP status to answer with.
    :ivar reason: a constant text, safe to send and to log.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason


def canonical(name: bytes) -> bytes:
    """A field name as the least exact of backends sees it.

    To CGI and WSGI programs letter case and ``-``/``_`` are equal, to PHP ``.`` as well, and old
    Apaches make one of all punctuation. A byte that can't be in a name becomes NUL.
    """
    return name.translate(_CANONICAL)


@lru_cache(maxsize=16)
def cookie_search(names: frozenset[bytes]) -> Callable[[bytes], object]:
    """A search for cookies of these lower-cased names within a lower-cased ``name=value`` pair.

    Parsers differ in where a pair ends: Python's (and so Galaxy's) also at white space, old Java
    ones at a comma, many at a quote. So a name counts wherever none of its like stands before.
    """
    any_name = b"|".join(re.escape(name) for name in sorted(names)) or b"(?!)"
    of_a_name = re.escape(_TOKEN.lower())
    exact = re.compile(
        rb"(?<![%b])(?:%b)[\0- \"\x7f-\xff]*=|\A[^%b]*(?:%b)[^%b]*\Z"
        % (of_a_name, any_name, of_a_name, any_name, of_a_name)
    ).search
    # Nearly every pair is none of these, and this alone is three times as fast.
    rough = re.compile(any_name).search
    return lambda pair: rough(pair) and exact(pair)


@dataclass(frozen=True, slots=True)
class GuardedNames:
    """Names that a client must not be able to set, and cookies that a backend must not see.

    :ivar session_cookie: the cookie that names the visitor's session.
    :ivar hidden_cookies: lower-cased names removed from Cookie, and refused in Set-Cookie.
    :ivar identity_headers: canonical names of headers that only giestack may set.
    :ivar remote_user_header: canonical name of the header in which a trusted front names the
        user, or None.
    """

    session_cookie: bytes = b"galaxysession"
    hidden_cookies: frozenset[bytes] = frozenset()
    identity_headers: frozenset[bytes] = frozenset()
    remote_user_header: bytes | None = None


class RequestFields:
    """The fields of one request head, checked and sorted; immutable once made.

    A connection's requests often carry the same fields again, so one value may serve many
    requests.

    :ivar host: Host as sent (b"" where an HTTP/1.0 client sent none), ``host_name`` in lower
        case without the port.
    :ivar content_length: bytes of body announced, or None.
    :ivar chunked: whether the body is sent in chunks.
    :ivar keep_alive: whether the client wants to go on after this request.
    :ivar websocket: whether this asks for a WebSocket (RFC 6455 section 4.1).
    :ivar upgrade: whether it asks for any other protocol, which is ignored.
    :ivar expect_continue: whether the client waits for ``100 Continue``.
    :ivar session_cookies: the values sent for the session cookie, quotes removed.
    :ivar cookie: the Cookie line to pass on, without hidden cookies, or b"".
    :ivar plain: whether nothing but the head is sent, and nothing but an answer expected.
    :ivar framing: the lines for a backend that say how the body is delimited, and what else is
        between two hops only; with the blank line.
    :ivar passed: (canonical name, whole line) of each field that passes unchanged.
    :ivar lines: those lines joined.
    """

    __slots__ = (
        "accepts_html",
        "chunked",
        "connection",
        "content_length",
        "cookie",
        "expect_continue",
        "forwarded_for",
        "forwarded_host",
        "forwarded_proto",
        "framing",
        "host",
        "host_name",
        "keep_alive",
        "lines",
        "origin",
        "passed",
        "plain",
        "real_ip",
        "referer",
        "remote_user",
        "session_cookies",
        "upgrade",
        "user_agent",
        "websocket",
    )

    def __init__(self, fields: Fields, version: str, guarded: GuardedNames) -> None:
        """
        :raises Malformed: where the head is ambiguous or not HTTP/1.0 or HTTP/1.1.
        """
        if version not in ("1.1", "1.0"):
            raise Malformed(505, "only HTTP/1.1 and HTTP/1.0 are spoken here")
        if len(fields) > MAX_FIELDS:
            raise Malformed(431, "too many header fields")
        special: dict[bytes, list[bytes]] = {}
        passed: list[tuple[bytes, bytes]] = []
        remote_user: list[bytes] = []
        for name, value in fields:
            if _CONTROL.search(value):
                raise Malformed(400, "control character in a header field")
            low = name.lower()
            if low in _SPECIAL:
                special.setdefault(low, []).append(value.strip(b" \t"))
                continue
            plain = name.translate(_CANONICAL)
            if not plain or b"\0" in plain:
                raise Malformed(400, "bad name of a header field")
            if plain == guarded.remote_user_header:
                remote_user.append(value.strip(b" \t"))
            elif (
                plain not in guarded.identity_headers
                # X_Forwarded_For and the like would pass for the real one in a CGI program.
                and plain not in _SPECIAL
                and not plain.startswith(b"x-forwarded-")
            ):
                passed.append((plain, b"%b: %b\r\n" % (name, value)))
        self.remote_user = tuple(remote_user)
        self._read_host(special.get(b"host", ()), version)
        self._read_framing(special, version)
        self._read_connection(special, version)
        self._read_cookies(special.get(b"cookie", ()), guarded)
        self.plain = not (self.chunked or self.content_length or self.websocket)
        self.framing = self._framing()
        self._read_claims(special, passed)
        named = {canonical(token) for token in self.connection - _HOP_BY_HOP}
        if named:
            passed = [(plain, line) for plain, line in passed if plain not in named]
            if b"cookie" in named:
                self.cookie = b""
        self.passed = tuple(passed)
        self.lines = b"".join([line for _, line in passed])

    def _read_host(self, hosts: Sequence[bytes], version: str) -> None:
        # RFC 9112 section 3.2: exactly one Host; only HTTP/1.0 may leave it out.
        if len(hosts) > 1 or (not hosts and version == "1.1"):
            raise Malformed(400, "exactly one Host field is needed")
        self.host = hosts[0] if hosts else b""
        self.host_name = split_host(self.host)[0] if hosts else b""

    def _read_framing(self, special: dict[bytes, list[bytes]], version: str) -> None:
        codings = special.get(b"transfer-encoding")
        lengths = special.get(b"content-length")
        self.chunked = False
        self.content_length: int | None = None
        if codings is not None:
            if version == "1.0" or lengths is not None:
                raise Malformed(400, "Transfer-Encoding not allowed here")
            if len(codings) != 1 or codings[0].lower() != b"chunked":
                raise Malformed(501, "only the chunked transfer coding is understood")
            self.chunked = True
        elif lengths is not None:
            if len(lengths) != 1 or not _DIGITS.fullmatch(lengths[0]):
                raise Malformed(400, "bad Content-Length")
            self.content_length = int(lengths[0])
        expected = special.get(b"expect")
        self.expect_continue = False
        if expected is not None and version == "1.1":
            if [e.lower() for e in expected] != [b"100-continue"]:
                raise Malformed(417, "unknown expectation")
            self.expect_continue = True

    def _framing(self) -> bytes:
        if self.websocket:
            return b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        expect = b"Expect: 100-continue\r\n" if self.expect_continue else b""
        if self.chunked:
            return expect + b"Transfer-Encoding: chunked\r\n\r\n"
        if self.content_length is not None:
            return b"%bContent-Length: %d\r\n\r\n" % (expect, self.content_length)
        return b"\r\n"

    def _read_connection(self, special: dict[bytes, list[bytes]], version: str) -> None:
        self.connection = tokens = list_tokens(special.get(b"connection", ()))
        if version == "1.1":
            self.keep_alive = b"close" not in tokens
        else:
            self.keep_alive = b"keep-alive" in tokens and b"close" not in tokens
        protocols = list_tokens(special.get(b"upgrade", ()))
        upgrade = bool(protocols) and b"upgrade" in tokens and version == "1.1"
        self.websocket = upgrade and protocols == {b"websocket"}
        self.upgrade = upgrade and not self.websocket
        if self.websocket and (self.chunked or self.content_length):
            raise Malformed(400, "a WebSocket request has no body")

    def _read_cookies(self, lines: Sequence[bytes], guarded: GuardedNames) -> None:
        kept: list[bytes] = []
        sessions: list[bytes] = []
        hidden = cookie_search(guarded.hidden_cookies)
        for line in lines:
            for pair in line.split(b";"):
                name, _, value = pair.partition(b"=")
                if name.strip(b" \t") == guarded.session_cookie:
                    sessions.append(unquoted(value.strip(b" \t")))
                pair = pair.strip(b" \t")
                if pair and not hidden(pair.lower()):
                    kept.append(pair)
        self.session_cookies = tuple(sessions)
        self.cookie = b"; ".join(kept)

    def _read_claims(
        self, special: dict[bytes, list[bytes]], passed: list[tuple[bytes, bytes]]
    ) -> None:
        def single(name: bytes) -> bytes | None:
            values = special.get(name)
            return None if values is None else b", ".join(values)

        self.forwarded_for = single(b"x-forwarded-for")
        self.forwarded_proto = single(b"x-forwarded-proto")
        self.forwarded_host = single(b"x-forwarded-host")
        self.real_ip = single(b"x-real-ip")
        origins = special.get(b"origin", ())
        if len(origins) > 1:
            raise Malformed(400, "more than one Origin field")
        self.origin = origins[0] if origins else None
        accept = single(b"accept")
        self.accepts_html = accept is not None and b"text/html" in accept.lower()
        self.user_agent = single(b"user-agent")
        self.referer = single(b"referer")
        passed += [
            (name.lower(), b"%b: %b\r\n" % (name, value))
            for name, value in (
                (b"Origin", self.origin),
                (b"Accept", accept),
                (b"User-Agent", self.user_agent),
                (b"Referer", self.referer),
            )
            if value is not None
        ]


def unquoted(value: bytes) -> bytes:
    """A cookie value without one pair of surrounding double quotes, as Galaxy reads it."""
    if len(value) >= 2 and value[:1] == value[-1:] == b'"':
        return value[1:-1]
    return value


def list_tokens(values: Iterable[bytes]) -> frozenset[bytes]:
    """The lower-cased members of a comma-separated field (RFC 9110 section 5.6.1)."""
    return frozenset(
        token.strip(b" \t").lower() for value in values for token in value.split(b",")
    ) - {b""}


def split_host(host: bytes) -> tuple[bytes, int | None]:
    """A Host value as (lower-cased name without a final dot, port or None).

    :raises Malformed: where it is not a host name, an IPv4 address or a bracketed IPv6 one.
    """
    match = _HOST.fullmatch(host)
    if match is None or int(match[2] or 1) not in range(1, 65536):
        raise Malformed(400, "bad Host")
    if match[1] is not None:
        try:
            IPv6Address(match[1].decode())
        except ValueError:
            raise Malformed(400, "bad Host") from None
    port = match[2]
    name = host if port is None else host[: -len(port) - 1]
    return name.lower().removesuffix(b"."), None if port is None else int(port)


def origin_form(target: bytes, host_name: bytes) -> bytes:
    """The request target as an absolute path with its query (RFC 9112 section 3.2.1).

    An absolute-form target is accepted where it names the same host as Host does.

    :raises Malformed: for every other form, and for a fragment.
    """
    if not _TARGET.fullmatch(target):
        raise Malformed(400, "a character that must be percent-encoded in the request target")
    if b"#" in target:
        raise Malformed(400, "a fragment in the request target")
    if target.startswith(b"/"):
        return target
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        raise Malformed(400, "the request target must be a path")
    if split_host(match[1])[0] != host_name:
        raise Malformed(400, "the request target names another host")
    rest = match[2]
    return rest if rest.startswith(b"/") else b"/" + rest
