"""Sessions of small real programs: who may do what, when they are ended, what is written of it."""

import contextlib
import json
import signal
import socket
import sys
import time
from pathlib import Path

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.neighbours.galaxy import ADMIN, ALICE, ANONYMOUS, BOB, cookie
from tests.neighbours.giestack import COOKIE
from tests.neighbours.program import eventually
from tests.neighbours.sessions import SECRET, SessionCase

ECHO = {
    "command": [sys.executable, "-m", "tests.neighbours.echo", "{port}"],
    "env": {"PYTHONPATH": str(Path(__file__).parents[2])},
    "readiness": {"path": "/", "timeout": 30},
}


class OthersTests(SessionCase):
    def test_what_others_may(self):
        sessions = self.start()
        session = sessions.ready("good")
        path, url = f"sessions/{session['id']}", session["url"]
        asked = [(path, "GET"), (path, "DELETE"), (f"{path}/restart", "POST")]
        asked += [(f"{path}/{more}", "GET") for more in ("logs", "logs?follow=1", "events")]
        for who, status in ((BOB, 403), (None, 401), (ANONYMOUS, 401)):
            for one, method in asked:
                self.assertEqual(sessions.api(one, who, method).status, status, (one, method, who))
            session_cookie = None if who is None else cookie(who)
            self.assertEqual(sessions.ask(url, cookie=session_cookie).status, status)
        for one, method in asked:
            unknown = one.replace(session["id"], "0" * 16)
            self.assertEqual(sessions.api(unknown, BOB, method).status, 404, unknown)
        self.assertEqual(sessions.api("sessions", BOB).json, [])
        self.assertEqual(sessions.ask(url, cookie=cookie(ADMIN)).status, 403)
        self.assertEqual(sessions.api(f"{path}/restart", ADMIN, "POST").status, 403)
        self.assertEqual(sessions.api("admin/sessions", BOB).status, 403)
        (shown,) = sessions.api("admin/sessions", ADMIN).json
        self.assertEqual(shown["id"], session["id"])
        self.assertEqual(sessions.ask(url, cookie=cookie(ALICE)).status, 200)
        self.assertIn(session["id"], sessions.admin("admin/routes").body.decode())
        self.assertEqual(sessions.api(path, ADMIN, "DELETE").status, 202)
        eventually(lambda: sessions.api(path).status == 404, "it is gone")
        self.assertEqual(sessions.ask(url, cookie=cookie(ALICE)).status, 404)
        self.assertNotIn(session["id"], sessions.admin("admin/routes").body.decode())
        sessions.until_no_session()

    def test_environment_logs_and_metrics(self):
        secret = "postgresql://galaxy:hidden@db/galaxy"
        sessions = self.start(environment={"DATABASE_PASSWORD": secret})
        session = sessions.ready("good")
        told = sessions.ask(session["url"] + "environ", cookie=cookie(ALICE)).json
        self.assertNotIn("DATABASE_PASSWORD", told)
        for pid in sessions.processes():
            self.assertNotIn(secret.encode(), Path(f"/proc/{pid}/environ").read_bytes())
        folder = Path(told["GIESTACK_SECRETS"])
        self.assertEqual((folder / "word").read_text("utf-8"), SECRET)
        sessions.until_it_is(sessions.request("gone"), "failed")
        sessions.ask(session["url"], cookie=cookie(BOB))
        sessions.api(f"sessions/{session['id']}", method="DELETE")
        sessions.until_no_session()
        metrics = sessions.metrics()
        self.assertEqual(metrics['giestack_spawned_sessions{state="failed"}'], 1)
        self.assertEqual(metrics['giestack_spawns_total{profile="good",result="ready"}'], 1)
        self.assertEqual(metrics['giestack_spawn_step_duration_seconds_count{step="total"}'], 1)
        self.assertIn('giestack_spawned_sessions_culled_total{reason="idle"}', metrics)
        sessions.program.send(signal.SIGTERM)
        sessions.program.wait()
        written = sessions.written()
        lines = [json.loads(line) for line in written["var/audit.jsonl"].splitlines()]
        events = {line["event"]: line for line in lines}
        for event in ("started", "ready", "entered", "stopped", "failed", "refused"):
            self.assertIn("user", events.get(event, {}), event)
        for name, text in written.items():
            for hidden in (SECRET, cookie(ALICE), cookie(BOB)):
                self.assertNotIn(hidden.encode(), text, name)


class TunnelCase(SessionCase):
    def connect(self, sessions, session, **more):
        """A real WebSocket client in a session of a real WebSocket server."""
        headers = {"Cookie": f"{COOKIE}={cookie(ALICE)}"}
        url = f"ws://127.0.0.1:{sessions.port}{session['url']}"
        tunnel = connect(url, additional_headers=headers, compression=None, **more)
        self.addCleanup(tunnel.close)
        return tunnel

    def echoes(self, tunnel):
        tunnel.send("still here")
        return tunnel.recv(10) == "still here"


class LogoutTests(TunnelCase):
    def test_tunnel_and_events_are_cut(self):
        sessions = self.start(profiles={"echo": ECHO})
        session = sessions.ready("echo")
        waiting = sessions.request("mute")
        tunnel = self.connect(sessions, session)
        self.assertTrue(self.echoes(tunnel))
        events = socket.create_connection(("127.0.0.1", sessions.port), 10)
        self.addCleanup(events.close)
        head = f"GET {waiting['events']} HTTP/1.1\r\nHost: 127.0.0.1:{sessions.port}\r\n"
        events.sendall(f"{head}Cookie: {COOKIE}={cookie(ALICE)}\r\n\r\n".encode())
        self.assertIn(b" 200 ", events.recv(65536))
        self.galaxy.log_out(ALICE)
        began = time.monotonic()
        with self.assertRaises(ConnectionClosed):
            tunnel.recv(10)
        with contextlib.suppress(ConnectionResetError):
            while events.recv(65536):
                pass
        self.assertLess(time.monotonic() - began, 4)
        self.assertEqual(sessions.ask(session["url"], cookie=cookie(ALICE)).status, 401)


class CullTests(TunnelCase):
    def test_idle_and_old(self):
        profiles = {
            "pinged": {**ECHO, "idle_timeout": 2},
            "used": {**ECHO, "idle_timeout": 2},
            "old": {**ECHO, "max_lifetime": 2},
        }
        sessions = self.start(profiles=profiles)
        told = {name: sessions.request(name) for name in profiles}
        told = {name: sessions.until_it_is(one, "ready") for name, one in told.items()}
        tunnels = {n: self.connect(sessions, told[n], ping_interval=0.3) for n in profiles}
        deadline = time.monotonic() + 12
        while time.monotonic() < deadline:
            self.assertTrue(self.echoes(tunnels["used"]))
            states = {n: sessions.api(f"sessions/{told[n]['id']}").json for n in profiles}
            if [states[n]["state"] for n in profiles] == ["stopped", "ready", "stopped"]:
                break
            time.sleep(0.3)
        self.assertIn("had not been used", states["pinged"]["message"])
        self.assertEqual(states["used"]["state"], "ready")
        self.assertIn("as long as it may", states["old"]["message"])
        for name in ("pinged", "old"):
            with self.assertRaises(ConnectionClosed):
                tunnels[name].recv(5)
        for reason in ("idle", "lifetime"):
            culled = f'giestack_spawned_sessions_culled_total{{reason="{reason}"}}'
            self.assertEqual(sessions.metrics()[culled], 1)


class ReloadTests(TunnelCase):
    def test_profiles_change_and_who_is_inside_stays(self):
        sessions = self.start(profiles={"echo": ECHO})
        session = sessions.ready("echo")
        tunnel = self.connect(sessions, session)
        offered = [sessions.profile("another"), sessions.profile("good", title="Better")]
        sessions.reload({"spawner": {"profiles": offered}})
        titles = {one["name"]: one["title"] for one in sessions.api("profiles").json}
        self.assertEqual(titles, {"another": "The another one", "good": "Better"})
        self.assertTrue(self.echoes(tunnel))
        self.assertEqual(sessions.api(f"sessions/{session['id']}").json["state"], "ready")
        sessions.ready("another")
        restart = sessions.api(f"sessions/{session['id']}/restart", method="POST")
        self.assertEqual((restart.status, restart.json["error"]), (409, "no-such-profile"))
        sessions.reload({"spawner": {"profiles": [{"name": "good", "prot": 0}]}})
        self.assertIn("prot", sessions.program.output)
        self.assertEqual(len(sessions.api("profiles").json), 2)
        self.assertTrue(self.echoes(tunnel))
