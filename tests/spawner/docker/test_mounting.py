"""The program that mounts is started, asked and ended."""

import os
import signal
import sys
from pathlib import Path
from typing import Any, cast

from twisted.internet import reactor  # noqa: TID251 - there is a process
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from giestack.docker.location import Location
from giestack.spawner.docker import mounting
from giestack.spawner.docker.mounting import Mounting, MountingError, Placed, why_not
from tests.demo.processes import Watched
from tests.spawner.docker.contained import CONTAINER, Contained

REAL = mounting._PROGRAM
BELIEVES = REAL.replace(
    "sys.exit(main())",
    "from giestack.spawner.docker import mounter; "
    f"mounter.names_container = lambda text, container: container == {CONTAINER!r}; "
    "sys.exit(main())",
)


class WhyNotTests(SynchronousTestCase):
    def test_root_beside_the_engine_may(self):
        self.assertEqual(why_not(Location("unix:///run/docker.sock"), 0), "")

    def test_others_may_not(self):
        self.assertIn("root", why_not(Location("unix:///run/docker.sock"), 1000))

    def test_engines_elsewhere(self):
        self.assertIn("another machine", why_not(Location("tcp://127.0.0.1:2375"), 0))

    def test_other_systems(self):
        self.patch(sys, "platform", "freebsd14")
        self.assertIn("Linux", why_not(Location("unix:///run/docker.sock"), 0))


class MountingTests(TestCase):
    """With the real program."""

    def setUp(self):
        self.patch(mounting, "_PROGRAM", BELIEVES)
        self.mounting = Mounting(reactor, reactor, "")
        self.addCleanup(lambda: self.mounting.close())
        self.contained = Contained(self)

    def children(self):
        listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii")
        return {int(number) for number in listed.split()}

    async def put(self, *mounts, folder="", **files):
        await self.mounting.put(self.contained.pid, CONTAINER, mounts, folder, files)

    def placed(self, source, **more):
        return Placed(str(source), str(self.contained.home), **more)

    async def failure(self, work):
        try:
            await work
        except MountingError as error:
            return error
        return self.fail("it was done")

    async def test_homes_and_files(self):
        contained = self.contained
        home, folder = contained.new_home(file="mine"), contained.new_home("secrets")
        await self.put(self.placed(home, filled=True), folder=str(folder), TOKEN="s3cret")
        self.assertEqual(contained.lists(), "['file']")
        self.assertEqual((folder / "TOKEN").read_text(), "s3cret")

    async def test_what_a_rehearsal_finds_is_carried_over(self):
        contained = self.contained
        contained.ask("os.mkdir('run')")
        placeholder = self.placed(contained.placeholder)
        (made,) = await self.mounting.rehearse(contained.pid, CONTAINER, [placeholder], "", "")
        home = contained.new_home(file="mine")
        await self.put(self.placed(home, made=made))
        self.assertEqual(contained.lists(), "['file', 'run']")

    async def test_read_only(self):
        await self.put(self.placed(self.contained.new_home(file="mine"), read_only=True))
        self.assertEqual(self.contained.ask("os.access('.', os.W_OK)"), "False")

    async def test_reasons(self):
        error = await self.failure(self.put(self.placed(self.contained.new_home(), filled=True)))
        self.assertEqual(error.reason, "empty")
        self.contained.ask("globals().update(held=open('held', 'w'))")
        error = await self.failure(self.put(self.placed(self.contained.new_home("other"))))
        self.assertEqual(error.reason, "busy")
        self.assertIn(str(self.contained.home), str(error))

    async def test_many_at_once(self):
        contained = [Contained(self) for _ in range(4)]
        works = []
        for one in contained:
            home = one.new_home(file="x")
            placed = Placed(str(home), str(one.home))
            works.append(
                Deferred.fromCoroutine(self.mounting.put(one.pid, CONTAINER, [placed], "", {}))
            )
        for work in works:
            await work
        self.assertEqual([one.lists() for one in contained], ["['file']"] * 4)

    async def test_one_program_for_all(self):
        before = self.children()
        for name in ("one", "two"):
            await self.put(self.placed(self.contained.new_home(name)))
        self.assertEqual(len(self.children() - before), 1)

    async def test_nothing_runs_before_it_is_needed(self):
        before = self.children()
        await Mounting(reactor, reactor, "").close()
        self.assertEqual(self.children(), before)

    async def program(self):
        before = self.children()
        await self.put(self.placed(self.contained.new_home("first")))
        (number,) = self.children() - before
        return Watched(self, number)

    async def test_it_gets_nothing_of_our_environment(self):
        self.patch(os, "environ", {**os.environ, "SECRET": "1"})
        os.putenv("SECRET", "1")
        self.addCleanup(os.unsetenv, "SECRET")
        program = await self.program()
        environ = Path(f"/proc/{program.pid}/environ").read_bytes()
        self.assertNotIn(b"SECRET", environ)
        self.assertNotIn(b"PATH", environ)

    async def test_it_ends_when_it_is_closed(self):
        program = await self.program()
        await self.mounting.close()
        self.assertTrue(program.has_ended(0))

    async def test_one_that_was_killed_is_replaced(self):
        program = await self.program()
        os.kill(program.pid, signal.SIGKILL)
        self.assertTrue(program.has_ended())
        # It is known by now, or found out by asking.
        home = self.contained.new_home("second", file="x")
        try:
            await self.put(self.placed(home))
        except MountingError:
            await self.put(self.placed(home))
        self.assertEqual(self.contained.lists(), "['file']")

    async def test_the_real_program_believes_nobody(self):
        self.patch(mounting, "_PROGRAM", REAL)
        error = await self.failure(self.put(self.placed(self.contained.new_home())))
        self.assertEqual(error.reason, "foreign")

    async def test_not_where_it_can_not_be(self):
        mounting = Mounting(reactor, reactor, "giestack is not run by root")
        before = self.children()
        error = await self.failure(mounting.put(1, CONTAINER, [], "", {}))
        self.assertIn("not run by root", str(error))
        self.assertEqual(self.children(), before)


class NoProgramTests(SynchronousTestCase):
    """Without any process."""

    def setUp(self):
        self.reactor = cast(Any, MemoryReactorClock())
        self.written = []
        self.signals = []
        self.programs = []
        self.reactor.spawnProcess = self.spawn
        self.mounting = Mounting(self.reactor, self.reactor, "")

    def spawn(self, protocol, executable, arguments, env, childFDs):
        self.programs.append(protocol)
        protocol.makeConnection(self)

    def writeToChild(self, number, data):
        self.written.append(data)

    def closeStdin(self):
        self.signals.append("closed")

    def signalProcess(self, name):
        self.signals.append(name)

    def put(self):
        return Deferred.fromCoroutine(self.mounting.put(1, CONTAINER, [], "", {}))

    def test_patience_ends(self):
        work = self.put()
        self.reactor.advance(mounting.PATIENCE)
        self.assertIn("within 5 s", str(self.failureResultOf(work, MountingError).value))

    def test_a_late_answer_is_nobodys(self):
        work = self.put()
        self.reactor.advance(mounting.PATIENCE)
        self.failureResultOf(work, MountingError)
        self.programs[0].outReceived(b'{"id": 1, "done": true}\n')
        second = self.put()
        self.programs[0].outReceived(b'{"id": 2, "done": true}\n')
        self.successResultOf(second)

    def test_answers_in_pieces_and_in_any_order(self):
        works = [self.put(), self.put()]
        self.programs[0].outReceived(b'{"id": 2, "done')
        self.assertNoResult(works[1])
        self.programs[0].outReceived(b'": true}\n{"id": 1, "done": true}\n')
        for work in works:
            self.successResultOf(work)

    def test_its_end_ends_the_waiting(self):
        works = [self.put(), self.put()]
        self.programs[0].processEnded(Failure(ProcessDone(0)))
        for work in works:
            self.assertEqual(self.failureResultOf(work, MountingError).value.reason, "failed")
        self.put().addErrback(lambda _: None)
        self.assertEqual(len(self.programs), 2)

    def test_nobody_need_wait(self):
        work = self.put()
        work.cancel()
        self.failureResultOf(work, CancelledError)
        self.programs[0].outReceived(b'{"id": 1, "done": true}\n')

    def test_by_force_if_need_be(self):
        self.put().addErrback(lambda _: None)
        closed = self.mounting.close()
        self.assertEqual(self.signals, ["closed"])
        self.assertNoResult(closed)
        self.reactor.advance(2)
        self.assertEqual(self.signals, ["closed", "KILL"])
        self.programs[0].processEnded(Failure(ProcessDone(0)))
        self.successResultOf(closed)

    def test_one_that_ended_just_now_needs_no_force(self):
        def signal_nobody(name):
            raise ProcessExitedAlready

        self.put().addErrback(lambda _: None)
        closed = self.mounting.close()
        self.patch(self, "signalProcess", signal_nobody)
        self.reactor.advance(2)
        self.programs[0].processEnded(Failure(ProcessDone(0)))
        self.successResultOf(closed)

    def test_no_process_can_be_started(self):
        def none(*_, **__):
            raise OSError(11, "Resource temporarily unavailable")

        self.reactor.spawnProcess = none
        error = self.failureResultOf(self.put(), MountingError).value
        self.assertIn("Resource temporarily unavailable", str(error))
        self.successResultOf(self.mounting.close())
