"""Secrets that stand in URLs, taken out before a line is logged.

An interactive tool's URL holds its token: in the path (``{prefix}/KEY/TOKEN/…``) or in the host
name (``KEY-TOKEN.ep.…``). Other secrets come as query parameters. All of it may also stand
inside a parameter of another URL (``?next=https%3A%2F%2F…``), and in Referer.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from urllib.parse import unquote_to_bytes

# A separator as it is, or percent-encoded, or that encoded again. Possessive quantifiers keep the
# time short whatever a client sends; they stand behind sets of characters only, for behind a group
# Python 3.11.2, which is Debian 12's, gets them wrong.
_SLASH = rb"(?:/|%(?:25)*2f)"
_SEGMENT = rb"(?![/?#&\s]|%(?:25)*2f|\Z)[^/?#&%\s]*+(?:%(?!(?:25)*2f)[^/?#&%\s]*+)*"
_LABEL = rb"[a-z0-9_-]++"
_PARAMETER = re.compile(
    rb"(?:\A|[?&;,\s]|%(?:25)*(?:3f|26|3b))([^=&;?#,\s%]++)(?:=|%(?:25)*3d)", re.I
)
_VALUE_END = re.compile(rb"[&#\s]")
_CREDENTIALS = re.compile(
    rb"(" + _SLASH + rb"{2})(?!@|%(?:25)*40)"
    rb"[^/?#&@%\s]*+(?:%(?!(?:25)*(?:2f|40))[^/?#&@%\s]*+)*(@|%(?:25)*40)",
    re.I,
)
_SECRET_NAME = re.compile(
    rb".*(?:token|secret|passw|pwd|passphrase|api.?key|ticket|session|signature|credential"
    rb"|jwt|csrf|xsrf|cookie|authoriz|authent|oauth).*"
    rb"|(?:.*[_.-])?(?:key|auth|pass|sig|hmac|code)(?:\[\])?",
    re.I,
)
_ROUNDS = 3
_LONGEST_SAID = 300
# As in a database URL, should one ever get into the text of an error.
_SAID_CREDENTIALS = re.compile(r"//[^/\s]*@")
_SAID_PASSWORD = re.compile(r"\bpassword\s*=\s*\S+", re.I)

_OLDER = (b"access", b"interactivetoolentrypoint")
_OLDER_KEY = rb"(?:[0-9a-f]{16}){1,2}"

# What Galaxy puts behind KEY-TOKEN, with short and with long names.
_GALAXYS = (b"ep.", b"interactivetoolentrypoint.")


def presentable(text: str) -> str:
    """The first line of what some program said, not too long, without what looks like a password.

    For texts that hold no URL of a visitor's; those are for `Masking`.
    """
    line = text.strip().partition("\n")[0][:_LONGEST_SAID]
    return _SAID_PASSWORD.sub("***", _SAID_CREDENTIALS.sub("//***@", line))


@lru_cache(1024)
def is_secret(name: bytes) -> bool:
    """Tell whether a query parameter of this name is taken to hold a secret."""
    return _SECRET_NAME.fullmatch(name) is not None


def _mask_parameters(text: bytes) -> bytes:
    parts: list[bytes] = []
    done = 0
    for match in _PARAMETER.finditer(text):
        if match.start() >= done and is_secret(match[1]):
            parts += (text[done : match.end()], b"-")
            end = _VALUE_END.search(text, match.end())
            done = end.start() if end else len(text)
    return b"".join(parts) + text[done:] if parts else text


def _below(parts: Sequence[bytes], key: bytes = _SEGMENT) -> re.Pattern[bytes]:
    """What matches ``prefix/KEY/TOKEN``; all but the token is its first group."""
    some = _SLASH + b"+"
    before = some.join(map(re.escape, parts))
    return re.compile(b"(%b%b%b%b)%b" % (before, some, key, some, _SEGMENT), re.I)


def _named(names: Sequence[bytes]) -> re.Pattern[bytes]:
    """What matches KEY-TOKEN in a host name below one of these."""
    after = [re.escape(name) for name in _GALAXYS]
    if known := [re.escape(name) for name in names if name != b"*"]:
        after.append(rb"(?:[a-z0-9_-]{1,63}\.){0,3}(?:%b)(?![a-z0-9_-])" % b"|".join(known))
    key = rb"-*+[a-z0-9_]++-"
    found = [rb"(?<![a-z0-9_-])%b(?=%b\.(?:%b))" % (key, _LABEL, b"|".join(after))]
    if b"*" in names:
        found.append(rb"(?:%b{2}|@|%%(?:25)*40)%b" % (_SLASH, key))
    return re.compile(b"(%b)%b" % (b"|".join(found), _LABEL), re.I)


class Masking:
    """Puts ``-`` in the place of secrets in a request target, a Referer, or any other text.

    ``prefix`` is the path below which interactive tools are, ``domains`` the names below which
    their hosts are, as in `giestack.routing.table.Prefixes`; ``"*"`` is any.
    """

    def __init__(self, prefix: str, domains: Iterable[str] = ()) -> None:
        names = [name.lower().encode() for name in domains]
        parts = [part.lower().encode() for part in prefix.split("/") if part]
        self._host = _named(names)
        # The long patterns are tried only where these stand in the text.
        self._paths = [(max(parts, key=len), _below(parts))] if parts else []
        *base, last = parts or [b""]
        if base and last == b"ep":
            # Addresses of Galaxy 23.1 and before; see `giestack.routing.table.RouteTable`.
            mark = max(base, key=len)
            self._paths += [(mark, _below([*base, *_OLDER])), (mark, _below(base, _OLDER_KEY))]
        self._host_marks = [b"." + name for name in names] + [b"." + name for name in _GALAXYS]
        if b"*" in names:
            self._host_marks = [b"-"]

    def __call__(self, text: bytes) -> bytes:
        """Return ``text`` without what looks like a secret.

        Where something hides behind needless percent-encoding, all from the first ``?`` on is
        left out, or all of the text.
        """
        masked = plain = self._masked(text)
        for _ in range(_ROUNDS):
            if b"%" not in plain:
                break
            plain = unquote_to_bytes(plain)
        if plain is masked or self._masked(plain) == plain:
            return masked
        path, mark, _ = masked.partition(b"?")
        return self(path) + b"?-" if mark else b"-"

    def _masked(self, text: bytes) -> bytes:
        low = text.lower()
        for mark, pattern in self._paths:
            if mark in low:
                text = pattern.sub(rb"\1-", text)
        if b"-" in low and any(mark in low for mark in self._host_marks):
            text = self._host.sub(rb"\1-", text)
        if b"@" in low or b"40" in low:
            text = _CREDENTIALS.sub(rb"\1-\2", text)
        if b"=" in low or b"3d" in low:
            text = _mask_parameters(text)
        return text
