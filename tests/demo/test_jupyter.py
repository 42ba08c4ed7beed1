"""Alice's notebook: what Galaxy's database and the map say of it, and when."""

import os
import sqlite3
from contextlib import closing
from typing import Any, cast

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from giestack.demo import jupyter
from giestack.demo.jupyter import NO_ISOLATION, JupyterLab
from giestack.demo.lab import HOW_TO_INSTALL
from giestack.demo.opening import open_demo
from giestack.routing.source import MapTrouble
from giestack.routing.sqlite import SQLiteReader
from giestack.spawner.process.family import listener_uid
from tests.demo.fakes import Lab, Processes
from tests.demo.place import NOW, mode_of, new_folder


class LabTestCase(SynchronousTestCase):
    installed = True

    def setUp(self):
        self.demo = open_demo(new_folder(self), lambda: NOW)
        self.addCleanup(self.demo.folder.close)
        self.clock = Clock()
        self.processes = Processes()
        self.http = Lab()
        self.threads: Any = maybeDeferred
        self.events: list[LogEvent] = []
        observer = cast(ILogObserver, self.events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.lab = JupyterLab(
            self.demo.folder,
            self.demo.host,
            self.demo.session_map,
            self.demo.codec,
            self.processes,
            self.clock,
            self.http,
            lambda *arguments: self.threads(*arguments),
            command=lambda: ["lab"],
            installed=lambda: self.installed,
        )

    @property
    def process(self):
        return self.processes.started[-1]

    def begin(self, mood="ready"):
        self.http.mood = mood
        self.lab.startService()

    def stop(self):
        self.successResultOf(self.lab.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def rows(self):
        """The map's rows, as the routes see them."""
        reader = SQLiteReader(str(self.demo.folder.session_map))
        try:
            return list(reader.look().routes.entry_points.values())
        except MapTrouble as trouble:
            self.assertTrue(trouble.missing)
            return []
        finally:
            reader.close()

    def galaxy(self):
        """(job state, configured, deleted) of all entry points."""
        with closing(sqlite3.connect(self.demo.folder.database)) as database:
            return database.execute(
                "SELECT state, configured, deleted FROM job JOIN interactivetool_entry_point e "
                "ON e.job_id = job.id ORDER BY job.id"
            ).fetchall()

    def said(self, level):
        return [
            event["log_format"].format(**event)
            for event in self.events
            if event["log_level"].name == level and "JupyterLab" in event["log_namespace"]
        ]


class LifeTests(LabTestCase):
    def test_from_start_to_end(self):
        self.assertEqual(self.lab.status.state, "stopped")
        self.begin("away")
        self.assertEqual(self.lab.status.state, "starting")
        self.assertEqual(self.galaxy(), [("running", 0, 0)])
        self.assertEqual(self.rows(), [])
        self.http.mood = "ready"
        self.clock.advance(1)
        self.assertEqual(self.lab.status.state, "ready")
        self.assertIn(NO_ISOLATION, self.lab.status.text)
        self.assertIn(NO_ISOLATION, self.said("info")[0])
        self.assertEqual(self.galaxy(), [("running", 1, 0)])
        (row,) = self.rows()
        self.assertTrue(row.requires_path_in_url)
        self.assertEqual(row.address.host, "127.0.0.1")
        self.stop()
        self.assertEqual(self.process.asked_to_end, 1)
        self.assertEqual(self.rows(), [])
        self.assertEqual(self.galaxy(), [("deleted", 0, 1)])
        self.assertEqual(self.lab.status.state, "stopped")
        self.assertEqual(self.said("error"), [])

    def test_row_leads_to_what_was_configured(self):
        self.begin()
        (row,) = self.rows()
        self.assertEqual(self.demo.codec.entry_point_id(row.key), 1)
        text = (self.demo.folder.jupyter / "jupyter_server_config.py").read_text()
        self.assertIn(f"c.ServerApp.base_url = '/interactivetool/ep/{row.key}/{row.token}/'", text)
        self.assertIn(f"c.ServerApp.port = {row.address.port}\n", text)
        self.assertIn(f"c.FrontDoor.header = '{row.requires_path_in_header_named}'", text)
        self.assertEqual(mode_of(self.demo.folder.jupyter / "jupyter_server_config.py"), 0o600)

    def test_secrets_are_in_no_command_line_and_no_environment(self):
        """Every user of the machine can read the first one."""
        self.begin()
        (row,) = self.rows()
        told = " ".join(self.process.arguments) + str(self.process.environment)
        for secret in (row.token, row.requires_path_in_header_named, self.demo.folder.id_secret()):
            self.assertNotIn(secret, told)

    def test_environment_and_folder(self):
        self.patch(os, "environ", {**os.environ, "PGPASSWORD": "s3cret"})
        self.begin()
        self.assertEqual(self.process.arguments[-1], "lab")
        self.assertIn(f"--folder={self.demo.folder.home}", self.process.arguments)
        self.assertNotIn("PGPASSWORD", self.process.environment)

    def test_welcome_is_written_once(self):
        welcome = self.demo.folder.home / "Welcome.ipynb"
        self.begin()
        self.assertIn("6*7", welcome.read_text())
        self.assertEqual(self.entry_urls(), ["lab/tree/Welcome.ipynb"])
        self.stop()
        welcome.unlink()
        self.lab.startService()
        self.assertFalse(welcome.exists())
        self.assertEqual(self.entry_urls(), ["lab/tree/Welcome.ipynb", "lab"])
        self.stop()

    def entry_urls(self):
        with closing(sqlite3.connect(self.demo.folder.database)) as database:
            rows = database.execute("SELECT entry_url FROM interactivetool_entry_point ORDER BY id")
            return [url for (url,) in rows]

    def test_runtime_files_of_a_former_run_go(self):
        self.begin()
        left = self.demo.folder.jupyter / "runtime" / "kernel-1.json"
        left.touch()
        self.stop()
        self.lab.startService()
        self.assertFalse(left.exists())
        self.stop()

    def test_started_again_it_is_another_tool(self):
        self.begin()
        (first,) = self.rows()
        self.stop()
        self.lab.startService()
        (second,) = self.rows()
        self.assertNotEqual((first.key, first.token), (second.key, second.token))
        self.assertEqual(self.galaxy(), [("deleted", 0, 1), ("running", 1, 0)])
        self.stop()

    def test_not_installed(self):
        self.installed = False
        self.begin()
        self.assertEqual(self.lab.status.state, "missing")
        self.assertEqual(self.lab.status.text, HOW_TO_INSTALL)
        self.assertIn(HOW_TO_INSTALL, self.said("warn")[0])
        self.assertEqual(self.processes.started, [])
        self.assertEqual(self.galaxy(), [])
        self.stop()


class StopTests(LabTestCase):
    def test_while_it_starts(self):
        self.begin("away")
        self.stop()
        self.assertEqual(self.rows(), [])
        self.assertEqual(self.galaxy(), [("deleted", 0, 1)])

    def test_at_every_step(self):
        """Whatever a thread was at when the end was asked for, nothing is left."""
        calls: list[Deferred[None]] = []

        def later(function, *arguments):
            calls.append(Deferred())
            return calls[-1].addCallback(lambda _: function(*arguments))

        self.threads = later
        steps = 0
        while True:
            self.begin()
            for _ in range(steps):
                calls.pop().callback(None)
            if self.lab.status.state == "ready":
                break
            steps += 1
            stopped = self.lab.stopService()
            while calls:
                self.assertNoResult(stopped)
                calls.pop().callback(None)
            self.successResultOf(stopped)
            self.assertEqual(self.rows(), [])
            self.assertEqual({row[2] for row in self.galaxy()} | {1}, {1})
            self.assertFalse(any(one.protocol.running for one in self.processes.started))
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.assertEqual(self.said("error"), [])
        self.assertGreater(steps, 5)
        self.threads = maybeDeferred
        self.stop()

    def test_between_two_lives(self):
        self.begin()
        self.process.end(1)
        self.stop()
        self.assertEqual(len(self.processes.started), 1)

    def test_server_that_has_just_answered(self):
        """An answer that comes after the end was asked for opens no route."""
        self.begin("away")
        held: list[Deferred[None]] = []

        def later(function, *arguments):
            if function is not listener_uid:
                return maybeDeferred(function, *arguments)
            held.append(Deferred())
            return held[-1].addCallback(lambda _: function(*arguments))

        self.threads = later
        self.http.mood = "ready"
        self.clock.advance(1)
        stopped = self.lab.stopService()
        self.patch(self.demo.session_map.__class__, "save", self.fail)
        held.pop().callback(None)
        self.successResultOf(stopped)
        self.assertEqual(self.rows(), [])

    def test_disk_that_fails_at_the_end(self):
        self.begin()
        self.threads = lambda function, *arguments: fail(OSError(28, "No space left on device"))
        self.stop()
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 2)
        self.assertEqual(self.process.asked_to_end, 1)


class TroubleTests(LabTestCase):
    def crash(self, status=1, lines=b""):
        self.process.protocol.outReceived(lines)
        self.process.end(status)

    def test_crash(self):
        self.begin()
        (before,) = self.rows()
        process = self.process
        words = f"Traceback\nat {before.token} {before.requires_path_in_header_named}\n"
        self.crash(3, words.encode())
        self.assertEqual(self.rows(), [])
        self.assertEqual(self.galaxy(), [("queued", 0, 0)])
        self.assertEqual(self.lab.status.state, "failed")
        (error,) = self.said("error")
        self.assertIn("status 3", error)
        self.assertTrue(error.endswith("Traceback\nat … …"))
        self.clock.advance(1)
        self.assertIsNot(self.process, process)
        (after,) = self.rows()
        self.assertEqual((after.key, after.token), (before.key, before.token))
        self.assertNotEqual(
            after.requires_path_in_header_named, before.requires_path_in_header_named
        )
        self.assertEqual(self.galaxy(), [("running", 1, 0)])
        self.stop()

    def test_crash_without_a_word(self):
        self.begin()
        self.crash()
        self.assertIn("(none)", self.said("error")[0])
        self.stop()

    def test_crash_before_it_was_ready(self):
        self.begin("away")
        self.crash()
        self.clock.advance(0.05)
        self.assertEqual(self.galaxy(), [("queued", 0, 0)])
        self.assertEqual(len(self.said("error")), 1)
        self.stop()

    def test_backoff_and_end(self):
        self.begin()
        for pause in (1, 2, 4, 8):
            self.crash()
            started = len(self.processes.started)
            self.clock.advance(pause - 0.1)
            self.assertEqual(len(self.processes.started), started)
            self.clock.advance(0.1)
            self.assertEqual(len(self.processes.started), started + 1)
        self.crash()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.lab.status.state, "failed")
        self.assertIn("not started again", self.said("error")[-1])
        self.assertEqual(self.galaxy(), [("error", 0, 1)])
        self.stop()

    def test_long_lives_are_no_crashes_in_a_row(self):
        self.begin()
        for _ in range(20):
            self.clock.advance(61)
            self.crash()
            self.clock.advance(1)
            self.assertEqual(self.lab.status.state, "ready")
        self.stop()

    def test_backoff_has_a_limit(self):
        self.patch(jupyter, "_TRIES", 100)
        self.begin()
        for _ in range(10):
            self.crash()
            self.clock.advance(30)
            self.assertEqual(self.lab.status.state, "ready")
        self.stop()

    def test_never_ready(self):
        self.begin("closed")
        for _ in range(70):
            self.clock.advance(1)
        self.assertEqual(self.processes.started[0].asked_to_end, 1)
        self.assertIn("does not answer", self.said("error")[0])
        self.assertEqual(self.rows(), [])
        self.stop()

    def test_open_to_everybody(self):
        self.begin("open")
        self.assertEqual(self.process.asked_to_end, 1)
        self.assertEqual(self.rows(), [])
        self.assertEqual(self.lab.status.state, "failed")
        self.assertIn("every local user", self.said("error")[0])
        self.assertEqual(self.galaxy(), [("error", 0, 1)])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.stop()

    def test_somebody_else_has_taken_the_port(self):
        self.patch(jupyter, "listener_uid", lambda port: os.geteuid() + 1)
        self.begin()
        self.assertEqual(self.process.asked_to_end, 1)
        self.assertEqual(self.rows(), [])
        self.stop()

    def test_map_cannot_be_written(self):
        self.demo.folder.session_map.mkdir()
        self.begin()
        self.assertEqual(self.process.asked_to_end, 1)
        self.assertEqual(self.lab.status.state, "failed")
        self.assertEqual(len(self.flushLoggedErrors()), 2)
        self.stop()

    def test_no_process_can_be_made(self):
        def refuse(*arguments, **options):
            raise OSError(11, "Resource temporarily unavailable")

        self.patch(self.processes, "spawnProcess", refuse)
        self.begin()
        self.assertEqual(self.lab.status.state, "failed")
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertEqual(self.galaxy(), [("error", 0, 1)])
        self.stop()


class PartTests(SynchronousTestCase):
    def test_command(self):
        self.assertEqual(list(jupyter.lab_command())[1:], ["-m", "jupyterlab"])
