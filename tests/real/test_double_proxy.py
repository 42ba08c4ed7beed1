"""A double proxy of giestack and the real gx-it-proxy, each as either end; and giestack as both."""

import json

from twisted.trial.unittest import SynchronousTestCase

from tests.neighbours.backend import WEBSOCKET, Listener, Mirror, conversation, request
from tests.neighbours.galaxy import ALICE, BOBS, PLAIN, PREFIX, Galaxy, cookie, new_folder
from tests.neighbours.giestack import TWISTD, ask
from tests.neighbours.gx_it_proxy import GxItProxy
from tests.neighbours.program import Program, free_port
from tests.neighbours.proxy_command import start_proxy

COOKIE = f"galaxysession={cookie(ALICE)}; theirs=1"


class DoubleProxyTests(SynchronousTestCase):
    def setUp(self):
        self.galaxy, self.mirror, self.tool = Galaxy(self), Mirror(self), Listener(self)
        self.path = self.galaxy.publish(PLAIN, self.mirror.port)
        self.tunnel = self.galaxy.publish(BOBS, self.tool.port)

    def near_end(self, far_end):
        """Start giestack as the near end; returns its port."""
        port = free_port()
        options = ["--ip=127.0.0.1", f"--port={port}", f"--sessions={self.galaxy.map_file}"]
        options += ["--forwardIP=127.0.0.1", f"--forwardPort={far_end}"]
        near = start_proxy(self, new_folder(self), new_folder(self), options)
        near.until(lambda: ask(port, self.path).status not in (404, 503), "the map")
        return port

    def far_end(self, *allowed, trusted=("127.0.0.1",)):
        """Start giestack as the far end; returns its port."""
        folder, port = new_folder(self), free_port()
        settings = {
            "proxy": {
                "listen": [f"tcp:{port}:interface=127.0.0.1"],
                "trusted_proxies": trusted,
                "forward": {"allowed_targets": allowed},
            },
            "admin": {"listen": []},
        }
        # JSON is YAML.
        (folder / "giestack.yml").write_text(json.dumps(settings))
        command = [TWISTD, "-n", "--pidfile=", "giestack", "--config", "giestack.yml"]
        self.far = Program(self, command, folder)
        self.far.until_it_accepts(port)
        return port

    def check(self, port):
        """A request and a WebSocket to a near end; what the tool got of them."""
        answer = ask(port, f"{self.path}/lab/a%2Fb?x=1", headers={"Cookie": COOKIE})
        self.assertEqual(answer.status, 200)
        told = answer.json
        self.assertEqual(told["path"], "/lab/a%2Fb?x=1")
        names = {name.lower(): value for name, value in told["headers"]}
        self.assertEqual(names["host"], f"127.0.0.1:{port}")
        self.assertEqual([name for name in names if name.startswith("x-interactive")], [])
        self.assertEqual(names["cookie"], "theirs=1")
        # So on a host of its own.
        key, token = self.path.removeprefix(f"{PREFIX}/").split("/")
        host = f"{key}-{token}.ep.interactivetool.galaxy.example.org"
        answer = ask(port, "/lab?x", headers={"Host": host})
        self.assertEqual((answer.status, answer.json["path"]), (200, "/lab?x"))
        client = conversation(self, port)
        client.send(request(f"{self.tunnel}/ws", *WEBSOCKET))
        backend = self.tool.accept()
        asked = backend.head()
        self.assertTrue(asked.startswith(b"GET /ws HTTP/1.1\r\n"))
        self.assertNotIn(b"x-interactive", asked.lower())
        backend.answer_websocket(asked)
        self.assertIn(b" 101 ", client.head())
        for one, other in ((client, backend), (backend, client)):
            one.send(b"\x82\x03abc")
            self.assertEqual(other.exactly(5), b"\x82\x03abc")

    def targets(self):
        return [f"127.0.0.1:{one.port}" for one in (self.mirror, self.tool)]

    def test_giestack_before_gx_it_proxy(self):
        self.check(self.near_end(GxItProxy(self, None).port))

    def test_gx_it_proxy_before_giestack(self):
        forward = ("--forwardIP", "127.0.0.1", "--forwardPort", str(self.far_end(*self.targets())))
        self.check(GxItProxy(self, self.galaxy.map_file, forward).port)

    def test_giestack_before_giestack(self):
        far = self.far_end(*self.targets())
        near = self.near_end(far)
        self.check(near)
        answer = ask(near, f"{self.path}/lab", headers={"X-Forwarded-For": "203.0.113.9"})
        names = dict(answer.json["headers"])
        self.assertEqual(names["X-Forwarded-Prefix"], self.path)
        self.assertEqual(names["X-Forwarded-For"], "203.0.113.9, 127.0.0.1, 127.0.0.1")
        # Whoever asks the near end for another target gets the tool.
        forged = {"X-Interactive-Tool-Host": "127.0.0.1", "X-Interactive-Tool-Port": str(far)}
        self.assertEqual(ask(near, f"{self.path}/lab", headers=forged).json["path"], "/lab")

    def test_the_far_end_is_no_open_relay(self):
        other = Mirror(self)
        far = self.far_end(*self.targets())
        for target, status in (
            (f"127.0.0.1:{self.mirror.port}", 200),
            (f"127.0.0.1:{other.port}", 403),
            (f"localhost:{self.mirror.port}", 403),
            (f"127.1:{self.mirror.port}", 403),
            (f"127.0.0.1:{self.mirror.port}, 127.0.0.1:{other.port}", 400),
            ("127.0.0.1", 400),
        ):
            answer = ask(far, "/lab", headers={"X-Interactive-Tool-Host": target})
            self.assertEqual(answer.status, status, target)
        self.assertEqual(ask(far, "/lab").status, 404)
        self.assertIn("is not in proxy.forward.allowed_targets", self.far.output)
        stranger = self.far_end(*self.targets(), trusted=())
        headers = {"X-Interactive-Tool-Host": f"127.0.0.1:{self.mirror.port}"}
        self.assertEqual(ask(stranger, "/lab", headers=headers).status, 403)
        self.assertIn("is not in proxy.trusted_proxies", self.far.output)
