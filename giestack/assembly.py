"""Puts giestack together: every part gets what it needs, and just that."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypedDict

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import LogLevel

from giestack.chatting import Chatting
from giestack.database import DatabaseUnavailable
from giestack.far_end import far_end_of
from giestack.galaxy import Galaxy, NoHost
from giestack.galaxy_api import GalaxyApi
from giestack.gate import Gate, no_entrance
from giestack.go_proxy import GoProxy
from giestack.listening import Certificates, Door, Listeners
from giestack.meaning import (
    access_policy,
    guarded_names,
    host_login_of,
    limits_of,
    links_of,
    map_locations,
    masking_of,
    prefixes_of,
    scheme_of,
    services_of,
    session_domain,
    spawner_of,
    tickets_of,
)
from giestack.operations import ProxyOperations
from giestack.ops.access_log import AccessLog
from giestack.ops.admin import AdminSite
from giestack.ops.audit_log import AuditLog
from giestack.ops.chat_metrics import of_chat
from giestack.ops.event_log import EventLog
from giestack.ops.health import Ask as HealthAsk
from giestack.ops.health import Readiness
from giestack.ops.lag import ReactorLag
from giestack.ops.line_log import LineLog, Retargeting
from giestack.ops.log_target import log_target
from giestack.ops.metrics import Metrics
from giestack.ops.traffic import Traffic
from giestack.ops.visits import Visits
from giestack.parts import Giestack, Part
from giestack.probe import key_of
from giestack.proxy.ask import Ask
from giestack.proxy.decision import Decide
from giestack.proxy.endpoints import Endpoints
from giestack.proxy.front import AnswerLocally, Front, Limits, RefusalPage, TakeOver, nobody
from giestack.proxy.head import GuardedNames
from giestack.proxy.local import OwnPages
from giestack.proxy.pool import Pool
from giestack.proxy.trusted import TrustedPeers
from giestack.reload import Changes, Reload, needs_restart
from giestack.routing.chat_paths import in_chat_alone
from giestack.routing.location import source_for
from giestack.routing.maps import SessionMaps
from giestack.routing.table import RouteTable
from giestack.settings.galaxy_defaults import private_id_secret
from giestack.settings.kinds import LogTarget
from giestack.settings.load import Loaded
from giestack.settings.problems import SettingsError
from giestack.settings.schema import Settings
from giestack.site.api import Api
from giestack.site.chat_resource import make_chat_site
from giestack.site.demo import DemoLogins, DemoPage
from giestack.site.doctor import DoctorPages
from giestack.site.pages import make_site
from giestack.site.refusals import RefusalPages
from giestack.site.stopping import Stopping
from giestack.site.streams import Streams
from giestack.site.tool_url import ToolPlaces
from giestack.site.tools import Tools
from giestack.spawner.docker.figures import Figures
from giestack.spawner.spawner import Spawner
from giestack.spawning import make_spawner

InThread = Callable[..., Deferred[Any]]


class Rules(TypedDict):
    """What the front door goes by, and can be told anew; see `Front.configure`."""

    decide: Decide
    local: AnswerLocally
    refusal_page: RefusalPage
    guarded: GuardedNames
    limits: Limits
    trusted: TrustedPeers
    scheme: bytes
    take_over: TakeOver


def assemble(
    reactor: Any,
    settings: Settings,
    demo_logins: DemoLogins | None = None,
    *,
    load: Callable[[], Loaded] | None = None,
    event_log: EventLog | None = None,
) -> Giestack:
    """Build everything that the configuration asks for; nothing runs yet.

    :param demo_logins: lets visitors become one of the demo's users; None but in the demo.
    :param load: reads the configuration anew, in a thread, on SIGHUP; None: only log files are
        opened anew.
    :param event_log: giestack's own log, which is told its level and when to reopen.
    :raises OSError, ValueError: where a file of the configuration can't be used.
    """
    return Assembly(reactor, settings, demo_logins, load, event_log or EventLog()).giestack


class Assembly:
    """The parts of giestack, as the configuration wants them now.

    :ivar giestack: runs them.
    :ivar settings: what is in force.
    """

    def __init__(
        self,
        reactor: Any,
        settings: Settings,
        demo_logins: DemoLogins | None,
        load: Callable[[], Loaded] | None,
        event_log: EventLog,
    ) -> None:
        self.settings = settings
        self.giestack = Giestack()
        self._reactor = reactor
        self._demo_logins = demo_logins
        self._event_log = event_log
        self._in_thread = in_thread = threads_of(reactor)
        self._galaxy: Galaxy | None = None
        if settings.galaxy.database_connection is not None:
            self._galaxy = Galaxy(reactor, settings.galaxy, settings.proxy.session_cache, utcnow)
        self._host = self._galaxy or NoHost()
        self._tickets = tickets_of(settings)
        self._table = RouteTable(prefixes_of(settings.proxy, session_domain(settings)))
        traffic, mask = Traffic(reactor), masking_of(settings.proxy)
        log = settings.log
        self._access_log = AccessLog(
            traffic, log_target(log.access), mask, reactor, utcnow, in_thread
        )
        self._audit_log = AuditLog(log_target(log.audit), reactor, utcnow, in_thread)
        self._go_proxy = GoProxy(reactor, utcnow, in_thread, self._audit_log)
        self._maps = SessionMaps(
            self._table,
            self._go_proxy.opening(lambda at: source_for(at, "/", reactor, in_thread)),
            self._host.session_of,
        )
        self._endpoints = Endpoints(reactor, settings.proxy.limits.connect_timeout)
        ask = Ask(reactor, self._endpoints)
        self._galaxy_api: GalaxyApi | None = None
        if self._galaxy is not None and demo_logins is None:
            galaxy = self._galaxy
            self._galaxy_api = GalaxyApi(
                ask, galaxy.codec.encode, galaxy.spellings, settings.galaxy
            )
        self._spawner: Spawner | None = None
        self._figures: dict[str, Figures] = {}
        if settings.spawner is not None:
            self._spawner = make_spawner(
                reactor,
                settings,
                in_thread,
                ask,
                self._audit_log,
                self._host.api_key,
                self._figures,
            )
        self._chatting: Chatting | None = None
        chat = settings.chat
        if chat is not None:
            preference = self._galaxy.chat_preference if self._galaxy else None
            identify = self._galaxy.identify if self._galaxy else None
            self._chatting = Chatting(
                reactor, chat, self._audit_log, self._host.hold, preference, identify
            )
        self._streams = Streams(reactor)
        self._operations = ProxyOperations(
            lambda: self._front,
            self._table,
            self._spawner.entrances if self._spawner else tuple,
        )
        self._visits = Visits(traffic, self._audit_log, reactor, mask)
        rules, chat_rules, api = self._rules(settings)
        self._front = self._front_with(rules)
        self._chat_front = None if chat is None else self._front_with(chat_rules)
        self._lag = ReactorLag(reactor)
        self._admin = AdminSite(
            reactor, readiness=self._readiness(), metrics=self._metrics(traffic).text
        )
        self._admin_listeners = Listeners(reactor, settings.admin.listen, self._admin)
        self._door = Door(reactor, reactor, settings.proxy.listen, self._front)
        self._chat_door: Door | None = None
        if chat is not None and self._chat_front is not None:
            self._chat_door = Door(reactor, reactor, chat.listen, self._chat_front)
        self._configure(settings, api)
        self._add_parts()
        self.giestack.reopen_logs = self._reopen_logs
        if load is not None:
            self.giestack.reload = Reload(load, self.reconfigure, in_thread)

    def _front_with(self, rules: Rules) -> Front:
        """Make a front door; all of them end streams and conversations when they drain."""
        front = Front(
            self._reactor,
            pool=Pool(self._reactor, self._endpoints),
            hold=self._host.hold,
            watch=self._visits,
            utcnow=utcnow,
            **rules,
        )
        front.when_draining.append(self._streams.end_all)
        if self._chatting is not None:
            front.when_draining.append(self._chatting.chat.drain)
        return front

    def _add_parts(self) -> None:
        """In the order of their start; the proxy's door opens last, and so it closes first."""
        logs = [Part(log.start, log.stop) for log in (self._access_log, self._audit_log)]
        for part in (
            *(self._galaxy.parts() if self._galaxy else ()),
            Part(self._maps.start, self._maps.stop),
            # Stops before them: an engine that does not answer would keep its routes waiting.
            Part(lambda: None, self._go_proxy.stop),
            *logs,
            Part(self._lag.start, self._lag.stop),
            *([Part(self._spawner.open, self._spawner.close)] if self._spawner else ()),
            *([Part(self._chatting.start, self._chatting.stop)] if self._chatting else ()),
            self._admin_listeners,
            *([self._chat_door] if self._chat_door else ()),
            self._door,
        ):
            part.setServiceParent(self.giestack)

    # What the configuration says. All that can change while giestack runs is told the parts here.

    def _configure(self, settings: Settings, api: Api) -> None:
        """Tell the parts; nothing in here fails or takes long."""
        proxy, mask = settings.proxy, masking_of(settings.proxy)
        if self._galaxy is not None:
            self._galaxy.configure(settings.galaxy)
        if self._galaxy_api is not None:
            self._galaxy_api.configure(settings.galaxy)
        sessions = session_domain(settings)
        self._table.configure(prefixes_of(proxy, sessions), services_of(proxy))
        maps = self._go_proxy.maps(proxy, map_locations(proxy))
        self._maps.configure(maps, proxy.polling_interval)
        self._go_proxy.configure(settings)
        self._endpoints.configure(proxy.limits.connect_timeout)
        self._access_log.configure(mask)
        self._visits.configure(mask)
        self._admin.configure(settings.admin.token, api.control())
        if self._spawner is not None and settings.spawner is not None:
            self._spawner.configure(spawner_of(settings.spawner), settings.galaxy.url or "")
        if self._chatting is not None and settings.chat is not None:
            self._chatting.configure(settings.chat)
        self._event_log.level = LogLevel.levelWithName(settings.log.level)

    def _rules(self, settings: Settings) -> tuple[Rules, Rules, Api]:
        """Make what the front doors go by: that of all and that of the chat alone; and the API.

        The admin listener has the API too.
        """
        proxy, policy, chatting = settings.proxy, access_policy(settings), self._chatting
        links = links_of(settings, demo=self._demo_logins is not None)
        if chatting is not None:
            shown = settings.chat is not None and settings.chat.enabled
            links = replace(links, chat=shown, moderates=chatting.chat.moderates)
            policy = replace(policy, chat=True)
        refusals = RefusalPages(links, self._reactor)
        host, demo, spawner = self._host, self._demo_logins, self._spawner
        places = ToolPlaces(
            prefix=proxy.interactivetools_prefix, domains=proxy.interactivetools_domains
        )
        tools = Tools(host.entry_points, host.keys, self._table.find, places)
        stopping = None
        if self._galaxy_api is not None:
            stopping = Stopping(host.standing, self._galaxy_api.stop, self._audit_log)
        api = Api(
            refusals,
            tools,
            policy.origins,
            streams=self._streams,
            spawning=spawner,
            operations=self._operations,
            chat=None if chatting is None else chatting.chat,
            stopping=stopping,
        )
        chat_site = None
        if chatting is not None:
            chat_site = chatting.site(
                refusals, self._streams, policy.origins, spawning=spawner is not None
            )
        doctor = self._doctor(settings, refusals)
        site = make_site(
            self._reactor,
            refusals,
            tools,
            lambda: datetime.now(UTC),
            origins=policy.origins,
            demo=None if demo is None else DemoPage(refusals, demo),
            spawning=spawner,
            api=api,
            chat=chat_site,
            doctor=None if doctor is None else doctor.resource(),
            stopping=stopping,
        )
        if proxy.go_api.api_key is not None:
            site.resource.putChild(b"api", self._go_proxy.api.resource(refusals.answer))
        gate = Gate(
            self._table.locate,
            host.check,
            host.standing,
            policy,
            spawner.entrance if spawner else no_entrance,
            host.use_of(settings.galaxy),
            lambda: self._maps.known,
            lambda: spawner is None or spawner.knows_all,
            self._table.environment,
            None if self._tickets is None else host_login_of(settings, self._tickets, wall_seconds),
            host.check_key,
        )
        rules: Rules = {
            "decide": far_end_of(
                proxy, self._go_proxy.gate(proxy, gate, self._table.locate), policy
            ),
            "local": OwnPages(site, self._reactor),
            "refusal_page": refusals if doctor is None else doctor.refusal,
            "guarded": guarded_names(settings),
            "limits": limits_of(proxy),
            "trusted": TrustedPeers(proxy.trusted_proxies),
            "scheme": scheme_of(settings),
            "take_over": chatting.take_over if chatting else nobody,
        }
        chat_rules = rules.copy()
        if chat_site is not None:
            chat_rules["decide"] = Gate(in_chat_alone, host.check, host.standing, policy)
            chat_rules["local"] = OwnPages(make_chat_site(self._reactor, chat_site), self._reactor)
        return rules, chat_rules, api

    def _doctor(self, settings: Settings, refusals: RefusalPages) -> DoctorPages | None:
        """What answers ``giestack doctor``; None without a secret that they alone know."""
        secret = settings.secret or private_id_secret(settings.galaxy.id_secret)
        if secret is None:
            return None
        return DoctorPages(refusals, key_of(secret), wall_seconds, self._reactor)

    # Another configuration while giestack runs: first all that can fail, then all the rest.

    async def reconfigure(self, settings: Settings) -> None:
        """Take another configuration; connections that are open stay.

        :raises SettingsError: with every problem; then nothing has changed.
        """
        problems = needs_restart(self.settings, settings)
        if problems:
            raise SettingsError(problems)
        changes = Changes()
        with changes:
            certificates = await self._in_thread(self._open_files, settings, changes)
            if not self.giestack.running:
                return
            for key, listeners, endpoints in self._doors(settings):
                fresh = certificates[key]
                if fresh is not None:
                    changes.prepare(key, partial(listeners.prepare, endpoints, fresh))
            rules, chat_rules, api = self._rules(settings)
            changes.apply()
        self._configure(settings, api)
        self._front.configure(**rules)
        if self._chat_front is not None:
            self._chat_front.configure(**chat_rules)
        self.settings = settings

    def _open_files(
        self, settings: Settings, changes: Changes
    ) -> Mapping[str, Certificates | None]:
        """Open new logs and read certificates, in a thread; returns what was read by key."""
        old, new = self.settings.log, settings.log
        if new.access != old.access:
            changes.prepare("log.access", partial(opened, self._access_log, new.access))
        if new.audit != old.audit:
            changes.prepare("log.audit", partial(opened, self._audit_log, new.audit))
        return {
            key: changes.attempt(key, partial(listeners.read_certificates, endpoints))
            for key, listeners, endpoints in self._doors(settings)
        }

    def _doors(self, settings: Settings) -> Sequence[tuple[str, Listeners, Sequence[str]]]:
        doors: list[tuple[str, Listeners, Sequence[str]]] = [
            ("proxy.listen", self._door, settings.proxy.listen),
            ("admin.listen", self._admin_listeners, settings.admin.listen),
        ]
        if self._chat_door is not None and settings.chat is not None:
            doors.append(("chat.listen", self._chat_door, settings.chat.listen))
        return doors

    def _reopen_logs(self) -> None:
        for log in (self._access_log, self._audit_log, self._event_log):
            log.reopen()

    # Those who tell how giestack does.

    def _readiness(self) -> Readiness:
        return Readiness(
            self._reactor,
            draining=lambda: self._front.draining,
            maps=self._maps,
            ask_database=self._galaxy.ask if self._galaxy else None,
            says_why=(DatabaseUnavailable,),
            more=self._questions,
        )

    def _questions(self) -> Mapping[str, HealthAsk]:
        asked: dict[str, HealthAsk] = {}
        for part in (self._spawner, self._chatting):
            if part is not None:
                asked |= part.questions()
        return asked

    def _metrics(self, traffic: Traffic) -> Metrics:
        chatting = self._chatting
        return Metrics(
            traffic=traffic,
            clients=self._front,
            backends=self._front.pool,
            lag=self._lag,
            routes=self._maps,
            sessions=self._galaxy.sessions if self._galaxy else None,
            logs={"access": self._access_log, "audit": self._audit_log},
            open_tunnels=lambda: self._front.tunnels,
            spawned=self._spawner,
            figures=lambda: self._figures,
            chat=None
            if chatting is None
            else lambda: of_chat(chatting.chat, chatting.store, chatting.commits),
        )


def opened(log: LineLog[Any], where: LogTarget) -> Retargeting:
    """Open another target for a log, in a thread; raises OSError."""
    target = log_target(where)
    if target is not None:
        target.reopen()
    return Retargeting(log, target)


def make_data_dir(settings: Settings) -> None:
    """Make ``data_dir``, for nobody else to look into; OSError where that can't be done."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)


def wall_seconds() -> float:
    """The wall clock in seconds since 1970, the same on all nodes."""
    return datetime.now(UTC).timestamp()


def utcnow() -> datetime:
    """The wall clock, naive UTC as in Galaxy's tables."""
    return datetime.now(UTC).replace(tzinfo=None)


def threads_of(reactor: Any) -> InThread:
    """What runs a function in one of the reactor's few threads; for files, not for databases."""

    def in_thread(function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return deferToThreadPool(reactor, reactor.getThreadPool(), function, *args)

    return in_thread
