"""What this node tells others and hears of them; see `giestack.chat.store.wakeups`."""

from collections.abc import Callable, Mapping, Sequence
from secrets import token_urlsafe
from typing import Any

from sqlalchemy import Connection, select
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from giestack.chat.storage import Appended, Signal, Watcher
from giestack.chat.store.append import Outcome
from giestack.chat.store.engines import Engines
from giestack.chat.store.tables import room
from giestack.chat.store.wakeups import CHANNEL, Announcer, read_payload
from giestack.database import Database
from giestack.notifications import Listener

LOOK_SECONDS = 5.0
"""How often the tables are looked at, for what nobody has told."""

_SLACK_MS = 600_000
"""Clocks of nodes may differ by this much."""


class Nodes:
    """The other nodes, where the database can have some: on PostgreSQL.

    All methods belong to the reactor's thread, and that is where the watcher is told.

    :ivar watcher: whom to tell.
    """

    log = Logger()

    def __init__(
        self, engines: Engines, database: Database, reactor: Any, now: Callable[[], int]
    ) -> None:
        self.watcher: Watcher | None = None
        self._engines = engines
        self._database = database
        self._reactor = reactor
        self._now = now
        self._node = token_urlsafe(8)
        self._epoch = ""
        self._looked_at = 0
        self._running = False
        self._timer: IDelayedCall | None = None
        self._announcer: Announcer | None = None
        self._listener: Listener | None = None

    def start(self, epoch: str) -> None:
        """Begin."""
        if self._engines.path is not None:
            return
        self._running = True
        self._epoch = epoch
        self._looked_at = self._now()
        self._announcer = Announcer(self._engines.write, epoch, self._node)
        self._announcer.start()
        # It has us look at the tables as soon as it hears.
        self._listener = Listener(
            self._engines.write,
            CHANNEL,
            lambda payload: self._reactor.callFromThread(self._heard, payload),
            lambda why: self.log.warn("Other nodes are not heard: {why}", why=why),
        )
        self._listener.start()
        self._timer = self._reactor.callLater(LOOK_SECONDS, self._look)

    def stop(self) -> None:
        """End; what there is to be told still is."""
        self._running = False
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._announcer is not None and self._listener is not None:
            self._announcer.stop()
            self._listener.stop()

    def tell(self, signal: Signal) -> None:
        """See `giestack.chat.storage.Store.tell`."""
        if self._running and self._announcer is not None:
            self._announcer.tell(signal)

    def stored(self, outcomes: Sequence[Outcome], late: bool) -> None:
        """Events were stored here; ``late``: nobody waited for them any more."""
        rooms: dict[str, int] = {}
        for one in outcomes:
            if isinstance(one, Appended) and one.new:
                rooms[one.event.room] = max(one.event.seq, rooms.get(one.event.room, 0))
        if self._running and self._announcer is not None and rooms:
            self._announcer.moved(rooms)
        if late:
            self._moved(rooms)

    def _moved(self, rooms: Mapping[str, int]) -> None:
        if rooms and self.watcher is not None:
            self.watcher.moved(rooms)

    def _heard(self, payload: str | None) -> None:
        if not self._running:
            return
        if payload is None:
            self._look()
            return
        told = read_payload(payload, self._epoch, self._node)
        if isinstance(told, Signal):
            if self.watcher is not None:
                self.watcher.signalled(told)
        elif told is not None:
            self._moved(told)

    def _look(self) -> None:
        """Tell how far the rooms are that were in use lately, and do so again in a while.

        That they have moved is told again and again: the watcher knows what it has, and may not
        have been able to fetch it before.
        """
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        began = self._now()

        def looked(rooms: dict[str, int]) -> None:
            self._looked_at = began
            self._moved(rooms)

        def failed(failure: Failure) -> None:
            self.log.warn("Rooms of other nodes: {why}", why=failure.getErrorMessage())

        def done(_: object) -> None:
            if self._running and not (self._timer is not None and self._timer.active()):
                self._timer = self._reactor.callLater(LOOK_SECONDS, self._look)

        asked = self._database.run(_used_since, self._looked_at - _SLACK_MS)
        asked.addCallbacks(looked, failed).addCallback(done)


def _used_since(connection: Connection, since: int) -> dict[str, int]:
    query = select(room.c.id, room.c.last).where(room.c.used >= since, room.c.last > 0)
    return {row.id: row.last for row in connection.execute(query)}
