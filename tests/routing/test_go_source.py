"""The Go API's routes: kept, used, ended."""

import os
import stat
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, execute, fail
from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from giestack.routing.environments import EnvironmentRoute
from giestack.routing.go_routes import GoRoute, read_xml
from giestack.routing.go_source import CannotKill, GoSource
from giestack.routing.source import SourceRoutes
from tests.routing.test_go_routes import GOS_OWN

COOKIE = "c6ca0ddb55be603a" * 5
NOON = datetime(2026, 5, 4, 12)
JUPYTER = GoRoute("/jupyter", "localhost:32768", COOKIE, ("abc", "def"))
RSTUDIO = GoRoute("/rstudio", "localhost:32769", COOKIE, ("ghi",))


class SourceTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.events = EventLoggingObserver()
        globalLogPublisher.addObserver(self.events)
        self.addCleanup(globalLogPublisher.removeObserver, self.events)
        self.clock = Clock()
        self.published: list[Sequence[EnvironmentRoute]] = []
        self.killed: list[tuple[str, ...]] = []
        self.ended: list[tuple[GoRoute, float]] = []
        self.refusing = ""
        self.path = Path(self.mktemp()).absolute()

    async def kill(self, containers: Sequence[str]) -> None:
        if self.refusing:
            raise CannotKill(self.refusing)
        self.killed.append(tuple(containers))

    def source(self, path: Path | None = None, in_thread: Any = execute) -> GoSource:
        def publish(routes: SourceRoutes) -> None:
            self.assertEqual(routes.entry_points, {})
            assert routes.environments is not None
            self.published.append(routes.environments)

        source = GoSource(
            str(path) if path else None,
            self.clock,
            lambda: NOON,
            in_thread,
            self.kill,
            lambda route, idle: self.ended.append((route, idle)),
        )
        source.limit(60, 10)
        source.start(publish)
        return source

    def then(self, seconds: int) -> None:
        self.clock.pump([1] * seconds)

    def paths(self) -> list[bytes]:
        return [route.path for route in self.published[-1]]

    def said(self) -> list[str]:
        texts = [formatEvent(event) for event in self.events]
        for event, text in zip(self.events, texts, strict=True):
            self.assertNotIn(COOKIE[:8], text + repr(event))
        self.events._events.clear()
        return texts

    def written(self) -> list[GoRoute]:
        return list(read_xml(self.path.read_text())[0])


class MemoryTests(SourceTestCase):
    def test_it_is_known_to_be_empty_at_once(self) -> None:
        source = self.source()
        self.assertEqual(self.published, [()])
        self.assertTrue(source.known)
        source.configure(5)
        self.assertEqual(source.health(), (True, "0 environments of the Go API, in memory only"))

    def test_routes_are_published_in_their_order(self) -> None:
        source = self.source()
        source.add(JUPYTER)
        source.add(RSTUDIO)
        self.assertEqual(self.paths(), [b"/jupyter", b"/rstudio"])
        self.assertEqual(source.rows, 2)
        self.assertIsNone(self.successResultOf(source.stop()))

    def test_when_they_were_used(self) -> None:
        source = self.source()
        source.add(JUPYTER)
        self.then(5)
        source.add(RSTUDIO)
        seen = [(route.path, (NOON - last).total_seconds()) for route, last in source.routes()]
        self.assertEqual(seen, [("/jupyter", 5), ("/rstudio", 0)])


class IdleTests(SourceTestCase):
    def test_what_nobody_uses_is_killed_and_gone(self) -> None:
        source = self.source()
        source.add(JUPYTER)
        self.then(60)
        self.assertEqual(self.killed, [])
        self.then(10)
        self.assertEqual(self.killed, [("abc", "def")])
        self.assertEqual((self.paths(), source.rows), ([], 0))
        self.assertEqual(self.ended, [(JUPYTER, 70)])
        self.assertEqual(
            self.said(),
            ["Nobody has used /jupyter at localhost:32768 for 70 s: killed abc, def"],
        )
        self.then(100)
        self.assertEqual(len(self.killed), 1)

    def test_requests_and_bytes_are_use(self) -> None:
        source = self.source()
        source.add(JUPYTER)
        use = self.published[-1][0].use
        assert use is not None
        self.then(50)
        touch = use(b"GET", b"/jupyter/tree")
        assert touch is not None
        self.then(50)
        touch()
        self.then(59)
        self.assertEqual(self.killed, [])
        self.then(11)
        self.assertEqual(self.killed, [("abc", "def")])

    def test_an_engine_that_does_not_answer_is_asked_again(self) -> None:
        source = self.source()
        source.add(JUPYTER)
        self.refusing = "nothing answers"
        self.then(100)
        self.assertEqual(self.paths(), [b"/jupyter"])
        ok, text = source.health()
        # Visitors do not notice.
        self.assertTrue(ok)
        self.assertIn("nothing answers", text)
        self.assertEqual(len(self.said()), 1)
        self.refusing = ""
        self.then(10)
        self.assertEqual((self.killed, self.paths()), ([("abc", "def")], []))
        self.assertNotIn("nothing answers", source.health()[1])

    def test_a_container_that_another_route_uses_is_left_alone(self) -> None:
        source = self.source()
        source.add(JUPYTER)
        source.add(replace(JUPYTER, path="/other", containers=("def", "xyz")))
        use = self.published[-1][1].use
        assert use is not None
        for _ in range(7):
            self.then(10)
            use(b"GET", b"/other/")
        self.assertEqual((self.killed, self.paths()), ([("abc",)], [b"/other"]))
        self.assertEqual(self.ended[0][0].containers, ("abc",))
        self.then(70)
        self.assertEqual(self.killed[1:], [("def", "xyz")])

    def test_a_port_that_has_become_another_visitors(self) -> None:
        source = self.source()
        source.add(JUPYTER)
        source.add(replace(JUPYTER, cookie="f" * 64, containers=("new",)))
        self.assertEqual([route.cookie for route in self.published[-1]], ["f" * 64])
        self.then(70)
        self.assertEqual(self.killed, [("abc", "def"), ("new",)])

    def test_a_route_that_is_told_again_is_one(self) -> None:
        source = self.source()
        source.add(JUPYTER)
        source.add(RSTUDIO)
        self.then(50)
        source.add(JUPYTER)
        self.assertEqual((self.paths(), source.rows), ([b"/rstudio", b"/jupyter"], 2))
        self.then(50)
        self.assertEqual((self.killed, self.paths()), ([RSTUDIO.containers], [b"/jupyter"]))

    def test_somebody_comes_while_another_one_is_ended(self) -> None:
        source = self.source()
        source.add(RSTUDIO)
        source.add(JUPYTER)
        use = self.published[-1][1].use
        assert use is not None
        slow: Deferred[None] = Deferred()
        kill = source._kill

        async def slowly(containers: Sequence[str]) -> None:
            await slow
            await kill(containers)

        source._kill = slowly
        self.then(70)
        use(b"GET", b"/jupyter/")
        slow.callback(None)
        self.assertEqual((self.killed, self.paths()), ([RSTUDIO.containers], [b"/jupyter"]))

    def test_engines_that_refuse_in_different_words_are_said_once(self) -> None:
        source = self.source()

        async def refuse(containers: Sequence[str]) -> None:
            raise CannotKill(f"not {containers[0]}")

        source._kill = refuse
        source.add(JUPYTER)
        source.add(RSTUDIO)
        use = self.published[-1][0].use
        assert use is not None
        self.then(200)
        self.assertEqual(len(self.said()), 2)
        for text in ("not abc", "not ghi"):
            self.assertIn(text, source.health()[1])
        use(b"GET", b"/jupyter/")
        self.then(10)
        self.assertEqual(self.said(), ["Go API: all is well again (kill abc, def)"])
        self.assertNotIn("not abc", source.health()[1])

    def test_without_containers(self) -> None:
        source = self.source()
        source.add(GoRoute("/x", "h:1", COOKIE))
        self.then(70)
        self.assertEqual(self.paths(), [])
        self.assertIn("killed nothing, as it has no containers of its own", self.said()[0])

    def test_other_limits(self) -> None:
        source = self.source()
        source.add(JUPYTER)
        source.limit(5, 1)
        self.then(6)
        self.assertEqual(self.killed, [("abc", "def")])
        source.limit(5, 1)
        self.successResultOf(source.stop())
        source.limit(5, 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_nobody_thought_of_does_not_end_the_looks(self) -> None:
        source = self.source()

        async def broken(containers: Sequence[str]) -> None:
            raise ZeroDivisionError

        kill, source._kill = source._kill, broken
        source.add(JUPYTER)
        self.then(70)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        source._kill = kill
        self.then(10)
        self.assertEqual(self.killed, [("abc", "def")])


class FileTests(SourceTestCase):
    def test_it_is_read_at_the_start(self) -> None:
        self.path.write_text(GOS_OWN)
        source = self.source(self.path)
        self.assertEqual(self.paths(), [b"/jupyter"])
        self.assertEqual((source.reads, source.errors, source.known), (1, 0, True))
        self.assertEqual(source.health(), (True, f"{self.path}: 1 environments of the Go API"))
        # Whatever the file says, everybody has the whole time again.
        self.then(60)
        self.assertEqual(self.killed, [])
        self.then(10)
        self.assertEqual(self.killed, [("abc", "def")])
        self.assertEqual(self.written(), [])

    def test_each_change_is_written_for_nobody_else_to_read(self) -> None:
        source = self.source(self.path)
        self.assertFalse(self.path.exists())
        source.add(JUPYTER)
        self.assertEqual(self.written(), [JUPYTER])
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.path.chmod(0o644)
        source.add(RSTUDIO)
        self.assertEqual(self.written(), [JUPYTER, RSTUDIO])
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.assertEqual(os.listdir(self.path.parent).count(self.path.name), 1)
        again = self.source(self.path)
        self.assertEqual([route for route, _ in again.routes()], [JUPYTER, RSTUDIO])

    def test_use_is_written_at_the_end_and_not_before(self) -> None:
        source = self.source(self.path)
        source.add(JUPYTER)
        use = self.published[-1][0].use
        assert use is not None
        before = self.path.read_text()
        self.then(20)
        use(b"GET", b"/")
        self.then(5)
        self.assertEqual(self.path.read_text(), before)
        self.successResultOf(source.stop())
        self.assertIn("2026-05-04T11:59:55", self.path.read_text())

    def test_a_file_that_cannot_be_read_is_left_alone(self) -> None:
        self.path.write_text("<html/>")
        source = self.source(self.path)
        self.assertFalse(source.known)
        source.add(RSTUDIO)
        self.then(20)
        self.assertEqual(self.path.read_text(), "<html/>")
        self.assertEqual(self.paths(), [b"/rstudio"])
        ok, text = source.health()
        self.assertFalse(ok)
        self.assertIn("is XML, but html", text)
        self.assertEqual(len(self.said()), 1)
        self.path.write_text(GOS_OWN)
        self.then(10)
        self.assertEqual(self.paths(), [b"/jupyter", b"/rstudio"])
        self.assertEqual(self.written(), [JUPYTER, RSTUDIO])
        self.assertTrue(source.health()[0])

    def test_a_folder_in_its_place(self) -> None:
        self.path.mkdir()
        source = self.source(self.path)
        self.assertIn("is no file", source.health()[1])
        self.successResultOf(source.stop())

    def test_no_file_in_its_place(self) -> None:
        # To read either would take for ever.
        self.path.symlink_to("/dev/zero")
        source = self.source(self.path)
        self.assertIn("is no file", source.health()[1])
        self.path.unlink()
        os.mkfifo(self.path)
        self.then(10)
        self.assertIn("is no file", source.health()[1])
        self.path.unlink()
        self.then(10)
        self.assertEqual((source.health()[0], source.known), (True, True))

    def test_bad_routes_are_said(self) -> None:
        self.path.write_text(GOS_OWN.replace("localhost:32768", "localhost"))
        self.source(self.path)
        self.assertEqual(
            self.said(), [f"{self.path}: route number 1 left out: its address is not HOST:PORT"]
        )

    def test_many_bad_routes_are_counted(self) -> None:
        self.path.write_text(f"<RouteMapping><Routes>{'<Route/>' * 50}</Routes></RouteMapping>")
        self.source(self.path)
        said = self.said()
        self.assertEqual((len(said), said[-1]), (11, f"{self.path}: 40 more routes left out"))

    def test_a_file_that_cannot_be_written(self) -> None:
        folder = self.path / "not" / "there"
        source = self.source(folder / "map.xml")
        source.add(JUPYTER)
        self.assertEqual(self.paths(), [b"/jupyter"])
        self.then(10)
        self.assertIn("cannot be written", source.health()[1])
        self.assertEqual(len(self.said()), 1)
        folder.mkdir(parents=True)
        self.then(10)
        self.assertTrue((folder / "map.xml").exists())
        self.assertTrue(source.health()[0])

    def test_nothing_stays_behind_where_writing_fails(self) -> None:
        self.path.mkdir()
        source = self.source(self.path / "map.xml")

        def fsync(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        self.patch(os, "fsync", fsync)
        source.add(JUPYTER)
        self.assertIn("No space left", source.health()[1])
        self.assertEqual(os.listdir(self.path), [])

    def test_what_a_sudden_end_has_left_behind(self) -> None:
        self.path.mkdir()
        victim = self.path / "victim"
        victim.write_text("not ours")
        (self.path / "map.xml.new").symlink_to(victim)
        self.source(self.path / "map.xml").add(JUPYTER)
        self.assertEqual(sorted(os.listdir(self.path)), ["map.xml", "victim"])
        self.assertEqual(victim.read_text(), "not ours")

    def test_a_pool_that_has_gone(self) -> None:
        gone: list[bool] = []
        source = self.source(
            self.path, lambda f, *a: fail(RuntimeError()) if gone else execute(f, *a)
        )
        gone.append(True)
        source.add(JUPYTER)
        self.assertIn("cannot be written, which is tried again: RuntimeError", source.health()[1])
        self.assertIsNone(self.successResultOf(source.stop()))


class ThreadTests(SourceTestCase):
    def test_changes_while_the_file_is_written(self) -> None:
        waiting: list[tuple[Any, Deferred[Any]]] = []

        def in_thread(function: Any, *args: Any) -> Deferred[Any]:
            done: Deferred[Any] = Deferred()
            waiting.append((lambda: function(*args), done))
            return done

        def work() -> None:
            [(function, done)] = waiting[:]
            waiting.clear()
            execute(function).chainDeferred(done)

        source = self.source(self.path, in_thread)
        source.add(JUPYTER)
        work()  # reads that there is no file
        work()
        self.assertEqual(self.written(), [JUPYTER])
        other, another = replace(RSTUDIO, path="/other"), replace(RSTUDIO, path="/another")
        for route in (RSTUDIO, other, another):
            source.add(route)
        stopped = source.stop()
        work()
        self.assertNoResult(stopped)
        work()
        self.assertIsNone(self.successResultOf(stopped))
        self.assertEqual(self.written(), [JUPYTER, RSTUDIO, other, another])
        self.assertEqual(waiting, [])
