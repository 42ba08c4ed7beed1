"""People who talk all the time, come back whenever they are cut off, and notice what is wrong."""

import json
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from threading import Condition, Thread
from time import monotonic
from typing import Any

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection

from tests.neighbours.chat_visitor import Frame, opened
from tests.neighbours.program import PATIENCE

AT_ONCE = 4
"""Messages that one of them has under way."""

_PAGE = 100


class Crowd:
    """Some people in some rooms, each by a client of their own.

    :ivar acknowledged: by cid: room and number.
    :ivar wrong: what should not have happened.
    """

    def __init__(self, people: Sequence[tuple[str, Callable[[], int]]], rooms: Sequence[str]):
        """
        :param people: whose cookie, and to which port they connect now.
        :param rooms: ids of the rooms they all hear, and say things in by turns.
        """
        self.acknowledged: dict[str, tuple[str, int]] = {}
        self.wrong: list[str] = []
        self.rooms = rooms
        self.silent = False
        self.ended = False
        self.changed = Condition()
        self.talkers = [
            Talker(self, number, case, port) for number, (case, port) in enumerate(people)
        ]
        for one in self.talkers:
            one.start()

    def noticed(self, what: str) -> None:
        """Something is wrong."""
        with self.changed:
            self.wrong.append(what)
            self.changed.notify_all()

    def until(self, found: Callable[[], object], what: str) -> None:
        """Wait until this is true."""
        deadline = monotonic() + PATIENCE
        with self.changed:
            while not found():
                if not self.changed.wait(deadline - monotonic()):
                    told = [one.told() for one in self.talkers]
                    raise AssertionError(f"{what}: not in time; {self.wrong[:5]} {told}")

    def until_more(self, count: int = 1) -> None:
        """Wait until so many more messages were acknowledged."""
        before = len(self.acknowledged)
        self.until(lambda: len(self.acknowledged) >= before + count, "more messages")

    def fall_silent(self) -> None:
        """Say nothing new; wait until all is acknowledged that was said, and heard by all."""
        self.silent = True
        self.until(lambda: not any(one.pending for one in self.talkers), "all is acknowledged")
        last = dict.fromkeys(self.rooms, 0)
        for room, seq in self.acknowledged.values():
            last[room] = max(last[room], seq)
        self.until(lambda: all(one.has(last) for one in self.talkers), f"all is heard: {last}")

    def end(self) -> None:
        """Have everybody leave."""
        self.ended = True
        for one in self.talkers:
            one.cut()
        for one in self.talkers:
            one.join(PATIENCE)

    def check(self, log: Collection[Frame]) -> None:
        """Compare what there is, all events of all rooms, with what was acknowledged and heard."""
        for room in self.rooms:
            events = [one for one in log if one["room"] == room]
            if [one["seq"] for one in events] != list(range(1, len(events) + 1)):
                self.noticed(f"numbers of {room} have gaps")
        there = {(one["room"], one["seq"]): one["text"] for one in log}
        if len(set(there.values())) != len(log):
            self.noticed("something is there twice")
        for cid, place in self.acknowledged.items():
            if there.get(place) != cid:
                self.noticed(f"{cid} was acknowledged as {place} and is lost")
        for one in self.talkers:
            if one.heard != there:
                self.noticed(f"{one.name} has heard other things: {one.told()}")


class Talker(Thread):
    """One of them. Each message's text is its cid.

    :ivar pending: cids and rooms of what was said and not acknowledged.
    :ivar heard: texts by room and number.
    :ivar codes: close codes, in order; 1006 where there was none.
    :ivar refused: what was refused, and the code.
    """

    def __init__(self, crowd: Crowd, number: int, case: str, port: Callable[[], int]) -> None:
        super().__init__(name=f"talker {number}", daemon=True)
        self.pending: dict[str, str] = {}
        self.heard: dict[tuple[str, int], str] = {}
        self.codes: list[int] = []
        self.refused: list[str] = []
        self._crowd = crowd
        self._number = number
        self._case = case
        self._port = port
        self._said = 0
        self._last = dict.fromkeys(crowd.rooms, 0)
        self._socket: ClientConnection | None = None
        self._asked: dict[int, str] = {}
        self._requests = 0
        self._missing: dict[str, int] = {}
        self._early: list[Frame] = []
        self._here = False

    def told(self) -> str:
        """How it stands with this one."""
        return f"{self.name}: {self._last} {len(self.pending)} pending, {self.codes} {self.refused}"

    def has(self, last: dict[str, int]) -> bool:
        """Whether everything was heard up to these numbers, by room."""
        return all(self._last[room] >= seq for room, seq in last.items())

    def cut(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()

    def run(self) -> None:
        while not self._crowd.ended:
            try:
                self._socket = opened(self._port(), self._case)
            except (OSError, WebSocketException):
                self._pause()
                continue
            try:
                self._talk(self._socket)
            except ConnectionClosed as closed:
                self.codes.append(closed.rcvd.code if closed.rcvd else 1006)
                if closed.rcvd:
                    self._pause()
            except Exception as error:
                self._crowd.noticed(f"{self.name}: {error!r}")
                return
            finally:
                self._socket.close()

    def _pause(self) -> None:
        with self._crowd.changed:
            self._crowd.changed.wait(0.05)

    def _talk(self, socket: ClientConnection) -> None:
        self._asked, self._missing, self._early = {}, {}, []
        hello = json.loads(socket.recv(PATIENCE))
        assert hello["t"] == "hello", hello
        self._here = False
        self._ask(socket, "resume", "", rooms=self._last)
        while not self._crowd.ended:
            while self._here and not self._crowd.silent and len(self.pending) < AT_ONCE:
                self._say(socket)
            try:
                frame = json.loads(socket.recv(1))
            except TimeoutError:
                continue
            self._take(socket, frame)
            with self._crowd.changed:
                self._crowd.changed.notify_all()

    def _say(self, socket: ClientConnection) -> None:
        self._said += 1
        cid = f"{self._number}-{self._said}"
        room = self._crowd.rooms[self._said % len(self._crowd.rooms)]
        self.pending[cid] = room
        self._ask(socket, "msg", cid, cid=cid, room=room, text=cid)

    def _ask(self, socket: ClientConnection, name: str, about: str, **fields: object) -> None:
        self._requests += 1
        self._asked[self._requests] = about
        # What came before the end is still to be read; that says that it has ended.
        with suppress(ConnectionClosed):
            socket.send(json.dumps({"t": name, "id": self._requests, **fields}))

    def _take(self, socket: ClientConnection, frame: Frame) -> None:
        kind = frame["t"]
        if kind == "gap":
            if frame["from"] != self._last[frame["room"]] + 1:
                self._crowd.noticed(f"{self.name}: {frame} after {self._last}")
            self._missing[frame["room"]] = frame["to"]
            self._fetch(socket, frame["room"])
        elif kind == "msg":
            if frame["room"] in self._missing:
                self._early.append(frame)
            else:
                self._hear(frame)
        elif kind in ("ok", "err"):
            self._answered(socket, frame, self._asked.pop(frame["id"]))

    def _answered(self, socket: ClientConnection, frame: Frame, about: str) -> None:
        if frame["t"] == "err":
            self.refused.append(f"{about or 'resume'}: {frame['code']}")
            if frame["code"] != "server":
                self._crowd.noticed(f"{self.name}: {frame}")
            # Whoever is refused for the server's sake says it again, and asks again.
            self._pause()
            if about in self.pending:
                room = self.pending[about]
                self._ask(socket, "msg", about, cid=about, room=room, text=about)
            elif about:
                self._fetch(socket, about)
            else:
                self._ask(socket, "resume", "", rooms=self._last)
        elif about in self.pending:
            place = self.pending.pop(about), frame["seq"]
            with self._crowd.changed:
                if self._crowd.acknowledged.setdefault(about, place) != place:
                    self._crowd.noticed(f"{about} is there twice")
        elif not about:
            self._here = True
            for cid, room in self.pending.items():
                self._ask(socket, "msg", cid, cid=cid, room=room, text=cid)
        elif about in self._missing:
            self._fetched(socket, about, frame["events"])

    def _fetch(self, socket: ClientConnection, room: str) -> None:
        self._ask(socket, "hist", room, room=room, after=self._last[room], limit=_PAGE)

    def _fetched(self, socket: ClientConnection, room: str, events: list[Any]) -> None:
        for one in events:
            if one["seq"] <= self._missing[room]:
                self._hear(one)
        if self._last[room] < self._missing[room]:
            self._fetch(socket, room)
            return
        del self._missing[room]
        for one in [one for one in self._early if one["room"] == room]:
            self._early.remove(one)
            self._hear(one)

    def _hear(self, frame: Frame) -> None:
        room, seq = frame["room"], frame["seq"]
        if seq != self._last[room] + 1:
            self._crowd.noticed(f"{self.name}: {seq} of {room} came after {self._last[room]}")
        self._last[room] = seq
        self.heard[room, seq] = frame["text"]
