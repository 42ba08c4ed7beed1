"""Whose page sends a request? What Origin and Fetch Metadata say, and whether that page may."""

from giestack import address
from giestack.proxy.decision import Request
from giestack.proxy.head import Malformed, split_host

DEFAULT_PORTS = {scheme.encode(): port for scheme, port in address.DEFAULT_PORTS.items()}


def origin_allowed(request: Request, origins: frozenset[bytes]) -> bool:
    """Whether a WebSocket may be opened by the page that says it opens it.

    Browsers always send Origin; other programs need not. It must name the host that the
    request was sent to (the port too where Host has one) and HTTPS where visitors use that, or
    a trusted origin.
    """
    origin = request.fields.origin
    if origin is None:
        return True
    origin = origin.lower()
    if origin in origins:
        return True
    scheme, _, authority = origin.partition(b"://")
    default = DEFAULT_PORTS.get(scheme)
    if default is None or not request.seen.may_have_page(scheme):
        return False
    try:
        name, port = split_host(authority)
        own_name, own_port = split_host(request.seen.host)
    except Malformed:
        return False
    return name == own_name and own_port in (None, port or default)


def may_change(request: Request, origins: frozenset[bytes]) -> bool:
    """Whether the page that sends a request may change something behind a host of its own.

    Such hosts have neighbours whose pages are somebody else's, and to a browser they are all one
    site: SameSite keeps no cookie back between them.
    """
    sites = [value for name, value in request.raw if name.lower() == b"sec-fetch-site"]
    if sites in ([b"same-origin"], [b"none"]):
        # Also where a page hides its origin, as those do that send no referrer.
        return True
    if sites and request.fields.origin is None:
        return False
    return origin_allowed(request, origins)


def by_a_tool(request: Request, domains: tuple[bytes, ...], origins: frozenset[bytes]) -> bool:
    """Whether the page that sends a request is, or may be, on a tool's own host.

    ``domains`` are those below which such hosts are, each with a dot before it. To a browser
    they are the same site as Galaxy, and a page can hide where it is from.
    """
    origin = (request.fields.origin or b"null").lower()
    if origin != b"null":
        name = origin.partition(b"://")[2].partition(b":")[0].rstrip(b".")
        return name.endswith(domains) and origin not in origins
    sites = [value.lower() for name, value in request.raw if name.lower() == b"sec-fetch-site"]
    return b"same-site" in sites
