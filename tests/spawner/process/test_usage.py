"""Memory and CPU time of a process and all its descendants."""

import os
from pathlib import Path

from twisted.internet.defer import Deferred, execute, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.engine import Stats
from giestack.spawner.process import usage as module
from giestack.spawner.process.usage import Usage, measure
from tests.demo.place import new_folder
from tests.demo.processes import number_from, python, started

BUSY = (
    "import os, subprocess, sys\n"
    "data = bytearray(os.urandom(1000)) * 20_000\n"
    "while os.times().user < 0.3: pass\n"
    "print(os.getpid(), flush=True)\n"
    "sys.stdin.read()"
)


class MeasureTests(SynchronousTestCase):
    def test_family(self):
        root = started(self, ["sh", "-c", '$0 -c "$1"; exit 1', *python(BUSY)[::2]])
        child = number_from(root)
        self.assertNotEqual(child, root.pid)
        found = measure([root.pid, os.getpid()])
        memory, cpu = found[root.pid]
        self.assertGreater(memory, 20_000_000)
        self.assertLess(memory, 60_000_000)
        self.assertGreaterEqual(cpu, 0.3)
        self.assertGreater(found[os.getpid()][0], memory - 1_000_000)
        # Its own memory is not its descendants'.
        self.assertEqual(measure([child])[child][0], 0)

    def test_cpu_time_of_those_who_have_ended(self):
        script = '$0 -c "$1" </dev/null; echo $$; read wait'
        root = started(self, ["sh", "-c", script, *python(BUSY)[::2]])
        number_from(root)
        self.assertEqual(number_from(root), root.pid)
        self.assertGreaterEqual(measure([root.pid])[root.pid][1], 0.3)

    def test_not_there(self):
        self.assertEqual(measure([2**22 + 1]), {})
        self.assertEqual(measure([]), {})

    def test_strange_table(self):
        proc = new_folder(self)
        for pid in (1, 2, 3, 4, 5):
            (proc / str(pid)).mkdir(parents=True)
        pages = ["0"] * 9
        for pid, parent, rss in ((1, 0, 7), (2, 1, 3), (3, 2, 5)):
            fields = ["S", str(parent), *["0"] * 9, "1", "2", "3", "4", *["0"] * 6, str(rss)]
            (proc / str(pid) / "stat").write_text(f"{pid} (x) y (z) {' '.join(fields + pages)}\n")
        (proc / "4" / "stat").write_text("4 (x) S one\n")
        (proc / "2" / "smaps_rollup").write_text("00 ---p 00 [rollup]\nRss: 9 kB\nPss: 2 kB\n")
        (proc / "self").mkdir()
        self.patch(module, "_PROC", proc)
        page, ticks = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")
        # Where PSS can't be read, or is not told, it is RSS.
        self.assertEqual(measure([1, 4, 9]), {1: (2048 + 5 * page, 30 / ticks)})
        (proc / "2" / "smaps_rollup").write_text("")
        self.assertEqual(measure([1]), {1: (8 * page, 30 / ticks)})

    def test_no_proc(self):
        self.patch(module, "_PROC", Path("/nonexistent"))
        self.assertEqual(measure([os.getpid()]), {})

    def test_each_process_is_read_once(self):
        roots = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
        self.assertGreater(len(roots), 5)
        calls: list[int] = []
        real = module._read

        def read(pid):
            calls.append(pid)
            return real(pid)

        self.patch(module, "_read", read)
        measure(roots)
        self.assertEqual(len(calls), len(set(calls)))


class UsageTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.clock.advance(1000)
        self.found = {7: (100, 5.0), 8: (200, 1.0)}
        self.looks = []
        self.patch(module, "measure", self.measure)
        self.usage = Usage(execute, self.clock)

    def measure(self, roots):
        self.looks.append(sorted(roots))
        return {root: self.found[root] for root in roots if root in self.found}

    def ask(self, root=7):
        asked = self.usage.of(root)
        self.clock.advance(0)
        return self.successResultOf(asked)

    def test_first(self):
        self.assertEqual(self.ask(), Stats(100, None))

    def test_share(self):
        self.ask()
        self.clock.advance(10)
        self.found[7] = 300, 20.0
        self.assertEqual(self.ask(), Stats(300, 1.5))
        self.clock.advance(10)
        self.assertEqual(self.ask(), Stats(300, 0.0))

    def test_asked_again_at_once(self):
        self.ask()
        self.assertEqual(self.ask(), Stats(100, 0.0))
        self.clock.advance(0.5)
        self.found[7] = 100, 5.5
        self.assertEqual(self.ask(), Stats(100, 1.0))
        # Not the last half second, in which a tick more or less would be seen.
        self.clock.advance(0.5)
        self.assertEqual(self.ask(), Stats(100, 0.5))

    def test_never_less_than_nothing(self):
        self.ask()
        self.clock.advance(2)
        self.found[7] = 100, 1.0
        self.assertEqual(self.ask(), Stats(100, 0.0))

    def test_not_there(self):
        self.assertIsNone(self.ask(9))

    def test_one_look_for_all(self):
        asked = [self.usage.of(root) for root in (7, 8, 7)]
        self.clock.advance(0)
        self.assertEqual(self.looks, [[7, 8]])
        found = [self.successResultOf(one) for one in asked]
        self.assertEqual(found, [Stats(100, None), Stats(200, None), Stats(100, None)])

    def test_asked_while_it_looks(self):
        looking: list[Deferred] = []

        def in_thread(function, *args):
            looking.append(Deferred())
            return looking[-1].addCallback(lambda _: function(*args))

        self.usage = Usage(in_thread, self.clock)
        first = self.usage.of(7)
        self.clock.advance(0)
        second = self.usage.of(8)
        self.clock.advance(0)
        self.assertEqual(len(looking), 1)
        looking[0].callback(None)
        self.assertEqual(self.successResultOf(first), Stats(100, None))
        self.clock.advance(0)
        looking[1].callback(None)
        self.assertEqual(self.successResultOf(second), Stats(200, None))
        self.assertEqual(self.looks, [[7], [8]])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelled(self):
        asked = self.usage.of(7).addErrback(lambda _: "cancelled")
        asked.cancel()
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(asked), "cancelled")

    def test_look_fails(self):
        self.usage = Usage(lambda function, *args: fail(RuntimeError("no threads")), self.clock)
        self.assertIsNone(self.ask())
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_forgotten(self):
        self.ask()
        self.usage.forget(7)
        self.usage.forget(9)
        self.clock.advance(10)
        self.assertEqual(self.ask(), Stats(100, None))
