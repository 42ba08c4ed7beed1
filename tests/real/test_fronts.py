"""giestack behind real web servers, configured as ``etc/fronts`` has it."""

import json
import threading
import time

from twisted.trial.unittest import SynchronousTestCase
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from tests.neighbours.backend import Listener, body_of, chunk
from tests.neighbours.echo import Echo
from tests.neighbours.fronted_site import Site, tool_host
from tests.neighbours.fronts import (
    FRONTS,
    HOST,
    VISITOR,
    Apache,
    Caddy,
    HAProxy,
    Nginx,
)
from tests.neighbours.galaxy import (
    ALICE,
    BOB,
    PATH_IN_HEADER,
    PATH_IN_URL,
    PLAIN,
    path_of,
)
from tests.neighbours.giestack import COOKIE, ask
from tests.neighbours.jupyter import Jupyter, outputs
from tests.neighbours.program import PATIENCE, eventually, free_port

LARGE = 4 * 1024 * 1024
IDLE = 2.5
"""Seconds; longer than what the fronts' own time-outs are set to where that is tested."""

HTML = {"Accept": "text/html"}
SPOOFED = {
    "X-Forwarded-For": "192.0.2.66",
    "X-Real-IP": "192.0.2.67",
    "X-Forwarded-Host": "evil.example.org",
    "X-Forwarded-Proto": "http",
}
"""What a visitor claims, and nobody believes."""


class ImpatientNginx(Nginx):
    more = "proxy_read_timeout 1s; proxy_send_timeout 1s;"


class ImpatientApache(Apache):
    more = "Timeout 1\nProxyTimeout 1"


class ImpatientHAProxy(HAProxy):
    def places(self):
        short = {"timeout client 1m": "timeout client 1s", "timeout server 1m": "timeout server 1s"}
        return {**super().places(), **short}


class FrontTests(SynchronousTestCase):
    """What has to be right behind each of them."""

    def assertTold(self, visitor, answer, host=HOST):
        """That a tool was told what the visitor sees; returns all that it was told."""
        self.assertEqual(answer.status, 200, answer)
        told = {name.lower(): value for name, value in answer.json["headers"]}
        authority = f"{host}:{visitor.front.port}"
        self.assertEqual(told["x-forwarded-for"], f"{VISITOR}, 127.0.0.1")
        self.assertEqual(told["x-forwarded-proto"], "https")
        self.assertEqual((told["host"], told["x-forwarded-host"]), (authority, authority))
        self.assertEqual(told["x-forwarded-port"], str(visitor.front.port))
        self.assertNotIn(COOKIE, told.get("cookie", ""))
        self.assertNotIn("x-real-ip", told)
        return told

    def test_requests(self):
        site = Site(self, FRONTS)
        tool = Listener(self)
        site.publish(PATH_IN_HEADER, tool.port)
        site.publish(PATH_IN_URL, free_port())

        def visit(visitor):
            self.addresses(site, visitor)
            self.refusals(site, visitor)
            self.heads(site, visitor)
            self.answers(site, visitor, tool)

        site.visits(visit)

    def addresses(self, site, visitor):
        path, host = site.path(PLAIN), tool_host(PLAIN)
        mark = type(visitor.front).__name__
        for rest in (
            f"/{mark}/a%2Fb%20c/%C3%A4?q=%2F&x=a+b",
            "/a//b/;c=d,e/~f/(g)'!*@:$&=+",
            "/?",
            "/%25",
        ):
            answer = visitor.ask(path + rest, ALICE, headers=SPOOFED)
            self.assertTold(visitor, answer)
            self.assertEqual(answer.json["path"], rest)
        answer = visitor.ask("/x/%2F?y", ALICE, host=host, headers=SPOOFED)
        self.assertTold(visitor, answer, host)
        self.assertEqual(answer.json["path"], "/x/%2F?y")
        # Host without a port, as it is at the usual one.
        answer = visitor.ask(path + "/", ALICE, headers={"Host": HOST})
        told = {name.lower(): value for name, value in answer.json["headers"]}
        self.assertEqual((told["host"], told["x-forwarded-port"]), (HOST, "443"))
        line = eventually(
            lambda: [line for line in site.access_log().splitlines() if f"/{mark}/" in line],
            "a line in the access log",
        )[0]
        self.assertTrue(line.startswith(f"{VISITOR} "), line)
        # Everything else is Galaxy's.
        for galaxys in ("/", "/api/x", "/giestackx", "/interactivetools"):
            self.assertEqual(visitor.ask(galaxys).json["path"], galaxys)

    def refusals(self, site, visitor):
        path = site.path(PLAIN)
        answer = visitor.ask(path + "/tree?a=b", headers=HTML)
        self.assertEqual(answer.status, 401)
        way = f"https://{HOST}/login/start?redirect={path}/tree?a=b"
        self.assertIn(way.encode(), answer.body)
        self.assertEqual(visitor.ask(path, BOB).json["error"], "not-owner")
        self.assertEqual(visitor.ask(f"{path}x/", ALICE).status, 404)
        self.assertEqual(visitor.ask("/gie_proxy/jupyter/", ALICE).json["error"], "no-such-route")
        self.assertEqual(visitor.ask(site.path(PATH_IN_URL), ALICE).json["error"], "backend-down")
        self.assertEqual(visitor.ask("/giestack/", ALICE, headers=HTML).status, 200)
        whoami = visitor.ask("/giestack/api/v1/whoami", ALICE)
        self.assertEqual(whoami.json["username"], "alice")

    def heads(self, site, visitor):
        """Large ones, up to what giestack takes."""
        path, large = site.path(PLAIN), "x" * 48000
        answer = visitor.ask(path + "/", ALICE, headers={"Cookie": f"; big={large}"})
        told = self.assertTold(visitor, answer)
        self.assertEqual(told["cookie"], f"big={large}")
        answer = visitor.ask(f"{path}/?{large}", ALICE)
        self.assertEqual(len(answer.json["path"]), len(large) + 2)
        two = {"Cookie": f"; a={large}", "X-More": large}
        self.assertIn(visitor.ask(path + "/", ALICE, headers=two).status, (400, 431))

    def answers(self, site, visitor, tool):
        """Where a tool sends visitors, and large heads."""
        cookie = b"a=" + b"y" * 16000
        for location in (b"/else/%2F?x", b"lab", b"https://galaxy.example.org/", b"https://a.b/"):
            client = visitor.begin(self, site.path(PATH_IN_HEADER) + "/")
            behind = tool.accept()
            behind.head()
            behind.send(
                b"HTTP/1.1 302 Found\r\nLocation: %b\r\nSet-Cookie: %b\r\n"
                b"Content-Length: 0\r\nConnection: close\r\n\r\n" % (location, cookie)
            )
            status, *fields = client.head().split(b"\r\n")
            self.assertIn(b" 302 ", status)
            sent = {name.lower(): value for name, _, value in (f.partition(b": ") for f in fields)}
            self.assertEqual((sent[b"location"], sent[b"set-cookie"]), (location, cookie))

    def test_bodies(self):
        """Uploads and events pass as they come."""
        site, tool = Site(self, FRONTS), Listener(self)
        site.publish(PATH_IN_URL, tool.port)

        def visit(visitor):
            for field, framed in (
                (f"Content-Length: {LARGE}", lambda data: data),
                ("Transfer-Encoding: chunked", chunk),
            ):
                self.upload(site, visitor, tool, field, framed)
            self.events(site, visitor, tool)

        site.visits(visit)

    def upload(self, site, visitor, tool, field, framed):
        half = bytes(range(256)) * (LARGE // 512)
        client = visitor.begin(self, site.path(PATH_IN_URL) + "/", field, method="PUT")
        client.send(framed(half))
        # The first half arrives before the second is sent.
        behind = tool.accept()
        body = body_of(behind, behind.head())
        self.assertEqual(body(len(half)), half)
        rest = framed(half) + framed(b"")
        sending = threading.Thread(target=client.send, args=(rest,))
        sending.start()
        self.assertEqual(body(len(half)), half)
        sending.join()
        behind.send(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        self.assertIn(b" 201 ", client.head())
        self.assertEqual(client.exactly(2), b"ok")

    def events(self, site, visitor, tool):
        client = visitor.begin(self, site.path(PATH_IN_URL), "Accept: text/event-stream")
        behind = tool.accept()
        behind.head()
        behind.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        head = client.head()
        self.assertIn(b"text/event-stream", head)
        arriving = body_of(client, head)
        for number in range(20):
            event = b"data: %d\n\n" % number
            behind.send(chunk(event))
            # The next one is not sent before this one has arrived.
            self.assertEqual(arriving(len(event)), event)
        behind.send(chunk(b""))

    def test_websockets(self):
        site = Site(self, (ImpatientNginx, ImpatientApache, ImpatientHAProxy, Caddy))
        site.publish(PATH_IN_HEADER, Echo(self).port)
        path = site.path(PATH_IN_HEADER)
        silent = []

        def visit(visitor):
            silent.append(visitor.open(f"{path}/api/k%2F1?x"))
            self.addCleanup(silent[-1].close)
            with visitor.open("/api/?x", host=tool_host(PATH_IN_HEADER)) as by_host:
                for tunnel in (silent[-1], by_host):
                    for message in ("hello", b"\0" * 100_000, "ä" * 70_000):
                        tunnel.send(message)
                        self.assertEqual(tunnel.recv(PATIENCE), message)
            self.strangers(visitor, f"{path}/")
            self.chat(visitor, "/giestack")

        site.visits(visit)
        time.sleep(IDLE)
        for tunnel in silent:
            tunnel.send("still there")
            self.assertEqual(tunnel.recv(PATIENCE), "still there")

    def test_a_kernel(self):
        site = Site(self, FRONTS)
        base = site.path(PATH_IN_URL)
        jupyter = Jupyter(self, base)
        site.publish(PATH_IN_URL, jupyter.port)
        known = {"Authorization": f"token {jupyter.token}"}
        made = ask(jupyter.port, f"{base}/api/kernels", method="POST", headers=known)
        path = f"{base}/api/kernels/{made.json['id']}/channels?token={jupyter.token}"

        def visit(visitor):
            with visitor.open(path) as channels:
                results = dict(outputs(channels, "6*7"))
            self.assertEqual(results["execute_result"]["data"]["text/plain"], "42")

        site.visits(visit)

    def strangers(self, visitor, path):
        for case, origin, status in (
            (BOB, None, 403),
            (None, None, 401),
            (ALICE, "https://evil.example.org", 403),
        ):
            with self.assertRaises(InvalidStatus) as caught:
                visitor.open(path, case, origin=origin)
            self.assertEqual(caught.exception.response.status_code, status)

    def chat(self, visitor, prefix):
        protocols = [Subprotocol("giechat.v1.json")]
        with visitor.open(f"{prefix}/chat/ws", subprotocols=protocols) as chat:
            hello = json.loads(chat.recv(PATIENCE))
        self.assertEqual((hello["t"], hello["user"]["name"]), ("hello", "alice"))

    def test_galaxy_below_a_path(self):
        site = Site(self, FRONTS, "/galaxy")

        def visit(visitor):
            answer = visitor.ask(f"{site.path(PLAIN)}/lab?x", ALICE)
            self.assertTold(visitor, answer)
            self.assertEqual(answer.json["path"], "/lab?x")
            answer = visitor.ask(site.path(PLAIN) + "/tree", headers=HTML)
            way = f"https://{HOST}/galaxy/login/start?redirect={path_of(PLAIN)}/tree"
            self.assertIn(way.encode(), answer.body)
            self.assertEqual(visitor.ask("/galaxy/giestack/", ALICE, headers=HTML).status, 200)
            answer = visitor.ask("/galaxy/gie_proxy/x", ALICE)
            self.assertEqual(answer.json["error"], "no-such-route")
            self.assertEqual(visitor.ask("/galaxy/").json["path"], "/galaxy/")
            self.chat(visitor, "/galaxy/giestack")

        site.visits(visit)
