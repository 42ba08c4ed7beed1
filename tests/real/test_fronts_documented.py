"""giestack behind web servers that are configured as Galaxy's own documentation says."""

import sqlite3
from contextlib import closing

from twisted.trial.unittest import SynchronousTestCase
from websockets.exceptions import InvalidStatus

from tests.neighbours.backend import WEBSOCKET, Listener
from tests.neighbours.documented_fronts import (
    EnvironmentsApache,
    EnvironmentsNginx,
    ToolsNginx,
    both_families,
)
from tests.neighbours.fronted_site import Site, Visitor, tool_host
from tests.neighbours.fronts import HOST, VISITOR
from tests.neighbours.galaxy import ALICE, PATH_IN_URL, cookie
from tests.neighbours.program import eventually

ENVIRONMENT = "/galaxy/gie_proxy/jupyter/ipython"
CREATE = (
    "CREATE TABLE gxproxy2 (key text PRIMARY KEY, host text, port integer,"
    " container_ids text, container_interface text)"
)
HTML = {"Accept": "text/html"}
KERNEL = f"{ENVIRONMENT}/api/kernels/12-34/channels?session_id=56"
LARGE = 3 * 1024 * 1024


def fields_of(head):
    """The request line, and the fields by their names in lower case."""
    first, *lines = head.decode().rstrip().split("\r\n")
    return first, {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}


class DocumentedCase(SynchronousTestCase):
    def setUp(self):
        self.tool = Listener(self)

    def answered(self, visitor, path, *fields, told=b"", **options):
        """Ask for something, and answer as the tool; returns what each of them got."""
        client = visitor.begin(self, path, "Connection: close", *fields, **options)
        behind = self.tool.accept()
        got = fields_of(behind.head())
        behind.send(b"HTTP/1.1 200 OK\r\n%bConnection: close\r\n\r\nok" % told)
        behind.socket.close()
        return (*got, fields_of(client.head()))

    def tunnel(self, visitor, path, origin=f"https://{HOST}", **options):
        """Open a WebSocket, from a page of this origin, and talk; returns what the tool got."""
        client = visitor.begin(self, path, f"Origin: {origin}", *WEBSOCKET, **options)
        behind = self.tool.accept()
        head = behind.head()
        behind.answer_websocket(head)
        self.assertIn(b" 101 ", client.head())
        for one, other in ((client, behind), (behind, client)):
            one.send(b"x" * 70_000)
            self.assertEqual(other.exactly(70_000), b"x" * 70_000)
        return fields_of(head)

    def assertLogged(self, site, word, address):
        """That the access log has this visitor's address."""
        found = eventually(
            lambda: [line for line in site.access_log().splitlines() if word in line],
            "a line in the access log",
        )
        self.assertEqual(found[0].partition(" ")[0], address)


class EnvironmentTests(DocumentedCase):
    """The page on Interactive Environments: Galaxy at /galaxy, each session its container."""

    def visitor(self, front):
        site = Site(self, (), "/galaxy", listen=both_families)
        session_map = site.galaxy.folder / "session_map.sqlite"
        with closing(sqlite3.connect(session_map)) as connection, connection:
            connection.execute(CREATE)
            row = (cookie(ALICE), "127.0.0.1", self.tool.port, "[]", None)
            connection.execute("INSERT INTO gxproxy2 VALUES (?, ?, ?, ?, ?)", row)
        maps = [str(site.galaxy.map_file), str(session_map)]
        site.giestack.reload({"proxy": {"session_maps": maps}})
        return site, Visitor(front(self, site.giestack.port, site.mirror.port))

    def test_apache(self):
        site, visitor = self.visitor(EnvironmentsApache)
        own = f"localhost:{site.giestack.port}"
        redirect = f"Location: http://{own}{ENVIRONMENT}/tree?\r\n".encode()
        path = f"{ENVIRONMENT}/tree?a=b&c=%2F"
        line, told, (_, answer) = self.answered(visitor, path, told=redirect)
        self.assertEqual(line, f"GET {path} HTTP/1.1")
        self.assertEqual((told["host"], told["x-forwarded-host"]), (own, visitor.authority))
        self.assertEqual(told["x-forwarded-for"], f"{VISITOR}, 127.0.0.1")
        self.assertEqual(told["x-forwarded-proto"], "https")
        self.assertEqual(answer["location"], f"https://{visitor.authority}{ENVIRONMENT}/tree?")
        self.assertLogged(site, "/tree", VISITOR)
        self.assertEqual(self.tunnel(visitor, KERNEL)[0], f"GET {KERNEL} HTTP/1.1")
        for case, origin, status in (
            (None, f"https://{HOST}", 401),
            (ALICE, "https://evil.example.org", 403),
        ):
            with self.assertRaises(InvalidStatus) as caught:
                visitor.open(KERNEL, case, origin=origin)
            self.assertEqual(caught.exception.response.status_code, status)

    def test_nginx(self):
        site, visitor = self.visitor(EnvironmentsNginx)
        own = f"localhost:{site.giestack.port}"
        path = f"{ENVIRONMENT}/tree?a=b&c=%2F"
        # HTTP/1.0 to giestack, and nothing is told of the visitor.
        line, told, (status, _) = self.answered(visitor, path)
        self.assertEqual(line, f"GET {path} HTTP/1.1")
        self.assertEqual((told["host"], told["x-forwarded-for"]), (own, "127.0.0.1"))
        self.assertEqual(told["x-forwarded-proto"], "https")
        self.assertEqual(status, "HTTP/1.1 200 OK")
        # Own pages by HTTP/1.0.
        answer = visitor.ask(f"{ENVIRONMENT}/tree", headers=HTML)
        self.assertEqual((answer.status, b"log in" in answer.body), (401, True))
        # What is wrong with that file: the doctor names it.
        self.assertEqual(
            self.tunnel(visitor, KERNEL)[0], f"GET {KERNEL.partition('?')[0]} HTTP/1.1"
        )


class ToolTests(DocumentedCase):
    """The page on InteractiveTools, and the tutorial."""

    def test_all(self):
        site = Site(self, (ToolsNginx,), listen=both_families)
        site.publish(PATH_IN_URL, self.tool.port)
        site.visits(lambda visitor: self.visit(site, visitor))

    def visit(self, site, visitor):
        path = site.path(PATH_IN_URL)
        line, told, _ = self.answered(visitor, f"{path}/a%2Fb?c=%2F")
        self.assertEqual(line, f"GET {path}/a%2Fb?c=%2F HTTP/1.1")
        self.assertEqual((told["host"], told["x-forwarded-host"]), (HOST, HOST))
        self.assertEqual(told["x-forwarded-for"], f"{VISITOR}, 127.0.0.1")
        self.assertEqual((told["x-forwarded-proto"], told["x-forwarded-port"]), ("https", "443"))
        self.assertNotIn("upgrade", told)
        self.assertLogged(site, "/a%2Fb", VISITOR)
        self.assertEqual(visitor.ask(path, headers=HTML).status, 401)
        for place, host in ((path + "/k?s=1", HOST), ("/k?s=1", tool_host(PATH_IN_URL))):
            # Host has no port any more.
            origin = f"https://{host}:{visitor.front.port}"
            line, told = self.tunnel(visitor, place, origin, host=host)
            self.assertEqual((line, told["host"]), (f"GET {place} HTTP/1.1", host))
        self.uploads(visitor, path)
        self.events(visitor, path)

    def uploads(self, visitor, path):
        body = bytes(range(256)) * (LARGE // 256)
        for field, sent in (
            (f"Content-Length: {LARGE}", body),
            ("Transfer-Encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (LARGE, body)),
        ):
            client = visitor.begin(self, f"{path}/", field, method="POST")
            client.send(sent)
            behind = self.tool.accept()
            _, told = fields_of(behind.head())
            # nginx has counted what it had to keep.
            self.assertEqual(told["content-length"], str(LARGE))
            self.assertNotIn("upgrade", told)
            self.assertEqual(behind.exactly(LARGE), body)
            behind.send(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            self.assertIn(b" 204 ", client.head())

    def events(self, visitor, path):
        """That nginx holds none back, as it would by itself."""
        client = visitor.begin(self, path, "Accept: text/event-stream")
        behind = self.tool.accept()
        behind.head()
        behind.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        )
        self.assertIn(b"text/event-stream", client.head())
        for number in range(10):
            event = b"data: %d\n\n" % number
            behind.send(event)
            # The next one is not sent before this one has arrived.
            self.assertEqual(client.exactly(len(event) + 5), b"%x\r\n%b\r\n" % (len(event), event))
