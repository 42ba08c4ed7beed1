"""Nodes on one PostgreSQL wake each other: NOTIFY tells that something has happened.

A notification holds no event: whoever is woken reads from the tables. It may get lost, so
every few seconds each node looks for rooms that have moved, too. Both ways end in
`giestack.chat.storage.Watcher`.

Through PgBouncer in transaction mode no notification arrives (a LISTEN belongs to a server's
session); messages of other nodes then come with the next look at the tables, and signals, such as
who is typing, not at all. Give the chat a connection past it, or PgBouncer's session mode.
"""

import json
from collections import deque
from collections.abc import Iterator, Mapping
from threading import Condition, Thread

from sqlalchemy import Connection, Engine, text
from twisted.logger import Logger

from giestack.chat.storage import Signal
from giestack.database import DatabaseUnavailable, ask

CHANNEL = "giechat"

LONGEST = 7900
"""Bytes of a notification; PostgreSQL takes less than 8000."""

MOST_SIGNALS = 1000
"""So many wait at most; then the oldest is dropped."""

_notify = text(f"SELECT pg_notify('{CHANNEL}', :payload)")


def payloads(epoch: str, node: str, rooms: Mapping[str, int]) -> Iterator[str]:
    """Return notifications of rooms that have moved, none too long."""
    some: dict[str, int] = {}
    head = len(_payload(epoch, node, {"m": {}}).encode())
    size = head
    for id, last in rooms.items():
        more = len(f'"{id}":{last},'.encode())
        if some and size + more > LONGEST:
            yield _payload(epoch, node, {"m": some})
            some, size = {}, head
        some[id] = last
        size += more
    if some:
        yield _payload(epoch, node, {"m": some})


def signal_payload(epoch: str, node: str, signal: Signal) -> str | None:
    """Return the notification of a signal, or None where it is too long."""
    made = _payload(epoch, node, {"s": [signal.kind, signal.node, dict(signal.body)]})
    return made if len(made.encode()) <= LONGEST else None


def _payload(epoch: str, node: str, what: Mapping[str, object]) -> str:
    return json.dumps({"e": epoch, "n": node, **what}, ensure_ascii=False, separators=(",", ":"))


def read_payload(payload: str, epoch: str, node: str) -> dict[str, int] | Signal | None:
    """Return what a notification tells: rooms or a signal; None: nothing, or one's own.

    Anybody with access to the database can send one, so anything may be in it.
    """
    try:
        found = json.loads(payload)
        if found["e"] != epoch or found["n"] == node:
            return None
        if "s" in found:
            kind, teller, body = found["s"]
            return Signal(kind=str(kind), node=str(teller), body=dict(body))
        return {str(id): int(last) for id, last in found["m"].items()}
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError):
        return None


class Announcer:
    """Tells the other nodes, in a thread of its own: nobody waits for it.

    What has moved while it is at work is told together.
    """

    log = Logger()

    def __init__(self, engine: Engine, epoch: str, node: str) -> None:
        self._engine = engine
        self._epoch = epoch
        self._node = node
        self._rooms: dict[str, int] = {}
        self._signals: deque[str] = deque(maxlen=MOST_SIGNALS)
        self._condition = Condition()
        self._running = True
        self._thread = Thread(target=self._work, name="chat-announcer", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after what there is to be told."""
        with self._condition:
            self._running = False
            self._condition.notify()

    def moved(self, rooms: Mapping[str, int]) -> None:
        """Tell that rooms have new events."""
        with self._condition:
            self._rooms.update(rooms)
            self._condition.notify()

    def tell(self, signal: Signal) -> None:
        """Tell a signal."""
        made = signal_payload(self._epoch, self._node, signal)
        if made is None:
            self.log.warn("A signal ({kind}) is too long for the other nodes", kind=signal.kind)
            return
        with self._condition:
            self._signals.append(made)
            self._condition.notify()

    def _work(self) -> None:
        while True:
            with self._condition:
                while self._running and not self._rooms and not self._signals:
                    self._condition.wait()
                rooms, self._rooms = self._rooms, {}
                signals = [*self._signals]
                self._signals.clear()
            if not rooms and not signals:
                return
            told = [*payloads(self._epoch, self._node, rooms), *signals]
            try:
                ask(self._engine, _announce, told)
            except DatabaseUnavailable:
                # They will find out by themselves.
                continue


def _announce(connection: Connection, told: list[str]) -> None:
    for one in told:
        connection.execute(_notify, {"payload": one})
    connection.commit()
