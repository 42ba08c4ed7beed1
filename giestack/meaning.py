"""What the configuration means to each part, as values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from giestack.access import Policy
from giestack.address import Address
from giestack.host_cookies import OWN_COOKIES
from giestack.host_login import HostLogin
from giestack.identity.tickets import Tickets
from giestack.ops.masking import Masking
from giestack.proxy.front import Limits
from giestack.proxy.head import GuardedNames, canonical
from giestack.routing.places import Service
from giestack.routing.table import Prefixes
from giestack.settings.endpoints import parse
from giestack.settings.galaxy_defaults import private_id_secret
from giestack.settings.schema import ProxySettings, Settings
from giestack.settings.spawner_schema import SpawnerSettings
from giestack.signing_secret import signing_secret
from giestack.site.links import Links

TOOL_RUNNER_COOKIE = b"galaxytoolrunnersession"


def links_of(settings: Settings, demo: bool) -> Links:
    """Where pages lead; ``demo`` says whether there is a page to become somebody."""
    proxy = settings.proxy
    return Links(
        prefix=proxy.prefix,
        galaxy_url=settings.galaxy.url,
        domains=tool_domains(proxy),
        session_domain=session_domain(settings),
        demo=demo,
    )


def tool_domains(proxy: ProxySettings) -> tuple[str, ...]:
    """The domains below which hosts are interactive tools; ``"*"`` is any.

    Where the URL is the secret, and nobody has said what Galaxy's host is, it is any domain: so
    it was with gx-it-proxy.
    """
    any_domain = proxy.interactivetools_auth == "token" and proxy.session_maps
    return proxy.interactivetools_domains or (("*",) if any_domain else ())


def session_domain(settings: Settings) -> str | None:
    """The domain below which spawned sessions have hosts of their own, or None."""
    return None if settings.spawner is None else settings.spawner.domain


def tickets_of(settings: Settings) -> Tickets | None:
    """What carries logins to hosts that Galaxy's cookie does not reach; None: nobody logs in.

    Waits for the disk; raises as `signing_secret` does.
    """
    galaxy = settings.galaxy
    if galaxy.database_connection is None:
        return None
    id_secret = private_id_secret(galaxy.id_secret)
    return Tickets(signing_secret(settings.secret, id_secret, settings.data_dir))


def host_login_of(settings: Settings, tickets: Tickets, now: Callable[[], float]) -> HostLogin:
    """The login for hosts that Galaxy's cookie does not reach; ``now`` is seconds since 1970."""
    proxy = settings.proxy
    ports = {parse(description).values.get("port", "") for description in proxy.listen}
    return HostLogin(
        tickets,
        now,
        galaxy_url=settings.galaxy.url,
        login=prefixes_of(proxy).login_below(settings.galaxy.cookie_path),
        prefix=proxy.prefix,
        ports=frozenset(int(port) for port in ports if port.isdigit()),
    )


def access_policy(settings: Settings) -> Policy:
    """What decides who may go where."""
    origin = Links(galaxy_url=settings.galaxy.url).galaxy_origin
    domain, sessions = settings.galaxy.cookie_domain, session_domain(settings)
    forward = settings.proxy.forward
    return Policy(
        check_owner=settings.proxy.interactivetools_auth == "owner",
        galaxy_origin=None if origin is None else origin.lower().encode(),
        allowed_origins=frozenset(o.encode() for o in settings.proxy.allowed_origins),
        checks_sessions=settings.galaxy.database_connection is not None,
        cookie_domain=None if domain is None else domain.lower().removeprefix(".").encode(),
        session_domain=None if sessions is None else sessions.encode(),
        prefix=settings.proxy.prefix.encode(),
        tool_domains=tuple(
            b"." + name.encode() for name in tool_domains(settings.proxy) if name != "*"
        ),
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


def prefixes_of(proxy: ProxySettings, sessions: str | None = None) -> Prefixes:
    """Where the rules of the route table begin; ``sessions`` is the domain of spawned ones."""
    return Prefixes(
        own=proxy.prefix,
        interactivetools=proxy.interactivetools_prefix,
        gie=proxy.gie_prefix,
        domains=tool_domains(proxy),
        session_domain=sessions,
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
    return Masking(proxy.interactivetools_prefix, tool_domains(proxy))


def spawner_of(spawner: SpawnerSettings) -> SpawnerSettings:
    """What the spawner goes by: nobody is promised what the engines can't give.

    Local processes share all cores.
    """
    if not spawner.engines or not all(engine.is_process for engine in spawner.engines):
        return spawner
    return replace(spawner, profiles=tuple(replace(p, cpus=0.0) for p in spawner.profiles))
