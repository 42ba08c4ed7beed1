"""Puts giestack together: every part gets what it needs, and just that."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.threads import deferToThreadPool

from giestack.access import Policy, Standing
from giestack.database import DatabaseUnavailable
from giestack.galaxy import Galaxy, unheld
from giestack.gate import CheckSession, Gate, StandingTo
from giestack.listening import Door, Listeners
from giestack.ops.access_log import AccessLog
from giestack.ops.admin import AdminSite
from giestack.ops.health import Readiness
from giestack.ops.lag import ReactorLag
from giestack.ops.log_target import log_target
from giestack.ops.masking import Masking
from giestack.ops.metrics import Metrics
from giestack.ops.traffic import Traffic
from giestack.parts import Giestack, Part
from giestack.proxy.endpoints import Endpoints
from giestack.proxy.front import Front, Limits
from giestack.proxy.head import GuardedNames, canonical
from giestack.proxy.local import OwnPages
from giestack.proxy.pool import Pool
from giestack.proxy.trusted import TrustedPeers
from giestack.routing.location import source_for
from giestack.routing.places import Service as ServiceRoute
from giestack.routing.table import Prefixes, RouteTable
from giestack.routing.watch import WatchedMap
from giestack.settings.schema import ProxySettings, Settings
from giestack.site.demo import DemoLogins, DemoPage
from giestack.site.links import Links
from giestack.site.pages import make_site
from giestack.site.refusals import RefusalPages
from giestack.site.tool_url import ToolPlaces
from giestack.site.tools import EntryPoints, ToolEntry, Tools
from giestack.visitor import Anonymous, Identity, Refused, Visitor

OWN_COOKIES = (b"giestack", b"__host-giestack")
TOOL_RUNNER_COOKIE = b"galaxytoolrunnersession"

InThread = Callable[..., Deferred[Any]]

_NO_HOST = Refused("no host database is configured")


def assemble(reactor: Any, settings: Settings, demo_logins: DemoLogins | None = None) -> Giestack:
    """Build everything that the configuration asks for; nothing runs yet.

    :param demo_logins: lets visitors become one of the demo's users; None but in the demo.
    :raises OSError, ValueError: where a file of the configuration can't be used.
    """
    in_thread = threads_of(reactor)
    proxy = settings.proxy
    giestack = Giestack()
    galaxy: Galaxy | None = None
    if settings.galaxy.database_connection is not None:
        galaxy = Galaxy(reactor, settings.galaxy, proxy.session_cache, utcnow)
        for part in galaxy.parts():
            part.setServiceParent(giestack)
    table = route_table(proxy)
    maps = watched_maps(proxy, reactor, in_thread)
    for name, source in maps.items():
        _feeding(table, name, source).setServiceParent(giestack)
    traffic = Traffic(reactor)
    front = _front(reactor, settings, table, galaxy, traffic, demo_logins)
    access_log = _access_log(reactor, settings, traffic, in_thread)
    if access_log is not None:
        Part(access_log.start, access_log.stop).setServiceParent(giestack)
        giestack.reopen_logs = access_log.reopen
    lag = ReactorLag(reactor)
    Part(lag.start, lag.stop).setServiceParent(giestack)
    metrics = Metrics(
        traffic=traffic,
        clients=front,
        backends=front.pool,
        lag=lag,
        routes=maps,
        sessions=galaxy.sessions if galaxy else None,
        access_log=access_log,
        open_tunnels=lambda: front.tunnels,
    )
    readiness = Readiness(
        reactor,
        draining=lambda: front.draining,
        maps=maps,
        ask_database=galaxy.ask if galaxy else None,
        says_why=(DatabaseUnavailable,),
    )
    admin = AdminSite(
        reactor, readiness=readiness, metrics=metrics.text, token=settings.admin.token
    )
    Listeners(reactor, settings.admin.listen, admin).setServiceParent(giestack)
    Door(reactor, reactor, proxy.listen, front).setServiceParent(giestack)
    return giestack


def make_data_dir(settings: Settings) -> None:
    """Make ``data_dir``, for nobody else to look into; OSError where that can't be done."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)


def utcnow() -> datetime:
    """The wall clock, naive UTC as in Galaxy's tables."""
    return datetime.now(UTC).replace(tzinfo=None)


def threads_of(reactor: Any) -> InThread:
    """What runs a function in one of the reactor's few threads; for files, not for databases."""

    def in_thread(function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return deferToThreadPool(reactor, reactor.getThreadPool(), function, *args)

    return in_thread


def route_table(proxy: ProxySettings) -> RouteTable:
    """The route table, with the services and without entry points yet."""
    services = [
        ServiceRoute(
            service.path.encode(),
            service.backend,
            service.user_header.encode(),
            service.strip_path,
            service.require,
        )
        for service in proxy.services
    ]
    prefixes = Prefixes(
        own=proxy.prefix,
        interactivetools=proxy.interactivetools_prefix,
        gie=proxy.gie_prefix,
        domains=proxy.interactivetools_domains,
    )
    return RouteTable(prefixes, services, [str(source) for source in proxy.session_maps])


def watched_maps(
    proxy: ProxySettings, reactor: Any, in_thread: InThread
) -> Mapping[str, WatchedMap]:
    """The session maps by name, not watched yet."""
    return {
        str(place): source_for(f"sqlite:///{place.path}", "/", reactor, in_thread)
        for place in proxy.session_maps
    }


def _feeding(table: RouteTable, name: str, source: WatchedMap) -> Part:
    return Part(
        lambda: source.start(lambda routes: table.replace(name, routes.entry_points)),
        source.stop,
    )


def access_policy(settings: Settings) -> Policy:
    """What of the configuration decides who may go where."""
    origin = Links(galaxy_url=settings.galaxy.url).galaxy_origin
    domain = settings.galaxy.cookie_domain
    return Policy(
        check_owner=settings.proxy.interactivetools_auth == "owner",
        galaxy_origin=None if origin is None else origin.lower().encode(),
        allowed_origins=frozenset(o.encode() for o in settings.proxy.allowed_origins),
        cookie_domain=None if domain is None else domain.lower().removeprefix(".").encode(),
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


def _front(
    reactor: Any,
    settings: Settings,
    table: RouteTable,
    galaxy: Galaxy | None,
    traffic: Traffic,
    demo_logins: DemoLogins | None,
) -> Front:
    proxy = settings.proxy
    policy = access_policy(settings)
    links = Links(
        prefix=proxy.prefix,
        galaxy_url=settings.galaxy.url,
        domains=proxy.interactivetools_domains,
        demo=demo_logins is not None,
    )
    refusals = RefusalPages(links, reactor)
    site = make_site(
        reactor,
        refusals,
        Tools(
            _tools_of(galaxy),
            galaxy.keys if galaxy else lambda entry_point_id: (),
            table.find,
            ToolPlaces(prefix=proxy.interactivetools_prefix),
        ),
        lambda: datetime.now(UTC),
        origins=policy.origins,
        demo=None if demo_logins is None else DemoPage(refusals, demo_logins),
    )
    check_session: CheckSession = galaxy.sessions.check if galaxy else _nobody
    standing: StandingTo = galaxy.standing if galaxy else _never
    return Front(
        reactor,
        decide=Gate(table.locate, check_session, standing, policy),
        pool=Pool(reactor, Endpoints(reactor, proxy.limits.connect_timeout)),
        local=OwnPages(site, reactor),
        refusal_page=refusals,
        hold=galaxy.hold if galaxy else unheld,
        watch=traffic,
        guarded=guarded_names(settings),
        limits=limits_of(proxy),
        trusted=TrustedPeers(proxy.trusted_proxies),
        scheme=b"https" if (settings.galaxy.url or "").startswith("https:") else b"http",
    )


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


def _access_log(
    reactor: Any, settings: Settings, traffic: Traffic, in_thread: InThread
) -> AccessLog | None:
    where = settings.log.access
    target = log_target(where)
    if target is None:
        return None
    proxy = settings.proxy
    mask = Masking(proxy.interactivetools_prefix, proxy.interactivetools_domains)
    return AccessLog(traffic, target, mask, reactor, utcnow, in_thread)


def _tools_of(galaxy: Galaxy | None) -> EntryPoints:
    def tools(visitor: Identity | Anonymous) -> Deferred[Sequence[ToolEntry]]:
        found: Deferred[Any] = succeed([])
        if galaxy is not None:
            found = galaxy.tables.entry_points(visitor)
        return found

    return tools


def _nobody(cookies: tuple[bytes, ...], remote_user: str | None = None) -> Visitor:
    return _NO_HOST


def _never(key: str, visitor: Identity | Anonymous) -> Standing:
    return "other"
