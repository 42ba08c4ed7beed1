"""Another configuration while giestack runs: when it is read, and when it is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from giestack.listening import CannotListen
from giestack.reload import Changes, Reload, needs_restart
from giestack.settings.load import Loaded
from giestack.settings.problems import Problem, SettingsError
from giestack.settings.schema import GalaxySettings, ProxySettings, Settings
from giestack.settings.spawner_schema import Engine, SpawnerSettings


class NeedsRestartTests(SynchronousTestCase):
    def paths(self, old: Settings, new: Settings) -> list[str]:
        problems = needs_restart(old, new)
        self.assertEqual({one.text for one in problems} - {"needs a restart"}, set())
        return [one.path for one in problems]

    def test_what_can_be_taken(self) -> None:
        new = Settings(
            galaxy=GalaxySettings(admin_users=("a@x",), url="https://g/", cookie_name="c"),
            proxy=ProxySettings(listen=("tcp:1",), allowed_origins=("https://o",)),
        )
        self.assertEqual(self.paths(Settings(), new), [])

    def test_what_can_not(self) -> None:
        new = Settings(
            secret="0123456789abcdef",
            galaxy=GalaxySettings(id_secret="other", database_connection="sqlite:////x"),
            proxy=ProxySettings(session_cache=1, prefix="/gs"),
            data_dir=Path("/elsewhere"),
        )
        self.assertEqual(
            self.paths(Settings(), new),
            [
                "secret",
                "data_dir",
                "galaxy.id_secret",
                "galaxy.database_connection",
                "proxy.prefix",
                "proxy.session_cache",
            ],
        )

    def test_sections_that_come_and_go(self) -> None:
        spawner = Settings(spawner=SpawnerSettings(per_user=1))
        self.assertEqual(self.paths(Settings(), spawner), ["spawner"])
        self.assertEqual(self.paths(spawner, Settings()), ["spawner"])

    def test_sections_that_stay(self) -> None:
        old = Settings(spawner=SpawnerSettings(per_user=1))
        self.assertEqual(self.paths(old, Settings(spawner=SpawnerSettings(per_user=2))), [])
        other = SpawnerSettings(engines=(Engine(name="e", docker_host="process:"),))
        new = replace(old, spawner=other)
        self.assertEqual(self.paths(old, new), ["spawner.engines"])
        # An engine can be drained while it is in use.
        draining = (replace(other.engines[0], drain=True),)
        self.assertEqual(self.paths(new, Settings(spawner=replace(other, engines=draining))), [])


class Prepared:
    """A change that says what becomes of it."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def apply(self) -> None:
        self.done.append("apply")

    def cancel(self) -> None:
        self.done.append("cancel")


class ChangesTests(SynchronousTestCase):
    def test_all_of_them(self) -> None:
        changes, first, second = Changes(), Prepared(), Prepared()
        with changes:
            changes.prepare("a", lambda: first)
            self.assertEqual(changes.attempt("b", lambda: "a value"), "a value")
            changes.prepare("c", lambda: second)
            self.assertEqual(first.done, [])
            changes.apply()
        self.assertEqual((first.done, second.done), (["apply"], ["apply"]))

    def test_or_none(self) -> None:
        changes, first, second = Changes(), Prepared(), Prepared()

        def missing() -> None:
            raise FileNotFoundError(2, "No such file or directory", "/nowhere")

        def taken() -> None:
            raise CannotListen("cannot listen on tcp:1: taken")

        def broken() -> Any:
            raise OSError(5, "Input/output error")

        def attempt() -> None:
            with changes:
                changes.prepare("a", lambda: first)
                for key, make in (("log.audit", missing), ("admin.listen", taken), ("x", broken)):
                    self.assertIsNone(changes.attempt(key, make))
                changes.prepare("b", lambda: second)
                changes.prepare("never", broken)
                changes.apply()

        error = self.assertRaises(SettingsError, attempt)
        self.assertEqual(
            str(error),
            "log.audit: /nowhere: No such file or directory\n"
            "admin.listen: cannot listen on tcp:1: taken\n"
            "x: Input/output error\n"
            "never: Input/output error",
        )
        self.assertEqual((first.done, second.done), (["cancel"], ["cancel"]))

    def test_what_nobody_thought_of(self) -> None:
        changes, first = Changes(), Prepared()

        def attempt() -> None:
            with changes:
                changes.prepare("a", lambda: first)
                raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, attempt)
        self.assertEqual(first.done, ["cancel"])


class ReloadTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.loaded: Any = Loaded(Settings(), ())
        self.configured: list[Settings] = []
        self.configuring: Deferred[None] | None = None
        self.reads = 0
        self.events = EventLoggingObserver()
        globalLogPublisher.addObserver(self.events)
        self.addCleanup(globalLogPublisher.removeObserver, self.events)
        self.reload = Reload(self.load, self.configure, maybeDeferred)

    def load(self) -> Loaded:
        self.reads += 1
        if isinstance(self.loaded, Exception):
            raise self.loaded
        found: Loaded = self.loaded
        return found

    async def configure(self, settings: Settings) -> None:
        self.configured.append(settings)
        if self.configuring is not None:
            await self.configuring

    def said(self) -> list[tuple[Any, str | None]]:
        return [
            (event["log_level"], formatEvent(event))
            for event in self.events
            if event.get("log_namespace") == "giestack.reload.Reload"
        ]

    def test_it_is_read_and_taken(self) -> None:
        self.loaded = Loaded(Settings(), (Problem("chat", "beware"),))
        self.successResultOf(self.reload())
        self.assertEqual(self.configured, [self.loaded.settings])
        self.assertEqual(
            self.said(),
            [
                (LogLevel.warn, "chat: beware"),
                (LogLevel.info, "The configuration was reloaded"),
            ],
        )

    def test_every_problem_is_a_line(self) -> None:
        self.loaded = SettingsError((Problem("proxy.lisen", "unknown", 3), Problem("a", "b")))
        self.successResultOf(self.reload())
        self.assertEqual(
            self.said(),
            [
                (LogLevel.error, "Reload refused: proxy.lisen: unknown (line 3)"),
                (LogLevel.error, "Reload refused: a: b"),
            ],
        )
        self.assertEqual(self.configured, [])

    def test_what_can_not_be_taken(self) -> None:
        self.configuring = fail(SettingsError((Problem("data_dir", "needs a restart"),)))
        self.successResultOf(self.reload())
        self.assertEqual(
            self.said(), [(LogLevel.error, "Reload refused: data_dir: needs a restart")]
        )

    def test_an_error_of_ours_is_not_the_end(self) -> None:
        self.loaded = ZeroDivisionError()
        self.successResultOf(self.reload())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.loaded = Loaded(Settings(), ())
        self.successResultOf(self.reload())
        self.assertEqual(len(self.configured), 1)

    def test_one_after_the_other(self) -> None:
        self.configuring = Deferred()
        first, second, third = self.reload(), self.reload(), self.reload()
        # Two that wait would read the same.
        self.successResultOf(third)
        self.assertNoResult(second)
        self.assertEqual(self.reads, 1)
        configuring, self.configuring = self.configuring, None
        configuring.callback(None)
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual((self.reads, len(self.configured)), (2, 2))
