"""Sessions of small real programs, when something goes wrong: what people read, what is left."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.neighbours.galaxy import ALICE, BOB, cookie
from tests.neighbours.giestack import ask
from tests.neighbours.program import allowed, eventually
from tests.neighbours.sessions import SessionCase, Sessions


class KilledTests(SessionCase):
    def everything(self, sessions):
        """Have a session in each state that lasts, and return them by state."""
        told = {
            "ready": sessions.ready("family"),
            "failed": sessions.request("gone"),
            "stopping": sessions.ready("stubborn"),
        }
        sessions.until_it_is(told["failed"], "failed")
        told["starting"] = sessions.request("mute")
        sessions.until_it_is(told["starting"], "starting")
        self.assertEqual(
            sessions.api(f"sessions/{told['stopping']['id']}", method="DELETE").status, 202
        )
        told["queued"] = sessions.request("mute", name="second")
        states = {one["id"]: one["state"] for one in sessions.api("sessions").json}
        self.assertEqual(
            {state: states[one["id"]] for state, one in told.items()}, {s: s for s in told}
        )
        return told

    def test_giestack_in_every_state(self):
        sessions = self.start(spawner={"total": 3})
        self.everything(sessions)
        self.assertGreaterEqual(len(sessions.processes()), 8)
        sessions.program.send(signal.SIGKILL)
        sessions.program.wait()
        sessions.until_nothing_runs()
        sessions.start_again()
        self.assertEqual(sessions.api("sessions").json, [])
        sessions.until_no_session()
        sessions.ready("good")

    def test_giestack_while_it_creates(self):
        sessions = self.start()
        for _ in range(3):
            self.assertIn(sessions.request("family")["state"], ("queued", "creating", "starting"))
            sessions.program.send(signal.SIGKILL)
            sessions.program.wait()
            sessions.until_nothing_runs()
            sessions.start_again()
            sessions.until_no_session()

    def test_giestack_and_the_reapers_at_once(self):
        sessions = self.start()
        sessions.ready("daemon")
        starting = sessions.request("mute")
        sessions.until_it_is(starting, "starting")
        for pid in [sessions.program.pid, *sessions.reapers()]:
            os.kill(pid, signal.SIGKILL)
        sessions.program.wait()
        # The program goes with its reaper; nobody but the next start can end what it has left.
        eventually(lambda: len(sessions.processes()) == 1, f"{sessions.processes()}")
        sessions.start_again()
        sessions.until_no_session()

    def test_a_reaper_alone(self):
        sessions = self.start()
        session = sessions.ready("good")
        for pid in sessions.reapers():
            os.kill(pid, signal.SIGKILL)
        told = sessions.until_it_is(session, "failed", 5)
        self.assertIn("SIGKILL", told["reason"])
        sessions.until_no_session()

    def test_told_to_end_in_every_state(self):
        sessions = self.start(spawner={"total": 3})
        told = self.everything(sessions)
        tunnel = socket.create_connection(("127.0.0.1", sessions.port), 10)
        self.addCleanup(tunnel.close)
        head = f"GET {told['ready']['url']} HTTP/1.1\r\nHost: localhost\r\n"
        tunnel.sendall(f"{head}Cookie: galaxysession={cookie(ALICE)}\r\n\r\n".encode())
        began = time.monotonic()
        sessions.end_and_look()
        self.assertLess(time.monotonic() - began, 10)
        self.assertNotIn("Traceback", sessions.program.output)

    def test_told_to_end_while_it_creates(self):
        sessions = self.start()
        for number in range(4):
            sessions.request("family", name=f"n{number}")
        sessions.end_and_look()
        self.assertNotIn("Traceback", sessions.program.output)


class EndedTests(SessionCase):
    def test_the_program_is_killed(self):
        sessions = self.start()
        self.session = sessions.ready("loud")
        for number, name in ((9, "SIGKILL"), (11, "SIGSEGV")):
            server, began = sessions.server(self.session), time.monotonic()
            os.kill(server, number)
            told = sessions.until_it_is(self.session, "failed", 5)
            self.assertLess(time.monotonic() - began, allowed(1.5))
            self.assertIn(f"killed by signal {number} ({name})", told["reason"])
            self.assertFailedWell(sessions, told)
            self.restart(sessions)

    def test_it_ends_by_itself(self):
        sessions = self.start()
        self.session = sessions.ready("loud")
        sessions.ask(self.session["url"] + "exit/3", cookie=cookie(ALICE))
        told = sessions.until_it_is(self.session, "failed", 5)
        self.assertIn("ended with status 3", told["reason"])
        self.assertEqual(told["log"][-1], "told to end")
        self.assertFailedWell(sessions, told)
        self.restart(sessions)
        sessions.ask(self.session["url"] + "exit/0", cookie=cookie(ALICE))
        told = sessions.until_it_is(self.session, "stopped", 5)
        self.assertIn("shut down from inside", told["message"])
        self.assertNotEqual(sessions.ask(told["url"], cookie=cookie(ALICE)).status, 200)
        sessions.until_no_session()
        self.restart(sessions)

    def assertFailedWell(self, sessions, told):
        self.assertEqual(len(told["log"]), 50)
        self.assertIn("line 199", told["log"])
        page = sessions.ask(told["url"], cookie=cookie(ALICE), headers={"Accept": "text/html"})
        self.assertEqual(page.status, 502)
        self.assertIn(b"line 199", page.body)
        self.assertEqual(sessions.ask(told["url"], cookie=cookie(BOB)).status, 403)
        sessions.until_no_session()

    def restart(self, sessions):
        """It is the same one afterwards."""
        path = f"sessions/{self.session['id']}/restart"
        self.assertEqual(sessions.api(path, method="POST").status, 202)
        told = sessions.until_it_is(self.session, "ready")
        for key in ("id", "url", "name", "options", "profile", "created"):
            self.assertEqual(told[key], self.session[key])
        environment = sessions.ask(told["url"] + "environ", cookie=cookie(ALICE)).json
        homes = list((sessions.files / "var" / "homes").iterdir())
        self.assertEqual([environment["HOME"]], [str(home) for home in homes])


class NeverReadyTests(SessionCase):
    def test_programs_that_do_not_serve(self):
        quick = {"readiness": {"path": "/", "timeout": 1}}
        # These must have begun by then, wrong as they are.
        slow = {"readiness": {"path": "/", "timeout": 4}}
        slower = dict.fromkeys(("broken", "gone"), slow)
        kinds = {
            "mute": "did not answer",
            "broken": "answers 500",
            "babble": "did not answer",
            "slam": "did not answer",
            "hang": "did not answer",
            "gone": "ended with status 4",
        }
        more = {"missing": {"command": ["no-such-program", "{port}"]}}
        sessions = self.start(profiles={**dict.fromkeys(kinds, quick), **slower, **more})
        ready = sessions.ask("/", cookie=None)
        self.assertEqual(ready.status, 404)
        asked = {kind: sessions.request(kind) for kind in [*kinds, "missing"]}
        for kind, words in {**kinds, "missing": "no-such-program"}.items():
            told = sessions.until_it_is(asked[kind], "failed", 20)
            self.assertIn(words, told["reason"], kind)
            self.assertEqual(sessions.ask(told["url"], cookie=cookie(ALICE)).status, 502)
        sessions.until_no_session()
        for one in asked.values():
            sessions.api(f"sessions/{one['id']}", method="DELETE")
        for one in asked.values():
            self.assertEqual(sessions.ask(one["url"], cookie=cookie(ALICE)).status, 404)

    def test_a_missing_program_is_told_before_the_first_click(self):
        sessions = self.start(profiles={"missing": {"command": ["no-such-program", "{port}"]}})
        told = eventually(lambda: self.unready(sessions), "a word on /ready")
        self.assertIn("no-such-program", told)
        command = [Path(sys.executable).with_name("giestack"), "check-config", sessions.config]
        checked = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertIn("no-such-program", checked.stdout + checked.stderr)

    def unready(self, sessions):
        answer = ask(sessions.admin_port, "/ready")
        return "" if answer.status == 200 else answer.body.decode()


class DiskTests(SessionCase):
    def test_full(self):
        sessions = Sessions(self, self.galaxy)
        sessions.end_and_look()
        # Homes and logs are in one, the folders of sessions in the other.
        homes, folders = sessions.files / "var", sessions.own_tmp
        for place in (homes, folders):
            self.mount(place)
        sessions.start_again()
        self.addCleanup(sessions.end_and_look)
        sessions.ready("good")
        for place, data_dir in ((homes, homes), (folders, (homes / "run").readlink())):
            ballast = place / "ballast"
            with ballast.open("wb", buffering=0) as file, self.assertRaises(OSError):
                while True:
                    file.write(bytes(4096))
            words = f"The disk with {data_dir} is full: make room on it."
            eventually(lambda words=words: words in self.unready(sessions), "a word on /ready")
            if place == folders:
                told = sessions.until_it_is(sessions.request("good", name="second"), "failed")
                self.assertIn("No space left", told["reason"])
            self.assertEqual(len(sessions.api("sessions").json), 1 + (place == folders))
            ballast.unlink()
            eventually(lambda: not self.unready(sessions), "no word on /ready")
        sessions.until_it_is(sessions.request("good", name="second"), "ready")

    def mount(self, place):
        """Have a small disk there."""
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=12m,mode=700", "none", place], check=True
        )
        self.addCleanup(lambda: subprocess.run(["umount", "--lazy", place], check=True))

    def test_something_else_is_where_the_folder_should_be(self):
        sessions = self.start()
        sessions.ready("good")
        homes = sessions.files / "var" / "homes"
        homes.rename(homes.with_name("away"))
        homes.write_text("a file")
        told = sessions.until_it_is(sessions.request("good", name="second"), "failed")
        self.assertIn(str(homes), told["reason"])
        self.assertIn(str(homes), self.unready(sessions))
        homes.unlink()
        homes.with_name("away").rename(homes)
        eventually(lambda: not self.unready(sessions), "no word on /ready")
        sessions.ready("good", name="second")

    def test_somebody_cleans_up_where_sessions_have_their_sockets(self):
        sessions = self.start()
        sessions.ready("good", name="first")
        run = sessions.files / "var" / "run"
        # It is that long that there must be a link to a shorter one.
        there = run.readlink()
        self.assertEqual(there.parent, sessions.own_tmp)
        shutil.rmtree(there)
        sessions.ready("good")
        self.assertNotEqual(sessions.run_folders(), [])

    def unready(self, sessions):
        answer = ask(sessions.admin_port, "/ready")
        return "" if answer.status == 200 else answer.body.decode()


class ManyTests(SessionCase):
    def test_everybody_clicks_twice_at_once(self):
        sessions = self.start(spawner={"total": 12})
        names = [f"n{number}" for number in range(20)]
        slowest = [0.0]

        def click(name):
            began = time.monotonic()
            told = sessions.request("good", (ALICE, BOB)[int(name[1:]) % 2], name)
            slowest[0] = max(slowest[0], time.monotonic() - began)
            return name, told["id"]

        with ThreadPoolExecutor(40) as threads:
            clicks = list(threads.map(click, names * 2))
        ids = dict(clicks)
        self.assertEqual(set(clicks), set(ids.items()))
        self.assertEqual(len(set(ids.values())), 20)
        self.assertLess(slowest[0], 10)

        def states():
            told = [*sessions.api("sessions").json, *sessions.api("sessions", BOB).json]
            return sorted(one["state"] for one in told)

        eventually(lambda: states() == ["queued"] * 8 + ["ready"] * 12, f"{states()}", 30)
