"""The head of a backend's response, checked, and the head that the client gets instead.

A backend runs code of its user, on a host name it may share with Galaxy. So it must not be able
to set Galaxy's session cookie, to open itself to other origins, or to change rules that hold for
the whole origin (RFC 9110 section 7.6.1 for what is between two hops only).
"""

import re
from http import HTTPStatus
from typing import Protocol

from giestack.proxy.head import Malformed, cookie_search, list_tokens

_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-connection proxy-authenticate te transfer-encoding "
    b"upgrade".split()
)

# Each of these speaks for the whole origin, of which the backend has only a path.
ORIGIN_WIDE = frozenset(
    b"accept-ch alt-svc clear-site-data nel public-key-pins report-to sec-session-registration "
    b"secure-session-registration service-worker-allowed set-cookie2 set-login "
    b"strict-transport-security".split()
)

# A front takes these for orders: nginx would answer an X-Accel-Redirect of a container with any
# file that one of its internal locations leads to, and Galaxy's documented one leads to ``/``.
# X-Accel-Buffering is harmless, and server-sent events need it.
FOR_FRONTS = frozenset(
    b"x-accel-charset x-accel-expires x-accel-limit-rate x-accel-redirect x-lighttpd-send-file "
    b"x-lighttpd-send-tempfile x-litespeed-location x-reproxy-url x-sendfile x-sendfile2".split()
)

_CORS_PREFIX = b"access-control-"

# What giestack itself says where an origin is allowed.
_CORS_OURS = frozenset((b"access-control-allow-origin", b"access-control-allow-credentials"))

_SPECIAL = _HOP_BY_HOP | ORIGIN_WIDE | FOR_FRONTS
_SPECIAL |= {b"content-length", b"date", b"set-cookie", b"vary"}

# Statuses without a body, whatever the head says (RFC 9112 section 6.3).
_BODILESS = frozenset((204, 304))

_STATUS_LINES: dict[tuple[int, bytes], bytes] = {}

_PHRASES = frozenset(status.phrase.encode() for status in HTTPStatus)
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_ACCEL_BUFFERING = re.compile(rb"^x-accel-buffering:", re.I | re.M)
_COOKIE_NAME = re.compile(rb"[^\x00-\x20\x7f-\xff\",;=\\]+")

# What is done with a field, by its name in the letter case that backends use: the lower-cased
# name itself where it is special, else one of these two.
_PASS = b"-"
_CORS = b"access-control"
_KINDS: dict[bytes, bytes] = {}


def _kind(name: bytes) -> bytes:
    low = name.lower()
    kind = low if low in _SPECIAL else _CORS if low.startswith(_CORS_PREFIX) else _PASS
    if len(_KINDS) < 1000:
        _KINDS[name] = kind
    return kind


class Parsed(Protocol):
    """A response head as a parser saw it."""

    status: int
    reason: bytes
    version: str
    fields: list[tuple[bytes, bytes]]


class ResponseHead:
    """A backend's response head, checked and sorted.

    :ivar status: three digits.
    :ivar content_length: announced body size in bytes, or None.
    :ivar chunked: whether the body comes in chunks.
    :ivar dated: whether the backend has said when it made this.
    :ivar lines: header lines for the client, without those of framing.
    """

    __slots__ = ("chunked", "content_length", "dated", "lines", "reason", "status")

    def __init__(
        self,
        parsed: Parsed,
        host_name: bytes,
        hidden_cookies: frozenset[bytes] | None,
        allowed_origin: bytes | None,
    ) -> None:
        """
        :param host_name: the host that the visitor sees, for Domain attributes of cookies.
        :param hidden_cookies: lower-cased names that a backend may not set; None for
            giestack's own pages, which may set what they like.
        :param allowed_origin: the request's Origin, where it may read the answer.
        :raises Malformed: where the head is ambiguous; 502, as it is the backend's fault.
        """
        if parsed.version not in ("1.1", "1.0"):
            raise Malformed(502, "the backend speaks another version of HTTP")
        if not 100 <= parsed.status <= 999:
            raise Malformed(502, "the backend sent an impossible status")
        if parsed.reason not in _PHRASES and _CONTROL.search(parsed.reason):
            raise Malformed(502, "the backend sent a control character")
        self.status = parsed.status
        self.reason = parsed.reason
        self.chunked = False
        self.dated = False
        self.content_length: int | None = None
        vary: list[bytes] = []
        lines: list[bytes] = []
        named: frozenset[bytes] = frozenset()
        kinds = _KINDS
        for name, value in parsed.fields:
            kind = kinds.get(name) or _kind(name)
            if kind == _PASS:
                lines += (name, b": ", value, b"\r\n")
            elif kind == b"date":
                self.dated = True
                lines += (name, b": ", value, b"\r\n")
            elif kind == b"content-length":
                self._set_length(value)
            elif kind == b"connection":
                if value != b"keep-alive" and value != b"close":
                    named |= list_tokens((value,)) - _SPECIAL
            elif kind == b"transfer-encoding":
                if self.chunked or value.strip(b" \t").lower() != b"chunked":
                    raise Malformed(502, "the backend uses an unknown transfer coding")
                self.chunked = True
            elif kind == b"vary":
                vary.append(value)
            elif (
                hidden_cookies is None
                or (allowed_origin is not None and name.lower() not in _CORS_OURS)
                if kind == _CORS
                else kind == b"set-cookie"
                and (hidden_cookies is None or cookie_allowed(value, host_name, hidden_cookies))
            ):
                lines += (name, b": ", value, b"\r\n")
        if self.chunked and self.content_length is not None:
            raise Malformed(502, "the backend sent two body lengths")
        if named:
            quads = [lines[at : at + 4] for at in range(0, len(lines), 4)]
            lines = [part for quad in quads if quad[0].lower() not in named for part in quad]
        if allowed_origin is not None:
            vary.append(b"Origin")
            lines += (
                b"Access-Control-Allow-Origin: ",
                allowed_origin,
                b"\r\nAccess-Control-Allow-Credentials: true\r\n",
            )
        if vary:
            lines += (b"Vary: ", b", ".join(vary), b"\r\n")
        self.lines = b"".join(lines)

    def _set_length(self, value: bytes) -> None:
        value = value.strip(b" \t")
        if self.content_length is not None or not value.isdigit() or len(value) > 18:
            raise Malformed(502, "the backend sent a bad Content-Length")
        self.content_length = int(value)


def cookie_allowed(value: bytes, host_name: bytes, hidden: frozenset[bytes]) -> bool:
    """Whether a backend may set this cookie on the host that it shares with others.

    A cookie without a name is refused too: browsers send it back as its bare value, which may
    read ``galaxysession=…``. So is a value in which a parser may find such a cookie, a name that
    parsers read differently, and a Domain attribute for any but the visitor's own host name.
    """
    pair, _, attributes = value.partition(b";")
    name, equals, _ = pair.partition(b"=")
    if not equals or not _COOKIE_NAME.fullmatch(name.strip(b" \t")):
        return False
    if cookie_search(hidden)(pair.lower()):
        return False
    for attribute in attributes.split(b";"):
        key, _, domain = attribute.partition(b"=")
        if key.strip(b" \t").lower() == b"domain":
            domain = domain.strip(b" \t").lower().removeprefix(b".")
            if domain and domain != host_name:
                return False
    return True


def client_head(
    head: ResponseHead, version: str, head_only: bool, keep: bool, date: bytes = b""
) -> tuple[bytes, bool, bool]:
    """The response head that the client gets.

    :param version: the client's, "1.1" or "1.0".
    :param head_only: whether the request was a HEAD.
    :param keep: whether the connection could go on after this response.
    :param date: the line that says when it came, for a backend that has no clock (RFC 9110
        section 6.6.1).
    :returns: the head; whether its body goes out in chunks; whether the connection goes on.
    """
    parts = [status_line(head.status, head.reason), head.lines]
    if not head.dated:
        parts.append(date)
    chunked = False
    if head.content_length is not None:
        if head.status != 204:
            parts.append(b"Content-Length: %d\r\n" % head.content_length)
    elif head.status not in _BODILESS and (head.chunked or not head_only):
        if b"text/event-stream" in head.lines and not _ACCEL_BUFFERING.search(head.lines):
            # nginx holds small events back, and Galaxy's documented configuration lets it.
            parts.append(b"X-Accel-Buffering: no\r\n")
        if version == "1.1":
            parts.append(b"Transfer-Encoding: chunked\r\n")
            chunked = not head_only
        else:
            keep = False
    if not keep:
        parts.append(b"Connection: close\r\n\r\n")
    elif version == "1.1":
        parts.append(b"\r\n")
    else:
        parts.append(b"Connection: keep-alive\r\n\r\n")
    return b"".join(parts), chunked, keep


def status_line(status: int, reason: bytes) -> bytes:
    """The first line of a response."""
    line = _STATUS_LINES.get((status, reason))
    if line is None:
        line = b"HTTP/1.1 %d %b\r\n" % (status, reason)
        if len(_STATUS_LINES) < 200:
            _STATUS_LINES[status, reason] = line
    return line
