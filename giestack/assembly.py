"""Puts giestack together: every part gets what it needs, and just that."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from giestack.access import Policy, Standing
from giestack.database import Database, open_engine
from giestack.gate import CheckSession, Gate, StandingTo
from giestack.identity.cookie import CookieCodec
from giestack.identity.entry_point import EntryPointOwner
from giestack.identity.galaxy import GalaxyDatabase
from giestack.identity.ownership import Ownership, may_enter
from giestack.identity.rules import GalaxyPolicy
from giestack.identity.sessions import Sessions
from giestack.listening import Door
from giestack.ops.traffic import Traffic
from giestack.proxy.front import Front, Limits
from giestack.proxy.head import GuardedNames, canonical
from giestack.proxy.local import OwnPages
from giestack.proxy.pool import Endpoints, Pool
from giestack.proxy.trusted import TrustedPeers
from giestack.routing.location import source_for
from giestack.routing.places import Service as ServiceRoute
from giestack.routing.source import Source
from giestack.routing.table import Prefixes, RouteTable
from giestack.settings.schema import GalaxySettings, ProxySettings, Settings
from giestack.site.links import Links
from giestack.site.pages import make_site
from giestack.site.refusals import RefusalPages
from giestack.site.tool_url import ToolPlaces
from giestack.site.tools import EntryPoints, ToolEntry, Tools
from giestack.visitor import Anonymous, Identity, Refused, Unavailable, Visitor

OWN_COOKIES = (b"giestack", b"__host-giestack")
TOOL_RUNNER_COOKIE = b"galaxytoolrunnersession"


class Part(Service):
    """Something with a beginning and an end, as a service."""

    def __init__(self, start: Callable[[], object], stop: Callable[[], object]) -> None:
        self._start = start
        self._stop = stop

    def startService(self) -> None:
        super().startService()
        self._start()

    def stopService(self) -> Deferred[object]:
        super().stopService()
        return maybeDeferred(self._stop)


class Giestack(MultiService):
    """All parts; they start in order and stop one after the other in the opposite order."""

    log = Logger()

    def stopService(self) -> Deferred[None]:
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        for part in reversed(list(self)):
            try:
                await maybeDeferred(part.stopService)
            except Exception:
                self.log.failure("{part} did not stop as it should", part=part)


def galaxy_policy(galaxy: GalaxySettings) -> GalaxyPolicy:
    """What of Galaxy's options decides about sessions."""
    return GalaxyPolicy(
        admin_users=frozenset(galaxy.admin_users),
        session_duration=galaxy.session_duration,
        require_login=galaxy.require_login,
        use_remote_user=galaxy.use_remote_user,
        remote_user_maildomain=galaxy.remote_user_maildomain,
        single_user=galaxy.single_user,
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


class Host:
    """Galaxy as far as giestack knows it: its sessions, its tools, its database."""

    def __init__(self, reactor: Any, settings: Settings, utcnow: Callable[[], datetime]) -> None:
        galaxy = settings.galaxy
        assert galaxy.database_connection is not None and galaxy.id_secret is not None
        ttl = settings.proxy.session_cache
        self.codec = CookieCodec(galaxy.id_secret)
        self.database = Database(open_engine(galaxy.database_connection), reactor)
        self.tables = GalaxyDatabase(self.database)
        self.sessions = Sessions(
            self.tables, self.codec, galaxy_policy(galaxy), reactor, utcnow, ttl
        )
        self.ownership = Ownership(self.tables, self.codec, reactor, ttl)

    def parts(self) -> Sequence[Service]:
        return (
            Part(self.database.start, self.database.stop),
            Part(self.sessions.start, self.sessions.stop),
        )

    def keys(self, entry_point_id: int) -> Sequence[str]:
        """The keys under which a session map may hold an entry point (before and since 23.2)."""
        return (self.codec.entry_point_key(entry_point_id), self.codec.encode_id(entry_point_id))

    def standing(self, key: str, visitor: Identity | Anonymous) -> Standing | Deferred[Standing]:
        """How a visitor stands to an entry point."""
        owner = self.ownership.owner(key)
        if isinstance(owner, Deferred):
            return owner.addCallback(_standing, visitor)
        return _standing(owner, visitor)


def _standing(
    owner: EntryPointOwner | Unavailable | None, visitor: Identity | Anonymous
) -> Standing:
    if owner is None:
        return "gone"
    if isinstance(owner, Unavailable):
        return "unavailable"
    if not owner.active:
        return "gone"
    return "owner" if may_enter(owner, visitor) else "other"


_NO_HOST = Refused("no host database is configured")


def _nobody(cookies: tuple[bytes, ...], remote_user: str | None = None) -> Visitor:
    return _NO_HOST


def _never(key: str, visitor: Identity | Anonymous) -> Standing:
    return "other"


def _unheld(visitor: Identity | Anonymous | None, cut: Callable[[str], None]) -> Callable[[], None]:
    return lambda: None


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


def assemble(reactor: Any, settings: Settings) -> Giestack:
    """Build everything that the configuration asks for; nothing runs yet.

    :raises OSError, ValueError: where a file of the configuration can't be used.
    """
    proxy = settings.proxy

    def utcnow() -> datetime:
        return datetime.now(UTC).replace(tzinfo=None)

    def in_thread(function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return deferToThreadPool(reactor, reactor.getThreadPool(), function, *args)

    house = Giestack()
    table = route_table(proxy)
    check_session: CheckSession = _nobody
    standing: StandingTo = _never
    hold: Any = _unheld
    host: Host | None = None
    if settings.galaxy.database_connection is not None:
        host = Host(reactor, settings, utcnow)
        check_session, standing = host.sessions.check, host.standing
        hold = _holding(host.sessions)
        for part in host.parts():
            part.setServiceParent(house)
    sources: dict[str, Source] = {}
    for session_map in proxy.session_maps:
        source = source_for(f"sqlite:///{session_map.path}", "/", reactor, in_thread)
        sources[str(session_map)] = source
        _watched(source, table, str(session_map)).setServiceParent(house)

    links = Links(
        prefix=proxy.prefix,
        galaxy_url=settings.galaxy.url,
        domains=proxy.interactivetools_domains,
    )
    policy = access_policy(settings)
    refusals = RefusalPages(links, reactor)
    site = make_site(
        reactor,
        refusals,
        Tools(
            _tools_of(host),
            host.keys if host else lambda number: (),
            table.find,
            ToolPlaces(prefix=proxy.interactivetools_prefix),
        ),
        lambda: datetime.now(UTC),
        origins=policy.origins,
    )
    front = Front(
        reactor,
        decide=Gate(table.locate, check_session, standing, policy),
        pool=Pool(reactor, Endpoints(reactor, proxy.limits.connect_timeout)),
        local=OwnPages(site),
        refusal_page=refusals,
        hold=hold,
        watch=Traffic(reactor),
        guarded=guarded_names(settings),
        limits=_limits(proxy),
        trusted=TrustedPeers(proxy.trusted_proxies),
        scheme=b"https" if (settings.galaxy.url or "").startswith("https:") else b"http",
    )
    Door(reactor, reactor, proxy.listen, front).setServiceParent(house)
    return house


def _tools_of(host: Host | None) -> EntryPoints:
    def tools(visitor: Identity | Anonymous) -> Deferred[Sequence[ToolEntry]]:
        found: Deferred[Any] = succeed([]) if host is None else host.tables.entry_points(visitor)
        return found

    return tools


def _limits(proxy: ProxySettings) -> Limits:
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


def _holding(sessions: Sessions) -> Any:
    def hold(
        visitor: Identity | Anonymous | None, cut: Callable[[str], None]
    ) -> Callable[[], None]:
        return _unheld(visitor, cut) if visitor is None else sessions.hold(visitor, cut)

    return hold


def _watched(source: Source, table: RouteTable, name: str) -> Part:
    return Part(
        lambda: source.start(lambda routes: table.replace(name, routes.entry_points)),
        source.stop,
    )
