"""Somebody in a browser, as the chat sees them: a WebSocket of PyPI's ``websockets``."""

import json
from collections import defaultdict
from collections.abc import Callable
from itertools import count
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from tests.neighbours.galaxy import cookie
from tests.neighbours.giestack import COOKIE, ask
from tests.neighbours.program import PATIENCE, CleanUp

CHAT = "/giestack/chat"
Frame = dict[str, Any]


def opened(port: int, case: str) -> ClientConnection:
    """Open a WebSocket to the chat on a proxy port of 127.0.0.1, with somebody's cookie."""
    return connect(
        f"ws://127.0.0.1:{port}{CHAT}/ws",
        subprotocols=[Subprotocol("giechat.v1.json")],
        origin=Origin(f"http://127.0.0.1:{port}"),
        additional_headers={"Cookie": f"{COOKIE}={cookie(case)}"},
        open_timeout=PATIENCE,
        ping_interval=None,
    )


def take_part(port: int, case: str) -> None:
    """Have somebody switch the chat on."""
    body, headers = b'{"opt_in": true}', {"X-Giestack": "1", "Content-Type": "application/json"}
    chosen = ask(
        port, f"{CHAT}/api/prefs", cookie=cookie(case), method="POST", headers=headers, body=body
    )
    assert chosen.status == 200, chosen


class ChatVisitor:
    """A client that waits for one frame after the other, and says what is missing in vain.

    :ivar hello: what it was told first; None where it was not let in.
    :ivar events: numbers of the events it has heard, by id of the room.
    :ivar closed: the close code, once there is one.
    """

    def __init__(self, test: CleanUp, port: int, case: str) -> None:
        self.socket = opened(port, case)
        test.addCleanup(self.socket.close)
        self.events: dict[str, list[int]] = defaultdict(list)
        self.closed: int | None = None
        self._ids = count(1)
        self._unread: list[Frame] = []
        self.hello = self._received()

    @property
    def id(self) -> str:
        """Whose it is."""
        assert self.hello is not None, self.closed
        found: str = self.hello["user"]["id"]
        return found

    def room(self, name: str) -> str:
        """The id of a room that it was told of at first."""
        assert self.hello is not None, self.closed
        return next(room["id"] for room in self.hello["rooms"] if room["name"] == name)

    def hear(self, name: str, **fields: object) -> Frame:
        """The next frame of that name that has these fields; others stay to be heard."""
        wanted = {"t": name, **fields}
        return self.until(
            lambda frame: all(frame.get(key) == value for key, value in wanted.items()), str(wanted)
        )

    def until(self, found: Callable[[Frame], object], what: str) -> Frame:
        """The next frame for which this is true; others stay to be heard."""
        for frame in self._unread:
            if found(frame):
                self._unread.remove(frame)
                return frame
        while (new := self._received()) is not None:
            if found(new):
                return new
            self._unread.append(new)
        raise AssertionError(f"{what}: closed with {self.closed}; heard {self._unread[-5:]}")

    def ask(self, name: str, **fields: object) -> Frame:
        """Ask for something that is granted."""
        answer = self.answer(name, **fields)
        assert answer["t"] == "ok", answer
        return answer

    def refused(self, name: str, **fields: object) -> str:
        """Ask for something that is refused; the code."""
        answer = self.answer(name, **fields)
        assert answer["t"] == "err", answer
        code: str = answer["code"]
        return code

    def answer(self, name: str, **fields: object) -> Frame:
        """Ask for something; ``ok`` or ``err``."""
        number = self.send(name, **fields)
        return self.until(
            lambda frame: frame["t"] in ("ok", "err") and frame.get("id") == number, name
        )

    def send(self, name: str, **fields: object) -> int:
        """Ask for something, and don't wait for the answer; returns the request's id."""
        number = next(self._ids)
        self.socket.send(json.dumps({"t": name, "id": number, **fields}))
        return number

    def say(self, room: str, text: str, **fields: object) -> int:
        """Say something; its number."""
        seq: int = self.ask("msg", cid=text, room=room, text=text, **fields)["seq"]
        return seq

    def close_code(self) -> int | None:
        """Wait for the end of the connection."""
        while self.closed is None:
            self._received()
        return self.closed

    def leave(self) -> None:
        """End the connection."""
        self.socket.close()

    def _received(self) -> Frame | None:
        try:
            frame: Frame = json.loads(self.socket.recv(PATIENCE))
        except ConnectionClosed as ended:
            self.closed = ended.rcvd.code if ended.rcvd else 1006
            return None
        if "seq" in frame and frame["t"] in ("msg", "edit", "del", "mod"):
            self.events[frame["room"]].append(frame["seq"])
        return frame
