"""SIGHUP: another configuration for a giestack that has visitors."""

import json
import signal
import socket
import ssl
import time

from twisted.trial.unittest import SynchronousTestCase

from tests.neighbours.backend import WEBSOCKET, Listener, Mirror, conversation, request
from tests.neighbours.certificates import certificate
from tests.neighbours.galaxy import ALICE, BOB, BOBS, PLAIN, Galaxy, cookie, new_folder, path_of
from tests.neighbours.giestack import COOKIE, Giestack, ask
from tests.neighbours.program import PATIENCE, accepts, eventually, free_port


def logged_in(case=ALICE):
    return f"Cookie: {COOKIE}={cookie(case)}"


_REMOTE_USER = ("remote-user", "remote_user")


class ReloadTestCase(SynchronousTestCase):
    def setUp(self):
        self.galaxy = Galaxy(self)
        self.mirror = Mirror(self)
        self.path = self.galaxy.publish(PLAIN, self.mirror.port)

    def start(self, settings=None):
        giestack = Giestack(self, self.galaxy, settings)
        giestack.until_it_answers(self.path, 200, cookie=cookie(ALICE))
        return giestack

    def a_service(self, **more):
        return {"path": "/apollo", "backend": f"http://127.0.0.1:{self.mirror.port}", **more}

    def refused(self, giestack, settings):
        """Reload in vain; return what is said of it."""
        giestack.reload(settings)
        lines = giestack.program.output.splitlines()
        return [line.partition("Reload refused: ")[2] for line in lines if "refused: " in line]


class TakenTests(ReloadTestCase):
    """What is taken, and who does not notice."""

    def test_connections_stay(self):
        tool = Listener(self)
        self.galaxy.publish(BOBS, tool.port)
        giestack = self.start()
        giestack.until_it_answers(path_of(BOBS), 403, cookie=cookie(ALICE))

        tunnel = conversation(self, giestack.port)
        tunnel.send(request(path_of(BOBS), logged_in(BOB), *WEBSOCKET))
        behind = tool.accept()
        behind.answer_websocket(behind.head())
        tunnel.head()
        download = conversation(self, giestack.port)
        download.send(request(path_of(BOBS), logged_in(BOB)))
        source = tool.accept()
        source.head()
        source.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234")
        download.head()
        idle = conversation(self, giestack.port)
        idle.send(request("/apollo/", logged_in(), "Remote-User: root"))
        self.assertIn(b" 404 ", idle.head())
        idle.exactly(len(ask(giestack.port, "/apollo/").body))

        port = free_port()
        here = "interface=127.0.0.1"
        giestack.reload(
            {"proxy": {"services": [self.a_service()], "listen": [f"tcp:{port}:{here}"]}}
        )

        # The door has moved, those who are inside stay, and the old connection has the new rules.
        self.assertTrue(accepts(port))
        eventually(lambda: not giestack.accepts(), "the old port closed")
        idle.send(request("/apollo/", logged_in(), "Remote-User: root"))
        head = idle.head()
        self.assertIn(b" 200 ", head)
        told = json.loads(idle.exactly(int(head.lower().split(b"content-length: ")[1].split()[0])))
        users = [value for name, value in told["headers"] if name.lower() in _REMOTE_USER]
        self.assertEqual(len(users), 1)
        self.assertNotEqual(users, ["root"])
        tunnel.send(b"to the tool")
        self.assertEqual(behind.exactly(11), b"to the tool")
        source.send(b"56789")
        self.assertEqual(download.exactly(10), b"0123456789")

    def test_who_may_do_what(self):
        giestack = self.start(
            {"proxy": {"services": [self.a_service(require="admin")]}, "admin": {"token": "a" * 20}}
        )

        def status(token):
            headers = {"Authorization": f"Bearer {token}"}
            return ask(giestack.admin_port, "/api/v1/nothing", headers=headers).status

        self.assertEqual(giestack.ask("/apollo/", cookie=cookie(ALICE)).status, 403)
        self.assertEqual((status("a" * 20), status("b" * 20)), (404, 401))
        email = giestack.ask("/giestack/api/v1/whoami", cookie=cookie(ALICE)).json["email"]
        giestack.reload({"galaxy": {"admin_users": email}, "admin": {"token": "b" * 20}})
        self.assertEqual(giestack.ask("/apollo/", cookie=cookie(ALICE)).status, 200)
        self.assertEqual((status("a" * 20), status("b" * 20)), (401, 404))
        giestack.reload({"proxy": {"interactivetools_auth": "token", "services": []}})
        self.assertEqual(giestack.ask("/apollo/", cookie=cookie(ALICE)).status, 404)
        self.assertEqual(giestack.ask(self.path).status, 200)

    def test_session_maps(self):
        giestack = self.start()
        giestack.reload({"proxy": {"session_maps": []}})
        self.assertEqual(giestack.ask(self.path, cookie=cookie(ALICE)).status, 404)
        giestack.reload({})
        giestack.until_it_answers(self.path, 200, cookie=cookie(ALICE))

    def test_profiles(self):
        def spawner(*names):
            profiles = [{"name": name, "command": ["sleep", "100"]} for name in names]
            engines = [{"name": "here", "docker_host": "process:"}]
            return {"spawner": {"engines": engines, "profiles": profiles}}

        def profiles():
            answer = giestack.ask("/giestack/api/v1/profiles", cookie=cookie(ALICE))
            return [profile["name"] for profile in answer.json]

        giestack = self.start(spawner("jupyter"))
        self.assertEqual(profiles(), ["jupyter"])
        giestack.reload(spawner("rstudio", "jupyter"))
        self.assertEqual(profiles(), ["rstudio", "jupyter"])
        giestack.reload(spawner())
        self.assertEqual(profiles(), [])

    def test_logs(self):
        giestack = self.start()
        var = giestack.files / "var"
        giestack.reload({"log": {"access": "other.log", "audit": "off", "level": "debug"}})
        giestack.ask(f"{self.path}/other", cookie=cookie(ALICE))
        eventually(lambda: "/other" in (var / "other.log").read_text(), "a line in the new log")
        self.assertNotIn("/other", (var / "access.log").read_text())
        before = (var / "audit.jsonl").read_text()
        self.assertEqual(giestack.ask(self.path, cookie=cookie(BOB)).status, 403)
        giestack.reload({"log": {"access": "stdout"}})
        giestack.ask(f"{self.path}/shown", cookie=cookie(ALICE))
        eventually(lambda: "/shown" in giestack.program.output, "a line on standard output")
        self.assertEqual((var / "audit.jsonl").read_text(), before)

    def test_a_new_certificate(self):
        folder, port = new_folder(self), free_port()
        files = {"cert": folder / "cert.pem", "key": folder / "key.pem"}

        def renew(name):
            made, key, _ = certificate(folder, name)
            made.rename(files["cert"])
            key.rename(files["key"])

        def connect():
            trust = ssl.create_default_context(cafile=str(files["cert"]))
            plain = socket.create_connection(("127.0.0.1", port), PATIENCE)
            secure = trust.wrap_socket(plain, server_hostname="127.0.0.1")
            self.addCleanup(secure.close)
            return secure

        def answers(secure):
            secure.sendall(request("/giestack/api/v1/whoami", logged_in()))
            return secure.recv(65536).startswith(b"HTTP/1.1 200 ")

        renew("one")
        endpoint = f"ssl:{port}:privateKey={files['key']}:certKey={files['cert']}"
        giestack = Giestack(
            self,
            self.galaxy,
            {"proxy": {"listen": [endpoint, f"tcp:{free_port()}"]}},
            wait=False,
        )
        giestack.program.until_it_accepts(port)
        old = connect()
        self.assertTrue(answers(old))

        certificate(folder, "wrong")[1].rename(files["key"])
        [problem] = self.refused(giestack, {})
        self.assertIn("proxy.listen: ", problem)
        self.assertIn(str(files["key"]), problem)
        connect()

        renew("two")
        giestack.reload({})
        self.assertTrue(answers(connect()))
        self.assertTrue(answers(old))


class RefusedTests(ReloadTestCase):
    """A configuration that can't be taken changes nothing, and why is said."""

    def test_wrong_settings(self):
        giestack = self.start()
        problems = self.refused(
            giestack,
            {"proxy": {"lisen": [], "session_maps": []}, "log": {"level": "loud"}},
        )
        self.assertEqual(len(problems), 2)
        self.assertTrue(problems[0].startswith("proxy.lisen: "), problems)
        self.assertTrue(problems[1].startswith("log.level: "), problems)
        self.assertEqual(giestack.ask(self.path, cookie=cookie(ALICE)).status, 200)

    def test_what_needs_a_restart(self):
        giestack = self.start()
        other = {"galaxy": {"id_secret": "another-one"}, "proxy": {"session_maps": []}}
        problems = self.refused(giestack, {**other, "data_dir": str(giestack.folder / "other")})
        self.assertEqual(
            problems, ["data_dir: needs a restart", "galaxy.id_secret: needs a restart"]
        )
        self.assertEqual(giestack.ask(self.path, cookie=cookie(ALICE)).status, 200)

    def test_what_is_found_out_by_trying(self):
        giestack = self.start()
        here = "interface=127.0.0.1"
        with socket.create_server(("127.0.0.1", 0)) as taken:
            number = taken.getsockname()[1]
            port = free_port()
            listen = [f"tcp:{port}:{here}", f"tcp:{number}:{here}"]
            problems = self.refused(
                giestack,
                {
                    "proxy": {"listen": listen, "session_maps": []},
                    "log": {"access": "nowhere/access.log", "audit": "other.jsonl"},
                },
            )
        self.assertEqual(len(problems), 2)
        self.assertIn("log.access: ", problems[0])
        self.assertIn("No such file or directory", problems[0])
        self.assertIn("proxy.listen: ", problems[1])
        self.assertIn("Address already in use", problems[1])
        self.assertFalse(accepts(port))
        self.assertEqual(giestack.ask(f"{self.path}/still", cookie=cookie(ALICE)).status, 200)
        log = giestack.files / "var" / "access.log"
        eventually(lambda: "/still" in log.read_text(), "a line in the old log")

    def test_logs_are_reopened_all_the_same(self):
        giestack = self.start()
        log = giestack.files / "var" / "access.log"
        log.rename(log.with_name("access.log.1"))
        self.refused(giestack, {"proxy": {"lisen": []}})
        eventually(log.exists, "a new access log")


class MomentTests(ReloadTestCase):
    """SIGHUP at moments when it is of no use."""

    def test_at_the_end(self):
        giestack = self.start()
        tool = Listener(self)
        self.galaxy.publish(BOBS, tool.port)
        giestack.until_it_answers(path_of(BOBS), 403, cookie=cookie(ALICE))
        client = conversation(self, giestack.port)
        client.send(request(path_of(BOBS), logged_in(BOB)))
        behind = tool.accept()
        behind.head()
        giestack.program.send(signal.SIGHUP)
        giestack.program.send(signal.SIGTERM)
        eventually(lambda: not giestack.accepts(), "closed doors")
        giestack.program.send(signal.SIGHUP)
        time.sleep(0.2)
        self.assertFalse(giestack.accepts())
        behind.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        client.head()
        self.assertEqual(client.until_the_end(), (b"ok", True))
        self.assertEqual(giestack.program.wait(), 0)
        self.assertNotIn("Traceback", giestack.program.output)

    def test_many_at_once(self):
        giestack = self.start()
        for _ in range(20):
            giestack.program.send(signal.SIGHUP)
        giestack.reload({"proxy": {"session_maps": []}})
        giestack.until_it_answers(self.path, 404, cookie=cookie(ALICE))
        self.assertNotIn("Traceback", giestack.program.output)


class AuditTests(ReloadTestCase):
    def test_who_entered_and_who_was_refused(self):
        giestack = self.start()
        for _ in range(3):
            giestack.ask(self.path, cookie=cookie(ALICE))
        self.assertEqual(giestack.ask(self.path, cookie=cookie(BOB)).status, 403)
        self.assertEqual(giestack.ask(self.path).status, 401)
        log = giestack.files / "var" / "audit.jsonl"
        eventually(lambda: log.read_text().count("\n") == 2, "two lines in the audit log")
        entered, refused = map(json.loads, log.read_text().splitlines())
        key = self.path.split("/")[-2]
        self.assertEqual(
            (entered["event"], entered["user"], entered["route"], entered["address"]),
            ("entered", "alice", key, "127.0.0.1"),
        )
        self.assertEqual(
            (refused["event"], refused["user"], refused["route"], refused["code"]),
            ("refused", "bob", key, "not-owner"),
        )
        self.assertRegex(entered["time"], r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")
