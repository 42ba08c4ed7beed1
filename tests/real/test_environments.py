"""Cookie-routed environments of old Galaxys, through a real giestack: maps, and the Go API."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.neighbours.backend import WEBSOCKET, Listener, Mirror, conversation, request
from tests.neighbours.galaxy import ALICE, ALICE_ELSEWHERE, BOB, LOGGED_OUT, Galaxy, cookie
from tests.neighbours.giestack import COOKIE, Answer, Giestack
from tests.neighbours.program import eventually, free_port

PATH = "/gie_proxy/jupyter/ipython/api%2Fx?token=a%20b"
CREATE = (
    "CREATE TABLE IF NOT EXISTS gxproxy2 (key text PRIMARY KEY, host text, port integer, "
    "container_ids text, container_interface text)"
)


def put(map_file: Path, key: str, port: int) -> None:
    """Write a row as Galaxy does."""
    with closing(sqlite3.connect(map_file)) as connection:
        connection.execute(CREATE)
        connection.execute("DELETE FROM gxproxy2 WHERE key = ?", (key,))
        row = (key, "127.0.0.1", port, '["abc"]', None)
        connection.execute("INSERT INTO gxproxy2 VALUES (?, ?, ?, ?, ?)", row)
        connection.commit()


def error(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json["error"]


class EnvironmentTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.galaxy = Galaxy(self)
        self.mirror = Mirror(self)

    def assert_nothing_told(self, giestack: Giestack, *secrets: str) -> None:
        for name, content in giestack.written().items():
            for secret in secrets:
                self.assertNotIn(secret.encode(), content, name)
        for secret in secrets:
            self.assertNotIn(secret, giestack.program.output)


class MapTests(EnvironmentTestCase):
    def test_a_session_and_its_environment(self) -> None:
        session_map = self.galaxy.folder / "session_map.sqlite"
        put(session_map, cookie(ALICE), self.mirror.port)
        put(session_map, cookie(LOGGED_OUT), free_port())
        giestack = Giestack(self, self.galaxy, {"proxy": {"session_maps": [str(session_map)]}})

        # The path is unchanged, the session's cookie stays here.
        sent = {"Cookie": f"a=b; {COOKIE}={cookie(ALICE)}; c=d"}
        giestack.until_it_answers(PATH, 200, headers=sent)
        told = giestack.ask(PATH, headers=sent).json
        self.assertEqual(told["path"], PATH)
        self.assertEqual([v for n, v in told["headers"] if n.lower() == "cookie"], ["a=b; c=d"])
        # As it was without dynamic_proxy_external_proxy: no prefix.
        self.assertEqual(giestack.ask("/ipython/", cookie=cookie(ALICE)).json["path"], "/ipython/")

        # One session has many cookies, and two sessions are two, of one user too.
        self.assertEqual(giestack.ask(PATH, cookie=cookie(ALICE).upper()).status, 200)
        for other in (BOB, ALICE_ELSEWHERE):
            self.assertEqual(
                error(giestack.ask(PATH, cookie=cookie(other))), (404, "no-such-route")
            )
        # Logged out: its row is still there.
        for nobody in (None, cookie(LOGGED_OUT), "00" * 40, "x"):
            self.assertEqual(error(giestack.ask(PATH, cookie=nobody)), (401, "not-logged-in"))
            self.assertEqual(giestack.ask("/ipython/", cookie=nobody).status, 404)

        # The port has become somebody else's: the older row is still there, and leads nowhere.
        put(session_map, cookie(BOB), self.mirror.port)
        giestack.until_it_answers(PATH, 200, cookie=cookie(BOB))
        self.assertEqual(giestack.ask(PATH, cookie=cookie(ALICE)).status, 404)
        put(session_map, cookie(ALICE), self.mirror.port)
        giestack.until_it_answers(PATH, 200, cookie=cookie(ALICE))

        # Whoever logs out is out.
        with closing(sqlite3.connect(self.galaxy.database)) as connection:
            connection.execute("UPDATE galaxy_session SET is_valid = 0")
            connection.commit()
        giestack.until_it_answers(PATH, 401, cookie=cookie(ALICE))
        self.assert_nothing_told(giestack, cookie(ALICE), cookie(LOGGED_OUT))

    def test_a_port_that_is_not_known_yet_and_a_websocket(self) -> None:
        session_map, tool = self.galaxy.folder / "session_map.sqlite", Listener(self)
        # Another spelling of the cookie than visitors send.
        put(session_map, cookie(ALICE).upper(), -8888)
        put(session_map, cookie(BOB), tool.port)
        proxy = {"session_maps": [str(session_map)], "session_cache": 1.0}
        giestack = Giestack(self, self.galaxy, {"proxy": proxy})
        answer = giestack.until_it_answers(PATH, 502, cookie=cookie(ALICE))
        self.assertEqual(error(answer), (502, "backend-down"))
        self.assertIsNotNone(answer.headers["Retry-After"])
        page = giestack.ask(PATH, cookie=cookie(ALICE), headers={"Accept": "text/html"})
        self.assertIn(b"is starting", page.body)

        fields = (f"Cookie: {COOKIE}={cookie(BOB)}", "Origin: https://127.0.0.1", *WEBSOCKET)
        visitor = conversation(self, giestack.port)
        visitor.send(request("/gie_proxy/jupyter/ws", *fields))
        behind = tool.accept()
        head = behind.head()
        self.assertTrue(head.startswith(b"GET /gie_proxy/jupyter/ws HTTP/1.1\r\n"))
        self.assertNotIn(COOKIE.encode(), head)
        behind.answer_websocket(head)
        self.assertIn(b" 101 ", visitor.head())
        visitor.send(b"\x81\x85aaaa\x09\x04\x0d\x0d\x0e")
        self.assertEqual(len(behind.exactly(11)), 11)
        behind.send(b"\x81\x02hi")
        self.assertEqual(visitor.exactly(4), b"\x81\x02hi")

        with closing(sqlite3.connect(session_map)) as connection:
            connection.execute("UPDATE gxproxy2 SET port = ? WHERE port < 0", (self.mirror.port,))
            connection.commit()
        giestack.until_it_answers(PATH, 200, cookie=cookie(ALICE))

        # The connection ends with the session.
        with closing(sqlite3.connect(self.galaxy.database)) as connection:
            connection.execute("UPDATE galaxy_session SET is_valid = 0")
            connection.commit()
        self.assertEqual(visitor.until_the_end()[0], b"")

    def test_json_and_xml_maps_beside_the_tools_and_without_a_host_database(self) -> None:
        documents = self.galaxy.folder / "session_map.json"
        gos = self.galaxy.folder / "session_map.xml"
        row = {"host": "127.0.0.1", "port": self.mirror.port, "container_ids": []}
        documents.write_text(json.dumps({"one": row | {"port": free_port()}}))
        gos.write_text(
            "<RouteMapping><Routes><Route><FrontendPath>/jupyter</FrontendPath><BackendAddr>"
            f"127.0.0.1:{self.mirror.port}</BackendAddr><AuthorizedCookie>two</AuthorizedCookie>"
            "</Route></Routes></RouteMapping>"
        )
        maps = [str(self.galaxy.map_file), str(documents), str(gos)]
        alone = {"id_secret": None, "database_connection": None, "admin_users": None}
        giestack = Giestack(self, self.galaxy, {"galaxy": alone, "proxy": {"session_maps": maps}})
        # Nobody knows sessions here: the cookie must be the map's, letter by letter.
        giestack.until_it_answers(PATH, 200, cookie="two")
        for other in ("Two", "tw", "null", "", '"'):
            self.assertEqual(giestack.ask(PATH, cookie=other).status, 404)
        self.assertEqual(giestack.ask("/gie_proxy/rstudio/", cookie="two").status, 404)
        self.assertEqual(error(giestack.ask(PATH, cookie="one")), (502, "backend-down"))

        text = json.dumps({"one": row})
        documents.write_text(text[: len(text) // 2])
        self.assertEqual(giestack.ask(PATH, cookie="one").status, 502)
        fresh = Path(f"{documents}.new")
        fresh.write_text(text)
        os.replace(fresh, documents)
        giestack.until_it_answers(PATH, 200, cookie="one")


class GoApiTests(EnvironmentTestCase):
    KEY = "s3cret-key"

    def start(self, **go: object) -> Giestack:
        self.file = self.galaxy.folder / "session_map.xml"
        proxy = {"session_maps": [str(self.file)], "go_api": {"api_key": self.KEY} | go}
        return Giestack(self, self.galaxy, {"proxy": proxy})

    def route(self, **more: object) -> bytes:
        values = {
            "FrontendPath": "/jupyter",
            "BackendAddr": f"127.0.0.1:{self.mirror.port}",
            "AuthorizedCookie": cookie(ALICE),
            "ContainerIds": [],
        }
        return json.dumps(values | more).encode()

    def test_as_galaxy_asks(self) -> None:
        giestack = self.start()
        listed = giestack.ask(f"/api?api_key={self.KEY}")
        self.assertEqual((listed.status, listed.body), (200, b"[]"))
        self.assertEqual(giestack.ask(PATH, cookie=cookie(ALICE)).status, 404)

        # Byte by byte what the library requests sends: a body, in a piece of its own, to GET.
        body = self.route()
        galaxy = conversation(self, giestack.port)
        fields = (
            "User-Agent: python-requests/2.31.0",
            "Accept-Encoding: gzip, deflate",
            "Accept: */*",
            "Connection: keep-alive",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        )
        galaxy.send(request(f"/api?api_key={self.KEY}", *fields))
        galaxy.send(body)
        self.assertIn(b" 200 ", galaxy.head())
        told = giestack.ask(PATH, cookie=cookie(ALICE)).json
        self.assertEqual(told["path"], PATH)
        self.assertEqual(giestack.ask("/gie_proxy/rstudio/", cookie=cookie(ALICE)).status, 404)
        self.assertEqual(error(giestack.ask(PATH, cookie=cookie(BOB))), (404, "no-such-route"))

        url = f"/api?api_key={self.KEY}"
        json_type = {"Content-Type": "application/json"}
        second = self.route(FrontendPath="/rstudio")
        answer = giestack.ask(url, method="POST", body=second, headers=json_type)
        self.assertEqual([one["FrontendPath"] for one in answer.json], ["/jupyter", "/rstudio"])
        self.assertEqual(giestack.ask("/gie_proxy/rstudio/", cookie=cookie(ALICE)).status, 200)

        wrong = giestack.ask("/api?api_key=x", method="POST", body=second)
        self.assertEqual((wrong.status, wrong.body), (401, b"Invalid API key\n"))
        bad = giestack.ask(url, method="POST", body=self.route(BackendAddr=""))
        self.assertEqual((bad.status, bad.body), (400, b"Invalid Route data\n"))
        # Not a byte beside its path is the API's.
        self.assertEqual(giestack.ask(f"/api/?api_key={self.KEY}").status, 404)

        # kill -9: what was told is in the file.
        eventually(lambda: b"/rstudio" in self.file.read_bytes(), "the second route in the file")
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)
        self.assert_nothing_told(giestack, self.KEY, cookie(ALICE))

    def test_what_the_file_holds_and_another_configuration(self) -> None:
        giestack = self.start(noaccess=3600)
        url = f"/api?api_key={self.KEY}"
        giestack.ask(url, method="POST", body=self.route())
        eventually(self.file.exists, "the file")
        # Another key; and no API, when the file is a map like others.
        giestack.reload({"proxy": {"go_api": {"api_key": "other-key"}}})
        self.assertEqual(giestack.ask(url).status, 401)
        self.assertEqual(len(giestack.ask("/api?api_key=other-key").json), 1)
        giestack.reload({"proxy": {"go_api": {}}})
        self.assertEqual(giestack.ask("/api?api_key=other-key").status, 404)
        giestack.until_it_answers(PATH, 200, cookie=cookie(ALICE))
        giestack.reload({})
        self.assertEqual(len(giestack.ask(url).json), 1)
        self.assertEqual(giestack.ask(PATH, cookie=cookie(ALICE)).status, 200)
        # Where nothing listens yet the route stays; the newest of one session is taken.
        later = self.route(BackendAddr=f"127.0.0.1:{free_port()}")
        giestack.ask(url, method="POST", body=later)
        self.assertEqual(error(giestack.ask(PATH, cookie=cookie(ALICE))), (502, "backend-down"))
        self.assertEqual(len(giestack.ask(url).json), 2)
