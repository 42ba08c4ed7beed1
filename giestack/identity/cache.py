"""Answers of a database, kept for a while, each question asked once at a time."""

from collections.abc import Callable, Collection, Hashable, Mapping
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from giestack.database import DatabaseUnavailable
from giestack.visitor import Unavailable

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def put(kept: dict[K, V], key: K, value: V, size: int) -> None:
    """Put a value in as the newest of at most ``size`` ones; the oldest goes."""
    kept.pop(key, None)
    if len(kept) >= size:
        del kept[next(iter(kept))]
    kept[key] = value


class Kept(Generic[V]):
    """An answer that is believed until some time of the clock.

    :ivar value: the answer.
    :ivar asked: when the question was sent: from then on the answer ages.
    :ivar until: when it is no longer believed.
    """

    __slots__ = ("asked", "until", "value")

    def __init__(self, value: V, asked: float, until: float) -> None:
        self.value = value
        self.asked = asked
        self.until = until


class Cache(Generic[K, V]):
    """Keeps answers by key and fetches what is missing, many keys in one question.

    ``ask`` takes keys and gives an answer for each of them, or fails with
    `DatabaseUnavailable`; ``lifetime`` says for how many seconds an answer is believed;
    ``learned`` is told every answer that comes in. At most ``size`` answers are kept (the
    one learned longest ago goes first), and at most as many keys wait. One question is under
    way at a time; keys that come up meanwhile, or in the same turn of the reactor, share the
    next. ``subject`` names it all in the log. Failures are never kept.

    :ivar queries: questions sent so far.
    :ivar errors: questions that failed.
    """

    _log = Logger()

    def __init__(
        self,
        ask: Callable[[Collection[K]], Deferred[Mapping[K, V]]],
        clock: IReactorTime,
        lifetime: Callable[[V], float],
        size: int,
        subject: str,
        learned: Callable[[K, V], None] = lambda key, value: None,
    ) -> None:
        self.queries = 0
        self.errors = 0
        self._ask = ask
        self._clock = clock
        self._lifetime = lifetime
        self._size = size
        self._subject = subject
        self._learned = learned
        self._kept: dict[K, Kept[V]] = {}
        self._waiting: dict[K, list[Deferred[V | Unavailable]]] = {}
        self._asked: dict[K, list[Deferred[V | Unavailable]]] = {}
        self._under_way = False
        self._down = False

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: K) -> Kept[V] | None:
        """Return what is known and still believed."""
        kept = self._kept.get(key)
        if kept is not None and self._clock.seconds() < kept.until:
            return kept
        return None

    def fetch(self, key: K) -> Deferred[V | Unavailable]:
        """Ask, together with everybody who asks for the same key at the same time.

        The Deferred never fails unless it is cancelled, which the others do not notice.
        """
        waiters = self._asked.get(key) or self._waiting.get(key)
        if waiters is None:
            if len(self._waiting) >= self._size:
                return succeed(Unavailable("too many lookups wait for the database"))
            waiters = self._waiting[key] = []
            if not self._under_way:
                self._under_way = True
                self._clock.callLater(0, self._send)
        answer: Deferred[V | Unavailable] = Deferred(waiters.remove)
        waiters.append(answer)
        return answer

    def refresh(self, keys: Collection[K]) -> Deferred[None]:
        """Ask for these keys now, whatever is kept of them; fires when answered or failed."""
        return self._query(keys).addCallback(lambda _: None)

    def clear(self) -> None:
        """Forget all answers."""
        self._kept.clear()

    def _send(self) -> None:
        self._asked, self._waiting = self._waiting, {}
        self._query(tuple(self._asked)).addCallback(self._answer)

    def _answer(self, answers: Mapping[K, V] | Unavailable) -> None:
        asked, self._asked = self._asked, {}
        if self._waiting:
            self._clock.callLater(0, self._send)
        else:
            self._under_way = False
        for key, waiters in asked.items():
            answer = answers if isinstance(answers, Unavailable) else answers[key]
            # A waiter may cancel another one, which then leaves the list.
            while waiters:
                waiters.pop(0).callback(answer)

    def _query(self, keys: Collection[K]) -> Deferred[Mapping[K, V] | Unavailable]:
        asked = self._clock.seconds()
        self.queries += 1
        return (
            maybeDeferred(self._ask, keys).addCallback(self._learn, asked).addErrback(self._failed)
        )

    def _learn(self, answers: Mapping[K, V], asked: float) -> Mapping[K, V]:
        if self._down:
            self._down = False
            self._log.info("{subject}: the database answers again", subject=self._subject)
        for key, value in answers.items():
            self._keep(key, Kept(value, asked, asked + self._lifetime(value)))
        for key, value in answers.items():
            self._learned(key, value)
        return answers

    def _keep(self, key: K, kept: Kept[V]) -> None:
        known = self._kept.get(key)
        # A slow answer to an older question tells nothing new.
        if known is None or known.asked <= kept.asked:
            put(self._kept, key, kept, self._size)

    def _failed(self, failure: Failure) -> Unavailable:
        self.errors += 1
        if failure.check(DatabaseUnavailable):
            reason = str(failure.value)
            if not self._down:
                self._log.warn(
                    "{subject}: the database cannot be asked: {reason}",
                    subject=self._subject,
                    reason=reason,
                )
        else:
            reason = "the lookup failed unexpectedly"
            if not self._down:
                self._log.failure("{subject}: lookup failed", failure, subject=self._subject)
        self._down = True
        return Unavailable(reason)
