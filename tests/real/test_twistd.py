"""``twistd giestack`` as a site runs it: its answers, its signals, its last words, its end."""

import os
import re
import signal
import socket
import sqlite3
import time
from contextlib import closing
from functools import partial
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.neighbours.backend import (
    WEBSOCKET,
    Listener,
    Mirror,
    conversation,
    request,
)
from tests.neighbours.galaxy import (
    ADMIN,
    ALICE,
    ANONYMOUS,
    BOB,
    BOBS,
    LOGGED_OUT,
    PATH_IN_HEADER,
    PLAIN,
    Galaxy,
    cookie,
    new_folder,
    path_of,
    token_of,
)
from tests.neighbours.giestack import COOKIE, TWISTD, Giestack, ask, without_docker
from tests.neighbours.program import Program, eventually, free_port

END_SECONDS = 10
"""What may pass between SIGTERM and the end."""


def logged_in(case=ALICE):
    return f"Cookie: {COOKIE}={cookie(case)}"


def has_dropped(giestack, lines):
    """Whether so many lines of the access log were lost by now."""
    return giestack.metrics()['giestack_log_dropped_lines_total{log="access"}'] >= lines


class AnswerTests(SynchronousTestCase):
    """Who gets what."""

    def setUp(self):
        self.galaxy = Galaxy(self)
        self.path = self.galaxy.publish(PLAIN, Mirror(self).port)
        self.giestack = Giestack(self, self.galaxy)
        self.giestack.until_it_answers(self.path, 200, cookie=cookie(ALICE))

    def test_who_may(self):
        for case, status, error in (
            (ALICE, 200, None),
            (BOB, 403, "not-owner"),
            (ADMIN, 403, "not-owner"),
            (ANONYMOUS, 403, "not-owner"),
            (LOGGED_OUT, 401, "not-logged-in"),
            ("not hex", 401, "not-logged-in"),
        ):
            answer = self.giestack.ask(f"{self.path}/api", cookie=cookie(case))
            self.assertEqual(answer.status, status, case)
            if error is not None:
                self.assertEqual(answer.json["error"], error)
        stranger = self.giestack.ask(f"{self.path}/api")
        self.assertEqual((stranger.status, stranger.json["error"]), (401, "not-logged-in"))

    def test_what_the_tool_sees(self):
        answer = self.giestack.ask(f"{self.path}/a%2Fb?c=d", cookie=cookie(ALICE))
        self.assertEqual(answer.json["path"], "/a%2Fb?c=d")
        headers = {name.lower(): value for name, value in answer.json["headers"]}
        self.assertNotIn("cookie", headers)
        self.assertEqual(headers["x-forwarded-prefix"], self.path)

    def test_unknown_and_wrong_token_are_alike(self):
        key, token = self.path.split("/")[-2:]
        answers = [
            self.giestack.ask(self.path.replace(*change), cookie=cookie(case))
            for change in ((key, "zzzzzzzzzzzzz"), (token, "0123456789ab"))
            for case in (ALICE, BOB)
        ]
        self.assertEqual({(a.status, a.json["error"]) for a in answers}, {(404, "no-such-route")})
        self.assertEqual(len({a.body for a in answers}), 1)

    def test_a_new_route_is_served_at_once_and_a_withdrawn_one_is_gone(self):
        path = path_of(BOBS)
        self.assertEqual(self.giestack.ask(path, cookie=cookie(BOB)).status, 404)
        began = time.monotonic()
        self.galaxy.publish(BOBS, Mirror(self).port)
        self.giestack.until_it_answers(path, 200, cookie=cookie(BOB))
        # Half a second is promised; the machine may be busy.
        self.assertLess(time.monotonic() - began, 5)
        self.galaxy.withdraw(BOBS)
        self.giestack.until_it_answers(path, 404, cookie=cookie(BOB))

    def test_ready(self):
        answer = ask(self.giestack.admin_port, "/ready")
        self.assertEqual(answer.status, 200)
        self.assertIn("database", {check["name"] for check in answer.json["checks"]})
        self.assertEqual(ask(self.giestack.admin_port, "/health").status, 200)


class EndTests(SynchronousTestCase):
    """SIGTERM: no new visitors, what is under way is finished, and a clean end in time."""

    def setUp(self):
        self.galaxy = Galaxy(self)
        self.tool = Listener(self)
        self.path = self.galaxy.publish(PLAIN, self.tool.port)
        self.giestack = Giestack(self, self.galaxy)
        self.giestack.until_it_answers(self.path, 403, cookie=cookie(BOB))

    def begin(self, *fields):
        """Begin a request of alice's; return both ends and what the tool was sent."""
        client = conversation(self, self.giestack.port)
        client.send(request(f"{self.path}/", logged_in(), *fields))
        tool = self.tool.accept()
        return client, tool, tool.head()

    def terminate(self):
        self.began = time.monotonic()
        self.giestack.program.send(signal.SIGTERM)

    def assertEndsWell(self):
        self.assertEqual(self.giestack.program.wait(), 0)
        self.assertLess(time.monotonic() - self.began, END_SECONDS)
        self.assertNotIn("Traceback", self.giestack.program.output)

    def test_nothing_under_way(self):
        idle = conversation(self, self.giestack.port)
        idle.send(request("/giestack/"))
        idle.head()
        self.terminate()
        self.assertEndsWell()
        self.assertLess(time.monotonic() - self.began, 5)

    def test_an_answer_under_way_is_finished(self):
        client, tool, _ = self.begin()
        tool.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234")
        client.head()
        self.assertEqual(client.exactly(5), b"01234")
        self.terminate()
        eventually(lambda: not self.giestack.accepts(), "closed doors")
        self.assertTrue(self.giestack.program.running)
        tool.send(b"56789")
        self.assertEqual(client.until_the_end(), (b"56789", True))
        self.assertEndsWell()

    def test_an_answer_not_begun_is_given(self):
        client, tool, _ = self.begin()
        self.terminate()
        eventually(lambda: not self.giestack.accepts(), "closed doors")
        tool.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        self.assertIn(b"Connection: close", client.head())
        self.assertEqual(client.until_the_end(), (b"ok", True))
        self.assertEndsWell()

    def test_an_answer_that_does_not_end_is_cut(self):
        client, tool, _ = self.begin()
        tool.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234")
        client.head()
        self.terminate()
        eventually(lambda: not self.giestack.accepts(), "closed doors")
        # Asking twice changes nothing.
        self.giestack.program.send(signal.SIGTERM)
        self.assertEndsWell()
        # Reset, so that nobody takes it for the whole.
        self.assertEqual(client.until_the_end(), (b"01234", False))

    def test_tunnels_are_closed(self):
        tunnels = []
        for _ in range(3):
            client, tool, head = self.begin(*WEBSOCKET)
            tool.answer_websocket(head)
            client.head()
            client.send(b"to the tool")
            self.assertEqual(tool.exactly(11), b"to the tool")
            tunnels.append((client, tool))
        self.terminate()
        for client, tool in tunnels:
            self.assertEqual(client.until_the_end()[0], b"")
            self.assertEqual(tool.until_the_end()[0], b"")
        self.assertEndsWell()

    def test_interrupted(self):
        """Ctrl-C in a terminal."""
        client, tool, _ = self.begin()
        self.began = time.monotonic()
        self.giestack.program.send(signal.SIGINT)
        eventually(lambda: not self.giestack.accepts(), "closed doors")
        tool.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        client.head()
        self.assertEqual(client.until_the_end(), (b"ok", True))
        self.assertEndsWell()

    def test_a_locked_database(self):
        with closing(self.galaxy.connect()) as database:
            database.execute("BEGIN EXCLUSIVE")
            client = conversation(self, self.giestack.port)
            client.send(request(f"{self.path}/", logged_in()))
            asked = self.giestack.metrics
            eventually(lambda: asked()["giestack_session_queries_total"] >= 2, "a question")
            self.terminate()
            self.assertEndsWell()

    def test_a_database_that_never_answers(self):
        """Its thread hangs: the process must not wait for it."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            silent.settimeout(30)
            url = f"postgresql://galaxy@127.0.0.1:{silent.getsockname()[1]}/galaxy"
            self.giestack = Giestack(
                self, self.galaxy, {"galaxy": {"database_connection": url}, "log": {}}
            )
            client = conversation(self, self.giestack.port)
            client.send(request("/giestack/", logged_in()))
            accepted, _ = silent.accept()
            with accepted:
                self.terminate()
                self.assertEndsWell()


class DaemonTests(SynchronousTestCase):
    def setUp(self):
        self.galaxy = Galaxy(self)
        self.path = self.galaxy.publish(PLAIN, Mirror(self).port)

    def test_daemon(self):
        folder = new_folder(self)
        pidfile, logfile = folder / "giestack.pid", folder / "giestack.log"
        giestack = Giestack(
            self,
            self.galaxy,
            options=("--pidfile", str(pidfile), "--logfile", str(logfile)),
            wait=False,
        )
        self.assertEqual(giestack.program.wait(), 0)
        pid = int(pidfile.read_text())
        handle = os.pidfd_open(pid)
        self.addCleanup(os.close, handle)

        def kill():
            try:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            except ProcessLookupError:
                pass

        self.addCleanup(kill)
        eventually(
            lambda: giestack.ask(self.path, cookie=cookie(ALICE)).status == 200, "the daemon's 200"
        )
        self.assertIn("EagerEPollReactor", logfile.read_text())
        self.assertEqual(giestack.program.output, "")
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        eventually(lambda: not pidfile.exists(), "the pidfile gone", END_SECONDS)
        self.assertFalse(giestack.accepts())


class RefusedStartTests(SynchronousTestCase):
    """What keeps giestack from starting is said in a line each, and the status is 1.

    An unknown option is 2, as everywhere.
    """

    def refused(self, *arguments, folder=None, status=1):
        """Start it in vain; return what it says, line by line."""
        program = Program(
            self,
            [TWISTD, "-n", "--pidfile=", "giestack", *arguments],
            folder or new_folder(self),
            {**os.environ, "GIESTACK_CONFIG": ""},
        )
        self.assertEqual(program.wait(), status)
        return program.output.splitlines()

    def test_port_taken(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            for section, key in (("proxy", "listen"), ("admin", "listen")):
                giestack = Giestack(
                    self,
                    Galaxy(self),
                    {section: {key: [f"tcp:{port}:interface=127.0.0.1"]}},
                    wait=False,
                )
                self.assertEqual(giestack.program.wait(), 1)
                self.assertEqual(
                    giestack.program.output,
                    f"giestack: cannot listen on tcp:{port}:interface=127.0.0.1: "
                    "Address already in use\n",
                )

    def test_no_configuration(self):
        (line,) = self.refused()
        self.assertIn("no configuration", line)
        self.assertIn("--demo", line)

    def test_configuration_missing(self):
        (line,) = self.refused("--config", "nowhere.yml")
        self.assertIn("nowhere.yml", line)
        self.assertIn("No such file", line)

    def test_configuration_wrong(self):
        folder = new_folder(self)
        (folder / "bad.yml").write_text(
            "galaxy:\n  id_secret: no\nproxy:\n  lisen: [tcp:8800]\n  session_cache: long\n"
        )
        lines = self.refused("--config", "bad.yml", folder=folder)
        self.assertTrue(all(line.startswith("giestack: ") for line in lines), lines)
        text = "\n".join(lines)
        for words in ("galaxy.id_secret", "proxy.lisen", "listen", "proxy.session_cache"):
            self.assertIn(words, text)
        self.assertGreaterEqual(len(lines), 3)

    def test_a_part_that_is_not_there_yet(self):
        folder = new_folder(self)
        (folder / "early.yml").write_text("galaxy:\n  id_secret: ab12cd34\nchat: {}\n")
        text = "\n".join(self.refused("--config", "early.yml", folder=folder))
        self.assertIn("chat", text)

    def test_data_dir_in_the_way(self):
        folder = new_folder(self)
        (folder / "var").write_text("a file")
        (folder / "giestack.yml").write_text(
            "proxy:\n  listen: []\n  interactivetools_auth: token\nadmin:\n  listen: []\n"
        )
        (line,) = [line for line in self.refused(folder=folder) if "warning" not in line]
        self.assertIn("var", line)

    def test_unknown_option(self):
        lines = self.refused("--nosuch", status=2)
        self.assertIn("nosuch", lines[-1])

    def test_bad_port(self):
        folder = new_folder(self)
        (folder / "giestack.yml").write_text("proxy:\n  interactivetools_auth: token\n")
        for option in ("--port", "--pollingInterval", "--forwardPort"):
            lines = self.refused(option, "many", folder=folder)
            self.assertEqual(len(lines), 1, lines)
            self.assertIn("many", lines[0])
        (line,) = self.refused("--demo", "--port", "many")
        self.assertIn("many", line)


class LogTests(SynchronousTestCase):
    def setUp(self):
        self.galaxy = Galaxy(self)
        self.path = self.galaxy.publish(PLAIN, Mirror(self).port)

    def test_sighup_reopens_the_access_log(self):
        giestack = Giestack(self, self.galaxy)
        log = giestack.files / "var" / "access.log"
        giestack.until_it_answers(f"{self.path}/before", 200, cookie=cookie(ALICE))
        eventually(lambda: "/before" in log.read_text(), "a line in the access log")
        moved = log.rename(log.with_name("access.log.1"))
        giestack.ask(f"{self.path}/moved", cookie=cookie(ALICE))
        eventually(lambda: "/moved" in moved.read_text(), "a line in the renamed file")
        self.assertFalse(log.exists())
        giestack.program.send(signal.SIGHUP)
        eventually(log.exists, "a new access log")
        giestack.ask(f"{self.path}/after", cookie=cookie(ALICE))
        eventually(lambda: "/after" in log.read_text(), "a line in the new access log")
        self.assertNotIn("/after", moved.read_text())

    def test_sighup_reopens_the_event_log(self):
        folder = new_folder(self)
        log = folder / "giestack.log"
        giestack = Giestack(self, self.galaxy, options=("-n", "--pidfile=", "--logfile", str(log)))
        self.assertIn("starting up", log.read_text())
        moved = log.rename(folder / "giestack.log.1")
        giestack.program.send(signal.SIGHUP)
        eventually(log.exists, "a new log")
        giestack.program.send(signal.SIGTERM)
        self.assertEqual(giestack.program.wait(), 0)
        self.assertNotIn("starting up", log.read_text())
        self.assertIn("starting up", moved.read_text())

    def test_a_full_disk_is_said_once(self):
        """/dev/full is a file on a full disk."""
        giestack = Giestack(self, self.galaxy, {"log": {"access": "/dev/full"}})
        for number in range(5):
            giestack.until_it_answers(f"{self.path}/{number}", 200, cookie=cookie(ALICE))
            eventually(partial(has_dropped, giestack, number + 1), "a dropped line")
        self.assertEqual(giestack.program.output.count("No space left on device"), 1)


class SecretTests(SynchronousTestCase):
    """Nothing that lets anybody in is ever written down."""

    def test_no_secret_in_anything_written(self):
        galaxy, tool = Galaxy(self), Listener(self)
        mirror = Mirror(self)
        path = galaxy.publish(PLAIN, mirror.port)
        wrong_token = path.replace(token_of(PLAIN), "0fedcba98765")
        dead = galaxy.publish(PATH_IN_HEADER, free_port())
        tunnel = galaxy.publish(BOBS, tool.port)
        giestack = Giestack(
            self,
            galaxy,
            {"log": {"level": "debug"}, "admin": {"token": "admin-token-0123456789"}},
        )
        giestack.until_it_answers(path, 200, cookie=cookie(ALICE))
        for headers in ({}, {"Accept": "text/html"}):
            headers = {
                **headers,
                "Referer": f"http://127.0.0.1{path}/lab?token={token_of(PLAIN)}",
            }
            for target in (
                f"{path}/lab?token={token_of(PLAIN)}",
                f"{wrong_token}/",
                f"{dead}/",
                f"/giestack/?next={path}/",
                "/giestack/api/v1/entry_points",
                "/giestack/api/v1/whoami",
                f"/nowhere/{path}",
                f"{path}/../{path}/",
                path.replace("interactivetool", "Interactivetool"),
                path.replace("/ep/", "/ep//"),
            ):
                for case in (ALICE, BOB, ADMIN, ANONYMOUS, LOGGED_OUT, "not hex"):
                    giestack.ask(target, cookie=cookie(case), headers=headers)
                giestack.ask(target, headers=headers)
        self._speak_badly(giestack, path)
        self._open_and_cut_a_tunnel(giestack, galaxy, tool, tunnel)
        with closing(galaxy.connect()) as database:
            database.execute("BEGIN EXCLUSIVE")
            answer = giestack.ask(f"{path}/", cookie=cookie("admin valid, mixed-case email"))
            self.assertEqual(answer.status, 503)
            ask(giestack.admin_port, "/ready")
        for authorization in ("Bearer admin-token-0123456789", "Bearer wrong-token-0123456789"):
            ask(
                giestack.admin_port,
                "/api/v1/whoami",
                headers={"Authorization": authorization},
            )
        told = {
            name: ask(giestack.admin_port, name).body for name in ("/metrics", "/ready", "/health")
        }
        giestack.program.send(signal.SIGHUP)
        giestack.program.send(signal.SIGTERM)
        self.assertEqual(giestack.program.wait(), 0)
        written = {**giestack.written(), **told}
        # The search below must have something to look at.
        log = written["var/access.log"].decode()
        self.assertGreater(log.count("\n"), 100)
        self.assertIn(" 503 ", log)
        self.assertIn(" 101 ", log)
        self.assertIn("was cut", written["output"].decode())
        self.assertEqual(self._found(galaxy, written, authorization.split()[1]), [])

    def _speak_badly(self, giestack, path):
        for text in (
            request(f"{path}/", logged_in(), f"{logged_in(BOB)}"),
            request(f"{path}/", logged_in(), "Content-Length: x"),
            request(f"{path}/", logged_in()).replace(b"HTTP/1.1", b"HTTP/9.9"),
            request(f"{path}/", logged_in()).replace(b"Cookie: ", b"Cookie\x01: "),
            request(f"{path}/", logged_in()).replace(b"Host: 127.0.0.1", b"Host: a b"),
            request(f"{path}/", f"Cookie: {COOKIE}={'ab' * 40000}"),
            request("/giestack/ticket", logged_in(), *WEBSOCKET, "Origin: http://evil.example"),
        ):
            client = conversation(self, giestack.port)
            client.send(text)
            client.head()

    def _open_and_cut_a_tunnel(self, giestack, galaxy, tool, path):
        client = conversation(self, giestack.port)
        client.send(request(f"{path}/ws?token={token_of(BOBS)}", logged_in(BOB), *WEBSOCKET))
        backend = tool.accept()
        backend.answer_websocket(backend.head())
        client.head()
        galaxy.log_out(BOB)
        client.until_the_end()

    def _found(self, galaxy, written, wrong_token):
        """Which secrets stand in which files."""
        with closing(galaxy.connect()) as database:
            keys = [key for (key,) in database.execute("SELECT session_key FROM galaxy_session")]
            tokens = [
                t for (t,) in database.execute("SELECT token FROM interactivetool_entry_point")
            ]
        cases = (ALICE, BOB, ADMIN, ANONYMOUS, LOGGED_OUT, "admin valid, mixed-case email")
        secrets = [
            *keys,
            *tokens,
            *map(cookie, cases),
            "0fedcba98765",
            galaxy.id_secret,
            "admin-token-0123456789",
            wrong_token,
        ]
        return [
            (secret, name)
            for secret in secrets
            for name, content in written.items()
            if secret.encode() in content
        ]

    def test_no_password_of_the_database(self):
        """Nobody listens there, so the driver has something to say."""
        galaxy = Galaxy(self)
        url = f"postgresql://galaxy:geheim0815@127.0.0.1:{free_port()}/galaxy"
        giestack = Giestack(
            self, galaxy, {"galaxy": {"database_connection": url}, "log": {"level": "debug"}}
        )
        self.assertEqual(giestack.ask("/giestack/", cookie=cookie(ALICE)).status, 503)
        answer = ask(giestack.admin_port, "/ready")
        self.assertEqual(answer.status, 503)
        giestack.program.send(signal.SIGTERM)
        self.assertEqual(giestack.program.wait(), 0)
        written = {**giestack.written(), "ready": answer.body}
        self.assertIn(b"refused", written["output"])
        self.assertEqual([n for n, content in written.items() if b"geheim0815" in content], [])


class DemoTests(SynchronousTestCase):
    """``--demo`` needs nothing but a folder."""

    def test_demo(self):
        above, port = new_folder(self), free_port()
        command = [TWISTD, "-n", "--pidfile=", "giestack", "--demo", "--port", str(port)]
        command += ["--demo-dir", "place"]
        demo = Program(self, command, above, without_docker())
        demo.until_it_accepts(port)
        page = ask(port, "/giestack/demo")
        self.assertEqual(page.status, 200)
        token = re.search(rb'name="token" value="([0-9a-f]+)"', page.body)
        assert token is not None
        become = ask(
            port,
            "/giestack/demo",
            method="POST",
            headers={
                "Content-Type": "application/x-www-form-urlencoded",
                "Cookie": page.headers["Set-Cookie"].partition(";")[0],
            },
            body=b"become=bob&token=" + token[1],
        )
        self.assertEqual(become.status, 303)
        value = re.search(rf"{COOKIE}=([0-9a-f]+)", become.headers["Set-Cookie"])
        assert value is not None
        self.assertEqual(
            ask(port, "/giestack/api/v1/whoami", cookie=value[1]).json["username"], "bob"
        )

        # The folder is in use, and the port too.
        second = Program(self, command, above, output="second")
        self.assertEqual(second.wait(), 1)
        self.assertEqual(second.output, f"giestack: another demo is running in {above / 'place'}\n")

        demo.until(lambda: "JupyterLab is ready" in demo.output, "alice's JupyterLab")
        began = time.monotonic()
        demo.send(signal.SIGTERM)
        self.assertEqual(demo.wait(), 0)
        self.assertLess(time.monotonic() - began, END_SECONDS)
        self.assertNotIn("Traceback", demo.output)
        self._assert_no_secret(above, demo.output, value[1])

    def _assert_no_secret(self, above, output, cookie_value):
        """In the log; the folder itself holds them, for its owner alone."""
        place = above / "place"
        with closing(sqlite3.connect(place / "galaxy.sqlite")) as database:
            secrets = [key for (key,) in database.execute("SELECT session_key FROM galaxy_session")]
            secrets += [
                t for (t,) in database.execute("SELECT token FROM interactivetool_entry_point")
            ]
        secrets += [cookie_value, (place / "id_secret").read_text().strip()]
        log = (place / "var" / "access.log").read_text()
        self.assertIn("/giestack/demo", log)
        self.assertEqual([s for s in secrets if s in output or s in log], [])
        self.assertEqual(Path(place).stat().st_mode & 0o777, 0o700)
