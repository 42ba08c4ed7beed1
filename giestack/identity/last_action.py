"""Tells Galaxy that a visitor is at work, so that their login does not end over a notebook.

Galaxy ends sessions that ask it nothing for ``session_duration``. Who works in a notebook asks
Galaxy nothing. This is the only thing that giestack ever writes into Galaxy's database.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy import BigInteger, Boolean, Connection, DateTime, column, table, update
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from giestack.database import Database, DatabaseUnavailable
from giestack.visitor import Anonymous, Identity

INTERVAL = 60.0
"""Seconds between two writes."""

MOST = 10_000
"""Sessions that one write tells of; SQLite takes 32,766 values in a statement."""

_STOP_SECONDS = 2.0

# What an open JupyterLab asks every few seconds, with nobody in front of it; at
# lab/api/workspaces it also writes.
_POLLED = re.compile(
    rb"[^?]*/api/(?:(?:contents|events|kernels|kernelspecs|me|metrics|sessions|status|terminals)"
    rb"(?:/[^?]*)?|(workspaces)(?:/[^?]*)?)(?:\?|\Z)"
)
_CHANNELS = re.compile(rb"[^?]*/channels(?:\?|\Z)")

_session = table(
    "galaxy_session",
    column("id", BigInteger),
    column("is_valid", Boolean),
    column("last_action", DateTime),
)


class Use(Protocol):
    """As `giestack.proxy.decision.Use`."""

    def __call__(self, method: bytes, target: bytes) -> Callable[[], None] | None: ...


def write_last_action(connection: Connection, session_ids: Sequence[int], now: datetime) -> None:
    """Set ``galaxy_session.last_action`` of those sessions that are still valid."""
    statement = update(_session).where(_session.c.id.in_(session_ids), _session.c.is_valid)
    connection.execute(statement.values(last_action=now))
    connection.commit()


class LastAction:
    """Collects whose tools and notebooks are used, and tells Galaxy once a minute."""

    log = Logger()

    def __init__(
        self, database: Database, clock: IReactorTime, utcnow: Callable[[], datetime]
    ) -> None:
        """
        :param database: of an engine that may write; started and stopped here.
        :param utcnow: the wall clock, naive UTC as in Galaxy's tables.
        """
        self._database = database
        self._clock = clock
        self._utcnow = utcnow
        self._used: set[int] = set()
        self._failing = False
        self._loop = LoopingCall(self.write)
        self._loop.clock = clock

    def start(self) -> None:
        """Write once a minute from now on."""
        self._database.start()
        self._loop.start(INTERVAL, now=False)

    def stop(self) -> Deferred[None]:
        """Write the rest and end; takes about two seconds at most."""
        if self._loop.running:
            self._loop.stop()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        writing = self.write()
        late = self._clock.callLater(_STOP_SECONDS, writing.cancel)
        await writing
        left = 0.0
        if late.active():
            left = late.getTime() - self._clock.seconds()
            late.cancel()
        await self._database.stop(left)

    def used(self, visitor: Identity | Anonymous) -> None:
        """A visitor uses something that Galaxy does not see."""
        if len(self._used) < MOST and not (
            isinstance(visitor, Identity) and visitor.host != "galaxy"
        ):
            self._used.add(visitor.session_id)

    def use_of(self, visitor: Identity | Anonymous, use: Use | None) -> Use:
        """What the front door is to tell of requests of a visitor.

        :param use: who wants to know of them too, and says which of them are use; None: all are,
            but what looks as if an open page asks it by itself.
        """

        def told(method: bytes, target: bytes) -> Callable[[], None] | None:
            if use is None:
                return None if _by_itself(method, target) else lambda: self.used(visitor)
            touch = use(method, target)
            if touch is None:
                return None

            def both() -> None:
                self.used(visitor)
                touch()

            return both

        return told

    def write(self) -> Deferred[None]:
        """Tell Galaxy now; never fails."""
        return Deferred.fromCoroutine(self._write())

    async def _write(self) -> None:
        used, self._used = self._used, set()
        if not used:
            return
        try:
            await self._database.run(write_last_action, sorted(used), self._utcnow())
        except (DatabaseUnavailable, CancelledError) as error:
            # Who is left out then will be named again with their next request.
            self._used |= set(list(used)[: MOST - len(self._used)])
            if not self._failing:
                self.log.warn(
                    "last_action of {count} sessions could not be written: {reason}; "
                    "tried again every minute, and not said again",
                    count=len(used),
                    reason=str(error) or "there was no time for it",
                )
            self._failing = True
            return
        if self._failing:
            self.log.info("last_action can be written again")
        self._failing = False


def _by_itself(method: bytes, target: bytes) -> bool:
    """Whether a Jupyter page would ask this with nobody in front of it."""
    polled = _POLLED.match(target)
    if polled is None:
        return False
    if polled[1] is not None:
        return True
    return method in (b"GET", b"HEAD") and not _CHANNELS.match(target)
