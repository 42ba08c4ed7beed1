"""What the configuration means to each part, as values."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from giestack.access import Policy
from giestack.address import Address
from giestack.ops.masking import Masking
from giestack.proxy.front import Limits
from giestack.proxy.head import GuardedNames, canonical
from giestack.routing.places import Service
from giestack.routing.table import Prefixes
from giestack.settings.schema import ProxySettings, Settings
from giestack.settings.spawner_schema import SpawnerSettings
from giestack.site.links import Links

OWN_COOKIES = (b"giestack", b"__host-giestack")
TOOL_RUNNER_COOKIE = b"galaxytoolrunnersession"


def links_of(settings: Settings, demo: bool) -> Links:
    """Where pages lead; ``demo`` says whether there is a page to become somebody."""
    proxy = settings.proxy
    return Links(
        prefix=proxy.prefix,
        galaxy_url=settings.galaxy.url,
        domains=proxy.interactivetools_domains,
        demo=demo,
    )


def access_policy(settings: Settings) -> Policy:
    """What decides who may go where."""
    origin = Links(galaxy_url=settings.galaxy.url).galaxy_origin
    domain = settings.galaxy.cookie_domain
    forward = settings.proxy.forward
    return Policy(
        check_owner=settings.proxy.interactivetools_auth == "owner",
        galaxy_origin=None if origin is None else origin.lower().encode(),
        allowed_origins=frozenset(o.encode() for o in settings.proxy.allowed_origins),
        checks_sessions=settings.galaxy.database_connection is not None,
        cookie_domain=None if domain is None else domain.lower().removeprefix(".").encode(),
        far_end=None if forward.ip is None else Address(forward.ip, forward.port or 0),
        reverse_proxy=forward.reverse_proxy,
    )


def guarded_names(settings: Settings) -> GuardedNames:
    """What clients must not set and backends must not see."""
    cookie = settings.galaxy.cookie_name.encode()
    remote_user = canonical(settings.galaxy.remote_user_header.encode())
    headers = {canonical(service.user_header.encode()) for service in settings.proxy.services}
    return GuardedNames(
        session_cookie=cookie,
        hidden_cookies=frozenset((cookie.lower(), TOOL_RUNNER_COOKIE, *OWN_COOKIES)),
        identity_headers=frozenset(headers | {remote_user}) - {b""},
        remote_user_header=remote_user or None,
    )


def scheme_of(settings: Settings) -> bytes:
    """The scheme that visitors use where no front says so."""
    return b"https" if (settings.galaxy.url or "").startswith("https:") else b"http"


def limits_of(proxy: ProxySettings) -> Limits:
    """The proxy's limits as the front door takes them."""
    limits = proxy.limits
    return Limits(
        head=limits.head,
        body=limits.body,
        connections=limits.connections,
        connect_timeout=limits.connect_timeout,
        head_timeout=limits.head_timeout,
        idle_timeout=limits.idle_timeout,
        response_timeout=limits.response_timeout,
    )


def prefixes_of(proxy: ProxySettings) -> Prefixes:
    """Where the rules of the route table begin."""
    return Prefixes(
        own=proxy.prefix,
        interactivetools=proxy.interactivetools_prefix,
        gie=proxy.gie_prefix,
        domains=proxy.interactivetools_domains,
    )


def services_of(proxy: ProxySettings) -> Sequence[Service]:
    """The services as the route table takes them."""
    return [
        Service(
            service.path.encode(),
            service.backend,
            service.user_header.encode(),
            service.strip_path,
            service.require,
        )
        for service in proxy.services
    ]


def map_locations(proxy: ProxySettings) -> Mapping[str, str]:
    """Where the session maps are, by name, in their order of precedence."""
    return {str(place): place.url or str(place.path) for place in proxy.session_maps}


def masking_of(proxy: ProxySettings) -> Masking:
    """What takes the secrets out of logged addresses."""
    return Masking(proxy.interactivetools_prefix, proxy.interactivetools_domains)


def spawner_of(spawner: SpawnerSettings) -> SpawnerSettings:
    """What the spawner goes by: nobody is promised what the engines can't give.

    Local processes share all cores.
    """
    if not spawner.engines or not all(engine.is_process for engine in spawner.engines):
        return spawner
    return replace(spawner, profiles=tuple(replace(p, cpus=0.0) for p in spawner.profiles))
