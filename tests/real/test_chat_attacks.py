"""The chat among people who mean harm, an operator who is careless, and bad luck; for real."""

import json
import os
import signal
import sqlite3
import time
from base64 import b64encode
from collections.abc import Mapping
from contextlib import closing
from threading import Thread
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from websockets.exceptions import ConnectionClosed

from tests.neighbours.chat_visitor import CHAT, ChatVisitor, opened
from tests.neighbours.galaxy import ADMIN, ALICE, BOB, Galaxy, cookie
from tests.neighbours.giestack import COOKIE, Giestack
from tests.neighbours.program import PATIENCE, allowed

SOCKETS = 500
SETTINGS: Mapping[str, Any] = {
    "opt_in": False,
    "listen": [],
    "rooms": ["NGS"],
    "limits": {"rate": 100.0, "burst": 1000, "sockets_per_user": 0},
}
SAID = "nobody-else-is-to-read-this"
POO = "\N{PILE OF POO}"

BOMBS = (
    "[" * 65_000,
    '{"t":' + '{"a":' * 10_000,
    '{"t":"hist","room":"x","id":' + "9" * 60_000 + "}",
    '{"t":"read","id":1,"room":"x","seq":NaN}',
    '{"t":"msg","id":"\\ud800","cid":"x","room":"x","text":"\\udfff"}',
    json.dumps({"t": "msg", "id": 1, "cid": "x", "room": "x", "text": POO * 5000}),
    json.dumps({"t": "create", "id": 1, "name": "\ufdfa" * 10_000}),
    json.dumps({"t": "resume", "id": 1, "rooms": {str(number): 0 for number in range(5000)}}),
    json.dumps({"t": "search", "id": 1, "text": "\" OR * NEAR( ) ^ -a {col}: '' ; --" * 5}),
)


class AttackTests(SynchronousTestCase):
    def setUp(self):
        self.galaxy = Galaxy(self)
        settings: Mapping[str, Any] = {"chat": SETTINGS, "log": {"level": "debug"}}
        self.giestack = Giestack(self, self.galaxy, settings)
        self.giestack.until_it_answers(f"{CHAT}/whoami", 200, cookie=cookie(ALICE))
        self.database = self.giestack.files / "var" / "chat.sqlite"
        self.alice, self.bob = map(self.visitor, (ALICE, BOB))
        self.room = self.alice.room("NGS")
        for one in (self.alice, self.bob):
            one.ask("resume", rooms={self.room: 0})

    def visitor(self, case):
        return ChatVisitor(self, self.giestack.port, case)

    def test_from_the_first_to_the_last(self):
        self.bombs()
        self.a_flood()
        self.somebody_else_has_the_file()
        self.the_end_in_the_middle_of_messages()
        self.nothing_is_told()

    def they_talk(self, text):
        seq = self.alice.say(self.room, text)
        self.assertEqual(self.bob.hear("msg", seq=seq)["text"], text)

    def bombs(self):
        admin = self.visitor(ADMIN)
        for number, bomb in enumerate(BOMBS):
            admin.socket.send(bomb)
            told = admin.until(lambda frame: frame["t"] in ("ok", "err"), f"bomb {number}")
            self.assertNotIn("Error", told.get("message", ""))
            self.they_talk(f"after bomb {number}")
        admin.socket.send(POO * 20_000)
        self.assertEqual(admin.close_code(), 1009)

    def a_flood(self):
        """10,000 frames that nobody can read."""
        garbage = opened(self.giestack.port, ADMIN)
        codes = []

        def send():
            try:
                for number in range(10_000):
                    garbage.send(f"{{garbage {number}")
            except ConnectionClosed as closed:
                codes.append(closed.rcvd and closed.rcvd.code)

        sending = Thread(target=send)
        sending.start()
        for number in range(20):
            self.they_talk(f"in the flood {number}")
        sending.join()
        with self.assertRaises(ConnectionClosed) as ended:
            while True:
                garbage.recv(PATIENCE)
        # Who is cut off while sending may have lost the reason.
        self.assertIn(ended.exception.rcvd and ended.exception.rcvd.code, (4429, None))

    def somebody_else_has_the_file(self):
        """A careless program keeps the database locked: that is said, and passes."""
        with closing(sqlite3.connect(self.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            self.assertEqual(self.alice.refused("msg", cid="l", room=self.room, text="x"), "server")
            # Reading goes on.
            self.assertTrue(self.alice.ask("hist", room=self.room)["events"])
            other.execute("ROLLBACK")
        self.they_talk("and again")
        # What was refused was not stored after all, or is stored once.
        seq = self.alice.ask("msg", cid="l", room=self.room, text="x")["seq"]
        self.assertEqual(self.bob.hear("msg", seq=seq)["text"], "x")

    def the_end_in_the_middle_of_messages(self):
        crowd = [self.connected() for _ in range(SOCKETS)]
        for number in range(200):
            text = f"{SAID} {number}"
            frame = {"t": "msg", "id": number, "cid": text, "room": self.room, "text": text}
            self.alice.socket.send(json.dumps(frame))
        began = time.monotonic()
        self.giestack.program.send(signal.SIGTERM)
        frames = []
        try:
            while True:
                frames.append(json.loads(self.alice.socket.recv(PATIENCE)))
        except ConnectionClosed as closed:
            self.assertEqual(closed.rcvd and closed.rcvd.code, 1012)
        self.assertEqual(self.giestack.program.wait(), 0)
        self.assertLess(time.monotonic() - began, allowed(10))
        done = [frame for frame in frames if frame["t"] == "ok" and "seq" in frame]
        acknowledged = {frame["seq"]: f"{SAID} {frame['id']}" for frame in done}
        with closing(sqlite3.connect(self.database)) as database:
            stored = dict(database.execute("SELECT seq, text FROM chat_event"))
        self.assertEqual(sorted(stored), list(range(1, len(stored) + 1)))
        self.assertEqual({seq: stored.get(seq) for seq in acknowledged}, acknowledged)
        for one in crowd:
            received = b""
            # Who does not say goodbye is cut off in the end.
            try:
                while some := one.recv(65536):
                    received += some
            except ConnectionResetError:
                pass
            # Code 1012 and why.
            self.assertIn(b"\x03\xf4restart", received)

    def connected(self):
        """A bare WebSocket of Bob's that has got its `hello`."""
        connection = self.giestack.connect()
        self.addCleanup(connection.close)
        connection.sendall(
            f"GET {CHAT}/ws HTTP/1.1\r\nHost: 127.0.0.1:{self.giestack.port}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {b64encode(os.urandom(16)).decode()}\r\n"
            "Sec-WebSocket-Protocol: giechat.v1.json\r\n"
            f"Cookie: {COOKIE}={cookie(BOB)}\r\n\r\n".encode()
        )
        received = b""
        while b'"hello"' not in received:
            received += connection.recv(65536)
        return connection

    def nothing_is_told(self):
        """Whatever giestack wrote about all that, at level debug."""
        told = self.giestack.written()
        self.assertIn(b"/chat/ws", told["var/access.log"])
        for name, text in told.items():
            for case in (ALICE, BOB, ADMIN):
                self.assertNotIn(cookie(case).encode(), text, name)
            self.assertNotIn(self.galaxy.id_secret.encode(), text, name)
            if "chat.sqlite" not in name:
                self.assertNotIn(SAID.encode(), text, name)
                self.assertNotIn(b"Traceback", text, name)
