"""The admin listener over a connection in memory."""

import json
import subprocess
import sys

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver, StringTransport
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from giestack.ops.admin import LONGEST_BODY, AdminSite
from giestack.ops.health import Readiness

TOKEN = "c0ntr0l-t0ken"


class Control(Resource):
    """Stands for the control API."""

    isLeaf = True

    def render(self, request):
        return b"/".join(request.postpath) + b" " + request.content.read()


class AdminTestCase(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.database = []
        self.draining = False
        self.metrics = lambda: b"giestack_up 1\n"
        self.site = self.make_site()

    def make_site(self, **given):
        readiness = Readiness(
            self.clock,
            draining=lambda: self.draining,
            maps={},
            ask_database=lambda: self.database.pop(0) if self.database else Deferred(),
        )
        site = AdminSite(self.clock, readiness=readiness, metrics=lambda: self.metrics(), **given)
        site.doStart()
        self.addCleanup(site.doStop)
        return site

    def connect(self):
        self.channel = self.site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
        self.transport = StringTransport()
        self.channel.makeConnection(self.transport)

    def send(self, path, method="GET", headers=(), body=b""):
        self.connect()
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers]
        self.channel.dataReceived("\r\n".join([*lines, "", ""]).encode() + body)

    def received(self):
        """The answer as (status, header fields in lower case, body)."""
        head, _, body = self.transport.value().partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        return int(first.split()[1]), headers, body

    def ask(self, path, method="GET", headers=(), body=b""):
        self.send(path, method, headers, body)
        return self.received()

    def error(self, *request, **more):
        """The status and the code of an error."""
        status, headers, body = self.ask(*request, **more)
        self.assertEqual(headers["content-type"], "application/json")
        error = json.loads(body)
        self.assertEqual(set(error) - {"checks"}, {"error", "message"})
        return status, error["error"]

    def ready_database(self):
        answer: Deferred[int] = Deferred()
        answer.callback(1)
        self.database.append(answer)


class HealthTests(AdminTestCase):
    def test_health(self):
        status, headers, body = self.ask("/health")
        self.assertEqual((status, json.loads(body)), (200, {"status": "ok"}))
        self.assertEqual(headers["content-type"], "application/json")
        self.assertEqual(headers["content-length"], str(len(body)))
        self.assertEqual(headers["cache-control"], "no-store")
        self.assertNotIn("server", headers)

    def test_health_while_draining(self):
        self.draining = True
        self.assertEqual(self.ask("/health?verbose=1")[0], 200)

    def test_ready(self):
        self.ready_database()
        status, _, body = self.ask("/ready")
        self.assertEqual(status, 200)
        self.assertEqual(
            json.loads(body),
            {
                "status": "ready",
                "checks": [
                    {"name": "database", "ok": True, "text": "answers"},
                    {"name": "draining", "ok": True, "text": "not draining"},
                ],
            },
        )

    def test_not_ready(self):
        self.draining = True
        self.send("/ready")
        self.assertEqual(self.transport.value(), b"")
        self.clock.advance(1)
        status, _, body = self.received()
        self.assertEqual(status, 503)
        shown = json.loads(body)
        self.assertEqual(shown["error"], "not-ready")
        self.assertEqual(
            shown["message"],
            "database: no answer within 1 s; draining: giestack takes no new visitors",
        )
        self.assertEqual([check["ok"] for check in shown["checks"]], [False, False])

    def test_a_probe_that_does_not_wait(self):
        self.send("/ready")
        self.channel.connectionLost(Failure(ConnectionDone()))
        self.clock.advance(1)
        self.assertEqual(self.transport.value(), b"")

    def test_metrics(self):
        status, headers, body = self.ask("/metrics")
        self.assertEqual((status, body), (200, b"giestack_up 1\n"))
        self.assertEqual(headers["content-type"], "text/plain; version=0.0.4; charset=utf-8")

    def test_a_page_that_fails(self):
        self.metrics = lambda: b"%d" % (1 // 0)
        self.assertEqual(self.error("/metrics"), (500, "internal-error"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_head(self):
        self.ready_database()
        for path in ("/health", "/ready", "/metrics", "/nothing", "/api/v1/x"):
            get = self.ask(path)
            head = self.ask(path, "HEAD")
            self.assertEqual(head[0], get[0])
            self.assertEqual(head[1]["content-length"], get[1]["content-length"])
            self.assertEqual(head[2], b"")

    def test_only_read(self):
        for path in ("/health", "/ready", "/metrics"):
            for method in ("POST", "DELETE", "OPTIONS", "BREW"):
                self.assertEqual(self.error(path, method), (405, "method-not-allowed"))
                self.assertEqual(self.received()[1]["allow"], "get, head")

    def test_everything_else(self):
        for path in ("/", "/x", "/health/", "/health/x", "/metrics/../health", "/api", "/api/"):
            for method in ("GET", "POST"):
                self.assertEqual(self.error(path, method), (404, "not-found"), path)

    def test_a_body_that_is_too_large(self):
        body = b"x" * (LONGEST_BODY + 1)
        self.assertEqual(self.error("/health", "POST", body=body), (413, "too-large"))
        self.assertEqual(self.ask("/health")[0], 200)

    def test_probes_are_not_logged(self):
        events = EventLoggingObserver()
        globalLogPublisher.addObserver(events)
        self.addCleanup(globalLogPublisher.removeObserver, events)
        self.ask("/health")
        self.ask("/health", "HEAD")
        self.assertEqual(list(events), [])

    def test_idle_connections_end(self):
        self.connect()
        self.clock.advance(61)
        self.assertTrue(self.transport.disconnecting)

    def test_no_time_but_ours(self):
        """Making the site, and asking it, imports no reactor."""
        code = (
            "import sys\n"
            "from twisted.internet.task import Clock\n"
            "from twisted.internet.testing import StringTransport\n"
            "from giestack.ops.admin import AdminSite\n"
            "from giestack.ops.health import Readiness\n"
            "clock = Clock()\n"
            "readiness = Readiness(clock, draining=lambda: False, maps={})\n"
            "site = AdminSite(clock, readiness=readiness, metrics=lambda: b'')\n"
            "site.doStart()\n"
            "channel = site.buildProtocol(None)\n"
            "transport = StringTransport()\n"
            "channel.makeConnection(transport)\n"
            "channel.dataReceived(b'GET /ready HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n')\n"
            "assert b' 200 ' in transport.value()\n"
            "clock.advance(61)\n"
            "site.doStop()\n"
            "sys.exit('twisted.internet.reactor' in sys.modules)\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, b""))


class ControlTests(AdminTestCase):
    def bearer(self, token):
        return [("Authorization", f"Bearer {token}")]

    def test_without_a_token(self):
        for token in (None, ""):
            self.site = self.make_site(token=token, control=Control())
            for headers in ((), self.bearer(""), self.bearer("None"), self.bearer(TOKEN)):
                for path in ("/api/v1", "/api/v1/", "/api/v1/sessions/x", "/%61pi/v1/x"):
                    self.assertEqual(self.error(path, headers=headers), (403, "no-token"))

    def test_a_wrong_token(self):
        self.site = self.make_site(token=TOKEN, control=Control())
        for headers in (
            (),
            self.bearer(""),
            self.bearer("x"),
            self.bearer(TOKEN + "x"),
            self.bearer(TOKEN[:-1]),
            [("Authorization", TOKEN)],
            [("Authorization", f"Basic {TOKEN}")],
            self.bearer(TOKEN) + self.bearer("x"),
            self.bearer("x") + self.bearer(TOKEN),
        ):
            for path in ("/api/v1", "/api/v1/sessions/x"):
                self.assertEqual(self.error(path, "POST", headers), (401, "wrong-token"))
                _, answered, body = self.received()
                self.assertEqual(answered["www-authenticate"], 'bearer realm="giestack"')
                self.assertNotIn(TOKEN.encode(), body)

    def test_nothing_behind_the_door(self):
        self.site = self.make_site(token=TOKEN)
        for path in ("/api/v1", "/api/v1/", "/api/v1/sessions", "/api/v1/a/b/c"):
            self.assertEqual(self.error(path, headers=self.bearer(TOKEN)), (404, "not-found"))
        self.assertEqual(self.error("/api/v2/x", headers=self.bearer(TOKEN)), (404, "not-found"))

    def test_through_the_door(self):
        self.site = self.make_site(token="tökén", control=Control())
        headers = [("authorization", "bEARER  tökén ")]
        status, _, body = self.ask("/api/v1/sessions/x", "POST", headers, b"{}")
        self.assertEqual((status, body), (200, b"sessions/x {}"))

    def test_another_token(self):
        self.site = self.make_site(token=TOKEN)
        self.site.configure("other", None)
        self.assertEqual(self.ask("/api/v1/x", headers=self.bearer(TOKEN))[0], 401)
        self.assertEqual(self.ask("/api/v1/x", headers=self.bearer("other"))[0], 404)
        self.site.configure(None, None)
        self.assertEqual(self.ask("/api/v1/x", headers=self.bearer("other"))[0], 403)

    def test_something_else_behind_the_door(self):
        self.site = self.make_site(token=TOKEN)
        self.site.configure(TOKEN, Control())
        status, _, body = self.ask("/api/v1/x", "POST", self.bearer(TOKEN), b"{}")
        self.assertEqual((status, body), (200, b"x {}"))
