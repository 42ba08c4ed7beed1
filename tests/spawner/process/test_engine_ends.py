"""Local sessions end, and nothing of them is left."""

import os
import signal

from twisted.internet import reactor  # noqa: TID251 - real processes need it
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread

from giestack.spawner.engine import Ended, EngineError
from giestack.spawner.process import engine as module
from giestack.spawner.process.engine import ProcessEngine
from giestack.spawner.process.family import sweep
from tests.demo.place import new_folder
from tests.demo.processes import ORPHAN, Watched
from tests.spawner.process.local import (
    EngineTestCase,
    marked,
    shell,
)


class EndTests(EngineTestCase):
    """Who ends with whom."""

    async def test_family_ends_with_the_session(self):
        orphan = Watched(self, int(await self.line(shell(f"{ORPHAN}; sleep 1000"))))
        await self.engine.stop("s1", 2)
        self.assertTrue(orphan.has_ended(0))

    async def test_time_to_end(self):
        script = "trap 'echo bye > bye; exit' TERM; echo ready; while :; do sleep 0.01; done"
        await self.line(shell(script))
        await self.engine.stop("s1", 10)
        self.assertTrue((self.data_dir / "homes" / "galaxy-12" / "bye").exists())
        self.assertEqual(self.ends, [])

    async def test_stop_sooner(self):
        await self.line(shell("trap '' TERM; echo ready; while :; do sleep 1000; done"))
        slow, fast = self.engine.stop("s1", 60), self.engine.stop("s1", 0.1)
        await gatherResults([slow, fast]).addTimeout(10, reactor)

    async def test_reaper_is_killed(self):
        """Then those are found by their mark who are nobody's children any more."""
        numbers = await self.line(shell(f"echo $( {ORPHAN} ) $PPID; sleep 1000"))
        orphan, reaper = (Watched(self, int(number)) for number in numbers.split())
        os.kill(reaper.pid, signal.SIGKILL)
        ended = await self.told.addTimeout(20, reactor)
        self.assertEqual(ended, Ended(137, "killed by signal 9 (SIGKILL)"))
        self.assertTrue(orphan.has_ended(0))
        run = self.data_dir / "run" / "s1"
        self.assertTrue(run.exists())
        await self.engine.stop("s1", 1)
        self.assertFalse(run.exists())

    async def test_reaper_is_killed_and_stopped_meanwhile(self):
        numbers = await self.line(shell(f"echo $( {ORPHAN} ) $PPID; sleep 1000"))
        orphan, reaper = (Watched(self, int(number)) for number in numbers.split())
        stopped: Deferred[None] = Deferred()

        def in_thread(function, *arguments):
            if function is sweep:
                self.engine.stop("s1", 1).chainDeferred(stopped)
            return deferToThread(function, *arguments)

        self.engine._in_thread = in_thread
        os.kill(reaper.pid, signal.SIGKILL)
        await stopped.addTimeout(20, reactor)
        self.assertTrue(orphan.has_ended(0))
        self.assertEqual(self.ends, [])

    async def test_sweep_fails(self):
        reaper = int(await self.line(shell("echo $PPID; exec sleep 1000")))

        def fail(*arguments):
            raise RuntimeError("no /proc today")

        with self.patch(module, "sweep", fail):
            os.kill(reaper, signal.SIGKILL)
            await self.told.addTimeout(20, reactor)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    async def test_next_giestack_sweeps(self):
        """Both giestack and the reaper were killed."""
        numbers = await self.line(shell(f"echo $( {ORPHAN} ) $PPID; sleep 1000"))
        orphan = Watched(self, int(numbers.split()[0]))
        before, self.engine = self.engine, self.make_engine()
        assert before._folders._lock is not None
        os.close(before._folders._lock)
        before._folders._lock = None
        left = self.data_dir / "run" / "s0"
        left.mkdir()
        self.assertEqual(await self.engine.open(self.ended), [])
        self.assertTrue(orphan.has_ended(0))
        self.assertFalse(left.exists())
        await self.told.addTimeout(20, reactor)
        # Its folder is the other's now.
        self.patch(before._folders, "close", lambda: None)
        await before.close()

    async def test_another_giestack_is_left_alone(self):
        watched = Watched(self, int(await self.line(shell("echo $$; sleep 1000"))))
        other = ProcessEngine(
            "local", reactor, reactor, deferToThread, new_folder(self), "mark", os.environ
        )
        await other.open(self.ended)
        await other.close()
        same = self.make_engine()
        try:
            await same.open(self.ended)
        except EngineError as error:
            self.assertIn("Another giestack", str(error))
        else:
            self.fail("two engines in one folder")
        self.assertFalse(watched.has_ended(0))

    async def test_what_stays(self):
        """A folder that cannot be removed: the session stays, and can be stopped again."""
        await self.start(shell("sleep 1000"))

        def refuse(session_id):
            raise EngineError("it cannot be removed")

        with self.patch(self.engine._folders, "remove", refuse):
            for _ in range(2):
                try:
                    await self.engine.stop("s1", 1)
                except EngineError:
                    pass
                else:
                    self.fail("it is not gone")
            self.assertEqual(len(await self.engine.sessions()), 1)
        await self.engine.stop("s1", 1)
        self.assertEqual(list(await self.engine.sessions()), [])

    async def test_close_has_no_time_for_a_million_files(self):
        await self.start(shell("sleep 1000"))
        told: list[float] = []
        with self.patch(self.engine._folders, "hurry", told.append):
            closing = self.engine.close()
            # At once: what is under way may take its time, too.
            self.assertEqual(told, [7.0])
            await closing

    async def test_close_with_something_that_stays(self):
        await self.start(shell("sleep 1000"))

        def refuse(session_id):
            raise EngineError("it cannot be removed")

        with self.patch(self.engine._folders, "remove", refuse):
            await self.engine.close()
        self.assertEqual(marked(self.engine), [])
        self.engine._sessions.clear()
