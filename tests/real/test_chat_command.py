"""``giestack-chat`` as a site starts it: who comes in, what they hear, and how it ends."""

import json
import signal
import socket
import sys

from twisted.trial.unittest import SynchronousTestCase
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from tests.neighbours.galaxy import ALICE, BOB, LOGGED_OUT, Galaxy, cookie, new_folder
from tests.neighbours.giestack import COOKIE, ask
from tests.neighbours.program import PATIENCE, Program, free_port

# Not the script of the same name: it is there only where giestack was installed anew.
COMMAND = (
    sys.executable,
    "-c",
    "import sys; from giestack.chat_command import main; sys.exit(main())",
)
ROOMS = ["NGS", "RNA-Seq", "Genome Annotation"]
ORIGIN = Origin("https://galaxy.example.org")


class ChatCommandCase(SynchronousTestCase):
    def setUp(self):
        self.galaxy = Galaxy(self)
        self.folder = new_folder(self)
        self.port = free_port()
        self.configure()

    def configure(self, **options):
        """Write Galaxy's configuration where the command looks for it."""
        galaxys = {
            "id_secret": self.galaxy.id_secret,
            "database_connection": self.galaxy.database_url,
            "galaxy_infrastructure_url": ORIGIN,
            "enable_communication_server": True,
            "communication_server_host": "https://galaxy.example.org",
            "communication_server_port": 7070,
            "persistent_communication_rooms": ",".join(ROOMS),
        }
        (self.folder / "config").mkdir(exist_ok=True)
        # JSON is YAML.
        text = json.dumps({"galaxy": {**galaxys, **options}})
        (self.folder / "config" / "galaxy.yml").write_text(text)

    def start(self, *options):
        return Program(
            self, [*COMMAND, f"--port={self.port}", "--host=127.0.0.1", *options], self.folder
        )


class Visitor:
    """One client of somebody's."""

    def __init__(self, test, case):
        self._requests = 0
        self.socket = connect(
            f"ws://127.0.0.1:{test.port}/ws",
            subprotocols=[Subprotocol("giechat.v1.json")],
            origin=ORIGIN,
            additional_headers={"Cookie": f"{COOKIE}={cookie(case)}"},
            open_timeout=PATIENCE,
        )
        test.addCleanup(self.socket.close)

    def hear(self, name):
        """The next frame of that name."""
        while True:
            frame = json.loads(self.socket.recv(PATIENCE))
            if frame["t"] == name:
                return frame

    def ask(self, name, **fields):
        self._requests += 1
        self.socket.send(json.dumps({"t": name, "id": self._requests, **fields}))
        return self.hear("ok")

    def close_code(self):
        try:
            while True:
                self.socket.recv(PATIENCE)
        except ConnectionClosed as closed:
            return closed.rcvd and closed.rcvd.code


class ChatTests(ChatCommandCase):
    def test_two_people_talk(self):
        chat = self.start()
        chat.until_it_accepts(self.port)
        self.probe()
        # Alice had switched the chat on in Galaxy; bob has not, and does it here.
        chat.until(lambda: self.who(ALICE).status == 200, "the store")
        self.assertFalse(self.who(ALICE).json["opt_in_needed"])
        self.assertTrue(self.who(BOB).json["opt_in_needed"])
        self.assertEqual(Visitor(self, BOB).close_code(), 4403)
        chosen = ask(
            self.port,
            "/api/prefs",
            cookie=cookie(BOB),
            method="POST",
            headers={"X-Giestack": "1", "Content-Type": "application/json"},
            body=b'{"opt_in": true}',
        )
        self.assertTrue(chosen.json["prefs"]["opt_in"])
        alice, bob = Visitor(self, ALICE), Visitor(self, BOB)
        rooms = {room["name"]: room["id"] for room in alice.hear("hello")["rooms"]}
        self.assertEqual(list(rooms), ROOMS)
        for one in (alice, bob):
            one.ask("resume", rooms={rooms["NGS"]: 0})
        alice.ask("msg", cid="1", room=rooms["NGS"], text="Hello")
        heard = bob.hear("msg")
        self.assertEqual((heard["seq"], heard["text"]), (1, "Hello"))
        chat.send(signal.SIGTERM)
        self.assertEqual([alice.close_code(), bob.close_code()], [1012, 1012])
        self.assertEqual(chat.wait(), 0)
        self.assertNotIn("Traceback", chat.output)
        self.assertTrue((self.folder / "var" / "chat.sqlite").is_file())

    def who(self, case):
        return ask(self.port, "/whoami", cookie=cookie(case))

    def probe(self):
        """What Galaxy's old masthead and strangers get."""
        page = ask(
            self.port,
            "/?username=alice&persistent_communication_rooms=NGS",
            headers={"Origin": ORIGIN},
        )
        self.assertEqual((page.status, page.headers["Access-Control-Allow-Origin"]), (200, "*"))
        self.assertEqual(ask(self.port, "/widget.js").status, 200)
        self.assertEqual(self.who(LOGGED_OUT).status, 401)
        self.assertEqual(Visitor(self, LOGGED_OUT).close_code(), 4401)
        # Nothing else of giestack is there.
        for path in ("/giestack/", "/giestack/chat/whoami", "/metrics", "/interactivetool/ep/a/b/"):
            self.assertEqual(ask(self.port, path, cookie=cookie(ALICE)).status, 404, path)


class LastWordsTests(ChatCommandCase):
    def fails(self, *options):
        """The one line with which it ends."""
        chat = self.start(*options)
        self.assertEqual(chat.wait(), 1)
        lines = [line for line in chat.output.splitlines() if "warning" not in line]
        self.assertEqual(len(lines), 1, chat.output)
        return lines[0]

    def test_a_taken_port(self):
        with socket.create_server(("127.0.0.1", self.port)):
            self.assertIn(f"tcp:{self.port}", self.fails())

    def test_a_default_id_secret(self):
        self.configure(id_secret="USING THE DEFAULT IS NOT SECURE!")
        self.assertIn("id_secret", self.fails())
