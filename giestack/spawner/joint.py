"""Work that several wait for, or that goes on though nobody waits for it any more."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


def apart(work: Deferred[T]) -> Deferred[T]:
    """A Deferred with the same result, whose cancelling does not touch the work.

    A failure that nobody waits for any more is nobody's.
    """
    result: Deferred[T] = Deferred()

    def done(outcome: Any) -> None:
        if not result.called:
            result.callback(outcome)

    work.addBoth(done)
    return result


class Joint(Generic[T]):
    """One piece of work for all who want it at the same time.

    It is begun for the first of them, and cancelled when nobody waits for it any more, unless
    it ``goes_on``.
    """

    def __init__(self, begin: Callable[[], Deferred[T]], *, goes_on: bool = False) -> None:
        self._begin = begin
        self._goes_on = goes_on
        self._work: Deferred[T] | None = None
        self._waiting: list[Deferred[T]] = []

    def wait(self) -> Deferred[T]:
        """Fires with the result of the work that is under way, or is begun now."""
        waiting: Deferred[T] = Deferred(self._leave)
        self._waiting.append(waiting)
        if self._work is None:
            work = self._work = self._begin()
            work.addBoth(self._done, work)
        return waiting

    def cancel(self) -> None:
        """End the work, for all who wait."""
        if self._work is not None:
            self._work.cancel()

    def _leave(self, waiting: Deferred[T]) -> None:
        self._waiting.remove(waiting)
        waiting.errback(CancelledError())
        if not self._waiting and self._work is not None and not self._goes_on:
            work, self._work = self._work, None
            work.cancel()

    def _done(self, outcome: T | Failure, work: Deferred[T]) -> None:
        if self._work is not work:
            # It was cancelled, whenever that takes effect.
            return
        self._work = None
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(outcome)
