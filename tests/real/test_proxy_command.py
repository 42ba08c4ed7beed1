"""``giestack-proxy`` as a site starts it: whom it lets in, what it leaves behind, how it ends."""

import signal
import socket

from twisted.trial.unittest import SynchronousTestCase

from giestack.proxy_command import can_listen
from tests.neighbours.backend import WEBSOCKET, Listener, Mirror, conversation, request
from tests.neighbours.galaxy import ALICE, BOB, PATH_IN_HEADER, PLAIN, Galaxy, cookie, new_folder
from tests.neighbours.giestack import TWISTD, ask
from tests.neighbours.program import Program, allowed, free_port
from tests.neighbours.proxy_command import start_proxy, write_galaxy_yml

TARGET = {"X-Interactive-Tool-Host": "127.0.0.1"}


class ProxyCommandCase(SynchronousTestCase):
    def setUp(self):
        self.galaxy, self.mirror = Galaxy(self), Mirror(self)
        self.folder, self.log = new_folder(self), new_folder(self)
        self.port = free_port()

    def start(self, *options):
        return start_proxy(self, self.folder, self.log, [f"--port={self.port}", *options])

    def status(self, path, case=None, **headers):
        found = ask(self.port, path, cookie=case and cookie(case), headers=headers)
        return found.status


class ServingTests(ProxyCommandCase):
    def test_without_a_galaxy(self):
        """A map that comes later, and a start in an empty folder that stays empty."""
        path = self.galaxy.publish(PLAIN, self.mirror.port)
        there = self.galaxy.map_file.rename(self.galaxy.folder / "later.sqlite")
        proxy = self.start("--sessions", str(self.galaxy.map_file), "--verbose")
        proxy.until_it_accepts(self.port)
        for address in ("127.0.0.1", "::1") if can_listen("::1") else ("127.0.0.1",):
            socket.create_connection((address, self.port)).close()
        self.assertEqual(self.status(f"{path}/lab"), 404)
        there.rename(self.galaxy.map_file)
        proxy.until(lambda: self.status(f"{path}/lab") == 200, "the map")
        self.assertEqual(self.status(f"{path[:-1]}x/lab"), 404)
        self.assertEqual(proxy.output.count("no configuration of Galaxy"), 2)
        proxy.until(lambda: '" 200 ' in proxy.output, "a line for each request")
        self.assertNotIn(path, proxy.output)
        proxy.send(signal.SIGTERM)
        self.assertEqual(proxy.wait(allowed(10)), 0)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_with_a_galaxy(self):
        write_galaxy_yml(self.folder, self.galaxy, interactivetools_map=str(self.galaxy.map_file))
        path = self.galaxy.publish(PLAIN, self.mirror.port)
        tunnel, tool = self.galaxy.publish(PATH_IN_HEADER, 1), Listener(self)
        self.galaxy.publish(PATH_IN_HEADER, tool.port)
        proxy = self.start()
        proxy.until(lambda: self.status(f"{path}/lab", ALICE) == 200, "a tool")
        self.assertEqual((self.status(f"{path}/", BOB), self.status(f"{path}/")), (403, 401))
        client = conversation(self, self.port)
        logged_in = f"Cookie: galaxysession={cookie(ALICE)}"
        client.send(request(f"{tunnel}/ws", logged_in, *WEBSOCKET))
        backend = tool.accept()
        backend.answer_websocket(backend.head())
        self.assertIn(b" 101 ", client.head())
        proxy.send(signal.SIGTERM)
        self.assertEqual(proxy.wait(allowed(10)), 0)
        self.assertNotIn("no configuration of Galaxy", proxy.output)
        self.assertNotIn('"GET ', proxy.output)
        self.assertEqual([one.name for one in self.folder.rglob("*")], ["config", "galaxy.yml"])

    def test_without_a_map_it_is_no_open_relay(self):
        proxy = self.start("--ip=127.0.0.1")
        proxy.until_it_accepts(self.port)
        port = str(self.mirror.port)
        for headers in (
            {**TARGET, "X-Interactive-Tool-Port": port},
            {"X-Interactive-Tool-Host": f"127.0.0.1:{port}"},
        ):
            self.assertEqual(ask(self.port, "/lab", headers=headers).status, 404)
        self.assertIn("proxy.forward.allowed_targets", proxy.output)


class LastWordsTests(ProxyCommandCase):
    def test_a_port_that_is_taken(self):
        with socket.create_server(("127.0.0.1", self.port)):
            proxy = self.start("--sessions=map.sqlite")
            self.assertEqual(proxy.wait(), 1)
        [line] = [line for line in proxy.output.splitlines() if "warning" not in line]
        self.assertIn(f"cannot listen on tcp:{self.port}:interface=127.0.0.1", line)

    def test_a_bad_value(self):
        proxy = self.start("--cookie=a=b")
        self.assertEqual(proxy.wait(), 2)
        self.assertIn("usage: giestack-proxy", proxy.output)
        self.assertIn("argument --cookie: ", proxy.output)

    def test_a_bad_configuration_of_galaxy(self):
        write_galaxy_yml(self.folder, self.galaxy, session_duration="long")
        proxy = self.start("--sessions=map.sqlite")
        self.assertEqual(proxy.wait(), 1)
        self.assertIn("giestack: galaxy.session_duration: must be a whole number", proxy.output)
        self.assertNotIn("Traceback", proxy.output)


class DropInTests(ProxyCommandCase):
    """The same options behind ``twistd -n giestack``."""

    def test_over_galaxys_configuration(self):
        file = write_galaxy_yml(self.folder, self.galaxy, interactivetools_map="other.sqlite")
        (self.folder / "giestack.yml").write_text("admin: {listen: []}")
        path = self.galaxy.publish(PLAIN, self.mirror.port)
        rest = path.removeprefix("/interactivetool/ep")
        options = [
            *("--config=giestack.yml", f"--galaxy-config={file}", "--ip=127.0.0.1"),
            *(f"--port={self.port}", f"--sessions={self.galaxy.map_file}", "--cookie=mine"),
            *("--verbose", "--proxyPathPrefix=/it/here", "--reverseProxy"),
            "--pollingInterval=2500",
        ]
        command = [TWISTD, "-n", "--pidfile=", "giestack", *options]
        proxy = Program(self, command, self.folder)
        cookie_of_alice = {"Cookie": f"mine={cookie(ALICE)}"}
        proxy.until(
            lambda: self.status(f"/it/here{rest}/lab", **cookie_of_alice) == 200, "the tool"
        )
        self.assertEqual(self.status(f"/it/here{rest}/lab", ALICE), 401)
        self.assertEqual(self.status(f"{path}/lab", **cookie_of_alice), 404)
        proxy.send(signal.SIGTERM)
        self.assertEqual(proxy.wait(allowed(10)), 0)

    def test_an_unknown_option(self):
        proxy = Program(self, [TWISTD, "-n", "giestack", "--bogus"], self.folder)
        self.assertEqual(proxy.wait(), 2)
        self.assertIn("option --bogus not recognized", proxy.output)
