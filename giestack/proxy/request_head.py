"""The head of the request that a backend gets."""

from collections.abc import Container

from giestack.proxy.decision import Destination
from giestack.proxy.head import UNDERSTOOD, Fields, RequestFields, canonical
from giestack.proxy.response_head import FOR_FRONTS, ORIGIN_WIDE
from giestack.proxy.seen import Seen

# RFC 9110 section 6.5.1, with everything that is special in one of the two heads.
_NOT_IN_TRAILERS = frozenset(
    b"age authorization cache-control content-encoding content-length content-range content-type "
    b"date expires location max-forwards pragma range remote-user retry-after set-cookie trailer "
    b"vary warning www-authenticate".split()
)
_NOT_IN_TRAILERS |= UNDERSTOOD | ORIGIN_WIDE | FOR_FRONTS
_RSTUDIO = b"x-rstudio-root-path"
_FORM = b"application/x-www-form-urlencoded"
_PREFIXES_NOT_IN_TRAILERS = (b"x-forwarded-", b"x-real-", b"access-control-", b"if-")


def backend_fields(fields: RequestFields, seen: Seen, to: Destination) -> bytes:
    """The header lines for a backend, with the blank line.

    Host is kept as the client sent it, or is what the visitor sees. Hidden cookies, hop-by-hop
    fields, and everything that only giestack may say are already gone from ``fields``. A header
    of the destination replaces whatever else has its name; with an empty value it is only
    removed. Whoever is told RStudio's own header gets what RStudio needs besides.
    """
    lines = fields.lines
    names = {canonical(name) for name, _ in to.headers}
    if names:
        passed = [field for field in fields.passed if field[0] not in names]
        if _RSTUDIO in names:
            passed = [_for_rstudio(*field) for field in passed]
        lines = b"".join([line for _, line in passed])
    told = (
        (b"X-Forwarded-For", seen.forwarded_for),
        (b"X-Forwarded-Proto", seen.scheme),
        (b"X-Forwarded-Port", seen.port),
        (b"X-Forwarded-Host", seen.host),
        (b"X-Forwarded-Prefix", to.prefix),
        (b"Cookie", fields.cookie),
    )
    host = seen.host if to.visible_host else fields.host
    parts = [b"Host: %b\r\n" % (host or to.address.authority()), lines]
    parts += [
        b"%b: %b\r\n" % field
        for field in told
        if field[1] and not (names and canonical(field[0]) in names)
    ]
    parts += [b"%b: %b\r\n" % header for header in to.headers if header[1]]
    parts.append(fields.framing)
    return b"".join(parts)


def _for_rstudio(name: bytes, line: bytes) -> tuple[bytes, bytes]:
    """A field as RStudio reads it: by exactly this name, and a form without its character set.

    Fronts that speak HTTP/2 have it in lower case, and jQuery says what UTF-8 is anyway.
    """
    if name != b"content-type":
        return name, line
    value = line.partition(b":")[2].strip(b" \t\r\n")
    sort = value.partition(b";")[0].rstrip(b" \t")
    if sort.lower() == _FORM:
        value = sort
    return name, b"Content-Type: %b\r\n" % value


def trailer_lines(trailers: Fields, forbidden: Container[bytes] = ()) -> bytes:
    """Trailer fields to pass on; those that frame, route or authorise are left out.

    RFC 9110 section 6.5.1: a recipient may merge trailers into the head, so nothing that means
    something there may come in by this way. ``forbidden`` holds further canonical names.
    """
    lines = []
    for name, value in trailers:
        plain = canonical(name)
        if (
            plain not in _NOT_IN_TRAILERS
            and plain not in forbidden
            and not plain.startswith(_PREFIXES_NOT_IN_TRAILERS)
        ):
            lines.append(b"%b: %b\r\n" % (name, value))
    return b"".join(lines)
