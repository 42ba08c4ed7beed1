"""giestack's own cookies on hosts that Galaxy's cookie does not reach.

Over HTTPS their names begin with ``__Host-``, and no other name counts there: a browser takes
such a cookie only from the host itself, so a page of a neighbouring tool can't plant one.
"""

from giestack.proxy.decision import Request
from giestack.proxy.head import unquoted
from giestack.proxy.seen import Seen

SESSION = b"giestack"
NONCE = b"giestack-nonce"
HOST_ONLY = b"__Host-"

OWN_COOKIES = tuple(prefix + name for prefix in (b"", b"__host-") for name in (SESSION, NONCE))
"""All names in lower case: no backend sees them, none sets them."""


def name_of(cookie: bytes, seen: Seen) -> bytes:
    """The name under which `SESSION` or `NONCE` goes on this host."""
    return HOST_ONLY + cookie if seen.scheme == b"https" else cookie


def values(request: Request, cookie: bytes) -> list[bytes]:
    """The values that the request carries for `SESSION` or `NONCE`; each once."""
    name = name_of(cookie, request.seen)
    found: dict[bytes, None] = {}
    for field, line in request.raw:
        if field.lower() == b"cookie" and name in line:
            for pair in line.split(b";"):
                key, equals, value = pair.partition(b"=")
                if equals and key.strip(b" \t") == name:
                    found[unquoted(value.strip(b" \t"))] = None
    return list(found)


def set_cookie(
    cookie: bytes, value: bytes, seen: Seen, same_site: bool, max_age: int | None = None
) -> tuple[bytes, bytes]:
    """The field that sets `SESSION` or `NONCE` on this host.

    ``same_site``: whether browsers take this host and Galaxy's for one site. If they don't, a tool
    that Galaxy's page embeds gets its cookies only without SameSite's protection, and where the
    browser blocks cookies of third parties only in a jar for this embedding page alone
    (Partitioned). Without HTTPS there is no such cookie. ``max_age`` in seconds: 0 deletes it,
    None keeps it until the browser ends.
    """
    line = b"%b=%b; Path=/; HttpOnly" % (name_of(cookie, seen), value)
    if max_age is not None:
        line += b"; Max-Age=%d" % max_age
    if seen.scheme == b"https":
        line += b"; Secure"
    embedded = seen.scheme == b"https" and not same_site
    return b"Set-Cookie", line + (
        b"; SameSite=None; Partitioned" if embedded else b"; SameSite=Lax"
    )
