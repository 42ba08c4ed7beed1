"""Opening the store, and what the chat does now and then by itself."""

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from giestack.chat.nodes import BEAT, Nodes
from giestack.chat.outlet import batch
from giestack.chat.requests import Requests
from giestack.chat.surroundings import Surroundings
from giestack.database import DatabaseUnavailable

TICK = 1.0
"""Seconds between two looks at who has come and left."""

HOUSEKEEPING = 60.0
"""Seconds between two looks at sanctions and at what is too old to keep."""

OPENING = 4.0
"""Seconds for which those who come wait for the store that is being opened."""

_OPEN_AGAIN = 5.0


class Upkeep:
    """Keeps the chat going.

    :ivar ready: whether the store is open.
    """

    _log = Logger()

    def __init__(
        self,
        around: Surroundings,
        requests: Requests,
        nodes: Nodes,
        clock: IReactorTime,
        look_again: Callable[[], Awaitable[None]],
    ) -> None:
        """
        :param look_again: takes in who those are now who are here.
        """
        self._look_again = look_again
        self.ready = False
        self._around = around
        self._requests = requests
        self._nodes = nodes
        self._clock = clock
        self._ending = False
        self._opening: Any = None
        self._tried: set[Deferred[None]] | None = None
        self._persisted: tuple[str, ...] | None = None
        self._repeated = [
            self._every(TICK, self._tick),
            self._every(BEAT, nodes.beat),
            self._every(HOUSEKEEPING, self._keep_house),
        ]

    def start(self) -> None:
        """Open the store, now or as soon as that can be done."""
        self._ending = False
        self._around.store.watch(self._nodes)
        self._open()

    def stop(self) -> Deferred[None]:
        """Close the store; fires when all that was accepted is there."""
        self._ending = True
        if self._opening is not None and self._opening.active():
            self._opening.cancel()
        for one, _ in self._repeated:
            if one.running:
                one.stop()
        self._was_tried(None)
        if self.ready:
            self._nodes.end()
        self.ready = False
        return self._around.store.close()

    @property
    def opening(self) -> bool:
        """Whether the store is being opened now."""
        return self._tried is not None

    def tried(self) -> Deferred[None]:
        """Fires when the store was opened, or could not be; in `OPENING` seconds at the latest."""
        waiting: Deferred[None] = Deferred()
        late = self._clock.callLater(OPENING, waiting.callback, None)
        waiting.addCallback(lambda _: late.cancel() if late.active() else None)
        waiting.addCallback(lambda _: self._tried.discard(waiting) if self._tried else None)
        if self._tried is not None:
            self._tried.add(waiting)
        return waiting

    def _open(self) -> None:
        self._tried = set()
        opening = Deferred.fromCoroutine(self._opened())
        opening.addErrback(self._not_opened)
        opening.addCallback(self._was_tried)

    def _was_tried(self, _: object) -> None:
        waiting, self._tried = self._tried or (), None
        for one in tuple(waiting):
            one.callback(None)

    async def _opened(self) -> None:
        await self._around.store.open()
        await self._persist()
        await self._requests.moderating.refresh()
        if self._ending:
            return
        self.ready = True
        self._nodes.begin()
        for one, seconds in self._repeated:
            one.start(seconds, now=False)

    def _not_opened(self, failure: Failure) -> None:
        if self._ending:
            return
        if failure.check(DatabaseUnavailable) is None:
            self._log.failure("the chat could not be opened", failure)
            return
        self._log.error("the chat can't be opened yet: {reason}", reason=str(failure.value))
        self._opening = self._clock.callLater(_OPEN_AGAIN, self._open)

    def rooms_changed(self) -> None:
        """Have the rooms that the configuration names now."""
        Deferred.fromCoroutine(self._persist()).addErrback(self._later_perhaps)

    async def _persist(self) -> None:
        rooms = self._around.rules.rooms
        await self._around.store.persist(rooms)
        self._persisted = rooms

    def _tick(self) -> None:
        around = self._around
        around.hearing.look_at_the_slow()
        around.people.expire(around.milliseconds())
        for presence in around.people.changes(around.milliseconds()):
            room = around.rooms.find(presence.room)
            if room is not None and room.seats:
                told = batch(presence)
                # Also to those who are being sent what they have missed.
                for client in list(room.seats):
                    if not client.paused:
                        client.send(told)
        self._nodes.changes()

    def _keep_house(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._kept_house()).addErrback(self._later_perhaps)

    async def _kept_house(self) -> None:
        around = self._around
        around.rooms.forget_resting()
        if self._persisted != around.rules.rooms:
            # The store was out of reach when they became others.
            await self._persist()
        await self._requests.moderating.refresh()
        await self._look_again()
        before = around.rules.keeps_from(around.now())
        if before is not None:
            gone = await self._around.store.prune(before)
            if gone:
                for room in around.rooms:
                    room.rest()
                self._log.info("{count} events were forgotten for their age", count=gone)

    def _later_perhaps(self, failure: Failure) -> None:
        if failure.check(DatabaseUnavailable) is None:
            self._log.failure("the chat could not look after itself", failure)
        else:
            self._log.warn("the chat's store is out of reach: {why}", why=str(failure.value))

    def _every(self, seconds: float, call: Callable[[], Any]) -> tuple[LoopingCall, float]:
        def guarded() -> Any:
            with self._log.failuresHandled("something of the chat that is done now and then"):
                return call()

        repeated = LoopingCall(guarded)
        repeated.clock = self._clock
        return repeated, seconds
