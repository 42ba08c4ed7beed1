"""A profile's limits as Linux takes them."""

import os
import resource
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.settings.spawner_schema import Profile
from giestack.spawner.engine import EngineError
from giestack.spawner.process import limits
from giestack.spawner.process.limits import NAMES, reaper_options, tasks_of_user
from tests.demo.place import new_folder
from tests.demo.processes import started


def options(**keys):
    return reaper_options(Profile(**{"memory": 0, "pids": 0, **keys}), 40)


class LimitTests(SynchronousTestCase):
    def test_none(self):
        self.assertEqual(options(), ["--nice=10", "--limit=CORE:0:0"])

    def test_memory_and_processes(self):
        self.assertEqual(
            options(memory=1000, pids=10)[2:], ["--limit=DATA:1000:1000", "--limit=NPROC:50:50"]
        )

    def test_ulimits(self):
        ulimits: dict[str, object] = {
            "nofile": {"soft": 100, "hard": 200},
            "fsize": 5,
            "core": -1,
            "stack": {"soft": 8, "hard": -1},
            "nproc": {"hard": 7},
            "rss": {"soft": 3},
            "locks": 5,
        }
        self.assertEqual(
            options(ulimits=ulimits, pids=10),
            [
                "--nice=10",
                "--limit=CORE:-1:-1",
                "--limit=NPROC:7:7",
                "--limit=NOFILE:100:200",
                "--limit=FSIZE:5:5",
                "--limit=STACK:8:-1",
                "--limit=RSS:3:3",
            ],
        )

    def test_nonsense(self):
        wrong: tuple[dict[str, object], ...] = (
            {"files": 5},
            {"nofile": "many"},
            {"nofile": True},
            {"nofile": None},
            {"nofile": -2},
            {"nofile": {}},
            {"nofile": {"soft": 5, "hard": 4}},
            {"nofile": {"soft": -1, "hard": 4}},
            {"nofile": {"soft": 4, "hard": "5"}},
            {"nofile:1:1 --remove=/": 5},
        )
        for ulimits in wrong:
            self.assertRaises(EngineError, options, ulimits=ulimits)

    def test_linux_knows_all_names(self):
        for name in NAMES:
            self.assertTrue(hasattr(resource, f"RLIMIT_{name.upper()}"), name)


class TasksTests(SynchronousTestCase):
    def test_own(self):
        before = tasks_of_user(os.geteuid())
        self.assertGreater(before, 0)
        # Others come and go meanwhile; so many do not.
        for _ in range(30):
            started(self, ["sleep", "1000"])
        self.assertGreater(tasks_of_user(os.geteuid()), before)

    def test_threads_count_and_gone_processes_do_not(self):
        proc = new_folder(self)
        for pid in ("1", "2", "3", "self"):
            (proc / pid).mkdir(parents=True)
        for pid, threads in (("1", 4), ("2", 1)):
            fields = ["S", *["0"] * 16, str(threads), "0"]
            (proc / pid / "stat").write_text(f"{pid} (a ) b) {' '.join(fields)}\n")
        self.patch(limits, "_PROC", Path(proc))
        self.assertEqual(tasks_of_user(os.geteuid()), 5)
        self.assertEqual(tasks_of_user(os.geteuid() + 1), 0)
