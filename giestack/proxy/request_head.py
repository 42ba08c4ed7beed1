"""The head of the request that a backend gets."""

from collections.abc import Container

from giestack.proxy.decision import Destination
from giestack.proxy.head import Fields, RequestFields, Seen, canonical

_NOT_IN_TRAILERS = frozenset(
    b"authorization connection content-encoding content-length content-range content-type cookie "
    b"host keep-alive location set-cookie te trailer transfer-encoding upgrade "
    b"remote-user".split()
)
_PREFIXES_NOT_IN_TRAILERS = (b"x-forwarded-", b"x-real-", b"access-control-")


def backend_fields(fields: RequestFields, seen: Seen, to: Destination) -> bytes:
    """The header lines for a backend, with the blank line.

    Host is kept as the client sent it; hidden cookies, hop-by-hop fields, and everything that
    only giestack may say are already gone from ``fields``.
    """
    lines = fields.lines
    if to.headers:
        names = {canonical(name) for name, _ in to.headers}
        lines = b"".join([line for name, line in fields.passed if name not in names])
    parts = [
        b"Host: %b\r\n" % (fields.host or to.address.authority()),
        lines,
        b"X-Forwarded-For: %b\r\n" % seen.forwarded_for,
        b"X-Forwarded-Proto: %b\r\n" % seen.scheme,
        b"X-Forwarded-Port: %b\r\n" % seen.port,
    ]
    if seen.host:
        parts.append(b"X-Forwarded-Host: %b\r\n" % seen.host)
    if to.prefix:
        parts.append(b"X-Forwarded-Prefix: %b\r\n" % to.prefix)
    if fields.cookie:
        parts.append(b"Cookie: %b\r\n" % fields.cookie)
    parts += [b"%b: %b\r\n" % header for header in to.headers]
    parts.append(fields.framing)
    return b"".join(parts)


def trailer_lines(trailers: Fields, forbidden: Container[bytes] = ()) -> bytes:
    """Trailer fields to pass on; those that frame, route or authorise are left out.

    RFC 9110 section 6.5.1: a recipient may merge trailers into the head, so nothing that means
    something there may come in by this way. ``forbidden`` holds further canonical names.
    """
    return b"".join(
        [
            b"%b: %b\r\n" % (name, value)
            for name, value in trailers
            if canonical(name) not in _NOT_IN_TRAILERS
            and canonical(name) not in forbidden
            and not canonical(name).startswith(_PREFIXES_NOT_IN_TRAILERS)
        ]
    )
