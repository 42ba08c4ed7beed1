"""The one who writes: a thread that stores together what has waited meanwhile.

While one transaction is being committed, others wait; all of them go into the next one. Who comes
alone does not wait, and a busy chat needs few commits.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Condition, Thread
from time import perf_counter, sleep
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from giestack.chat.storage import Draft, Rejected
from giestack.chat.store.append import Outcome
from giestack.database import DatabaseBusy, DatabaseUnavailable, Reactor, ask

MOST_TOGETHER = 100
"""So many of what waits go into one transaction: what comes of it is told in one turn."""

PAUSE = 0.008
"""Seconds from the end of one transaction to the beginning of the next, at least.

A transaction costs about as much for ten drafts as for one, and while its thread runs Python the
reactor waits again and again: without a pause a busy chat would have somebody writing always.
"""

# "deadlock detected", "could not serialize access": another try may do.
_LOST_RACES = frozenset({"40001", "40P01"})

T = TypeVar("T")

Work = Callable[[Connection], Any]
Append = Callable[[Connection, Sequence[Draft]], Sequence[Outcome]]


@dataclass(eq=False, slots=True)
class _Job:
    """A draft, or some other work, that waits to be done; it is ``taken`` by the thread."""

    what: Draft | Work
    late_at: float
    answer: Deferred[Any] = field(default_factory=Deferred)
    taken: bool = False


_Done = tuple[list[_Job], list[Any], float]


class _Apart(Exception):
    """Something in this transaction has spoilt it for the others."""


class Writer:
    """Carries out drafts and other work in a thread, many in each transaction.

    ``append`` stores drafts, as `giestack.chat.store.append.append` does. At most ``outstanding``
    may wait or be under way; nobody waits longer than ``deadline`` seconds. Methods belong to the
    reactor's thread, and so do all calls to others, but for ``append`` and the work itself.

    :ivar observe: is told how many seconds each transaction took that was committed.
    :ivar stored: is given drafts' outcomes after a commit that nobody waited for any more.
    :ivar check: is called before each transaction; raises `DatabaseUnavailable` to prevent it.
    :ivar batches: transactions that were committed.
    :ivar appended: drafts that were stored.
    """

    log = Logger()

    def __init__(
        self,
        engine: Engine,
        reactor: Any,
        append: Append,
        *,
        outstanding: int = 10_000,
        deadline: float = 4.5,
    ) -> None:
        self.observe: Callable[[float], object] = lambda seconds: None
        self.stored: Callable[[Sequence[Outcome], bool], object] = lambda outcomes, late: None
        self.check: Callable[[], object] = lambda: None
        self.batches = 0
        self.appended = 0
        self._engine = engine
        self._reactor: Reactor = reactor
        self._seconds: Callable[[], float] = reactor.seconds
        self._append = append
        self._most = outstanding
        self._deadline = deadline
        self._jobs: deque[_Job] = deque()
        self._watched: deque[_Job] = deque()
        self._alarm: IDelayedCall | None = None
        self._condition = Condition()
        self._running = False
        self._stopped: Deferred[None] | None = None
        self._under_way = 0

    @property
    def waiting(self) -> int:
        """How many wait or are under way."""
        return len(self._jobs) + self._under_way

    def start(self) -> None:
        """Accept work from now on."""
        self._running = True
        # A server that never answers keeps no process alive.
        Thread(target=self._write, name="chat-writer", daemon=True).start()

    def stop(self, patience: float = 6.0) -> Deferred[None]:
        """Accept nothing more; fires when all that was accepted is done.

        After ``patience`` seconds at the latest: what has not begun by then fails.
        """
        stopped = self._stopped = Deferred()
        if not self._running:
            stopped.callback(None)
            return stopped
        self._running = False
        late = self._reactor.callLater(patience, self._give_up)
        stopped.addCallback(lambda _: late.cancel() if late.active() else None)
        with self._condition:
            self._condition.notify()
        return stopped

    def _give_up(self) -> None:
        with self._condition:
            self._jobs.clear()
        for job in self._watched:
            self._fail(job, "the chat's database gave no answer before the end")
        self._ended()

    def _ended(self) -> None:
        if self._alarm is not None and self._alarm.active():
            self._alarm.cancel()
        if self._stopped is not None and not self._stopped.called:
            self._stopped.callback(None)

    def run(self, what: Draft | Work) -> Deferred[Any]:
        """Do something; the Deferred fires after it was committed.

        A draft fires with its `Appended`, or fails with `Rejected`; other work with what it
        returns, and it fails as it does: it must not have changed anything by then. Both fail
        with `DatabaseUnavailable` where they could not be done or not be seen to be done in
        time, and with `DatabaseBusy` where too much waits.
        """
        if not self._running:
            return fail(DatabaseUnavailable("the chat's database is not in use"))
        if self.waiting >= self._most:
            return fail(DatabaseBusy(f"{self._most} calls wait for the chat's database already"))
        job = _Job(what, self._seconds() + self._deadline)
        with self._condition:
            self._jobs.append(job)
            self._condition.notify()
        self._watched.append(job)
        if self._alarm is None:
            self._alarm = self._reactor.callLater(self._deadline, self._wake)
        return job.answer

    def _wake(self) -> None:
        """Fail those that are late. One alarm is enough: all wait equally long."""
        self._alarm = None
        now = self._seconds()
        while self._watched and (self._watched[0].answer.called or self._watched[0].late_at <= now):
            job = self._watched.popleft()
            if not job.answer.called:
                with self._condition:
                    if not job.taken:
                        self._jobs.remove(job)
                self._fail(job, f"the chat's database gave no answer within {self._deadline} s")
        if self._watched:
            self._alarm = self._reactor.callLater(self._watched[0].late_at - now, self._wake)

    @staticmethod
    def _fail(job: _Job, why: str) -> None:
        if not job.answer.called:
            job.answer.errback(DatabaseUnavailable(why))

    # In the thread.

    def _write(self) -> None:
        while True:
            with self._condition:
                while self._running and not self._jobs:
                    self._condition.wait()
                jobs = [self._jobs.popleft() for _ in range(min(len(self._jobs), MOST_TOGETHER))]
                for job in jobs:
                    job.taken = True
                self._under_way = len(jobs)
            if not jobs:
                break
            wanted = [job for job in jobs if not job.answer.called]
            for done in self._transactions(wanted) if wanted else ():
                self._reactor.callFromThread(self._done, *done)
            self._under_way = 0
            sleep(PAUSE)
        self._reactor.callFromThread(self._ended)

    def _transactions(self, jobs: list[_Job], again: bool = True) -> Iterator[_Done]:
        """Do all in one transaction, or each in its own where one of them spoils it."""
        began = perf_counter()
        try:
            results = ask(self._engine, self._transaction, jobs)
        except _Apart as why:
            if again:
                for job in jobs:
                    yield from self._transactions([job], again=False)
                return
            results = [Failure(DatabaseUnavailable(f"the chat's database refused it: {why}"))]
        except DatabaseUnavailable:
            results = [Failure()] * len(jobs)
        yield jobs, results, perf_counter() - began

    def _transaction(self, connection: Connection, jobs: list[_Job]) -> list[Any]:
        self.check()
        try:
            results = self._results(connection, jobs)
            connection.commit()
            return results
        except DBAPIError as error:
            if _is_for_one(error):
                # Without the statement and its values.
                raise _Apart(type(error.orig).__name__) from None
            raise
        except (SQLAlchemyError, OSError):
            raise
        except OverflowError:
            raise _Apart("too large a number") from None
        except Exception as error:
            if len(jobs) == 1:
                self.log.failure("Work for the chat's database failed")
            raise _Apart(type(error).__name__) from None

    def _results(self, connection: Connection, jobs: list[_Job]) -> list[Any]:
        """Drafts first: whoever has rooms locked waits for nobody's rooms."""
        drafts = [(i, job.what) for i, job in enumerate(jobs) if not callable(job.what)]
        results: list[Any] = [None] * len(jobs)
        if drafts:
            outcomes = self._append(connection, [draft for _, draft in drafts])
            for (index, _), outcome in zip(drafts, outcomes, strict=True):
                results[index] = outcome
        for index, job in enumerate(jobs):
            if callable(job.what):
                try:
                    results[index] = job.what(connection)
                except Rejected as rejected:
                    results[index] = rejected
        return results

    # In the reactor again.

    def _done(self, jobs: list[_Job], results: list[Any], seconds: float) -> None:
        if not isinstance(results[0], Failure):
            self.batches += 1
            self.observe(seconds)
        outcomes: dict[bool, list[Any]] = {False: [], True: []}
        for job, result in zip(jobs, results, strict=True):
            if not callable(job.what) and not isinstance(result, Failure):
                outcomes[job.answer.called].append(result)
        for late, some in outcomes.items():
            if some:
                self.appended += sum(1 for one in some if getattr(one, "new", False))
                self.stored(some, late)
        for job, result in zip(jobs, results, strict=True):
            if job.answer.called:
                continue
            if isinstance(result, Rejected):
                job.answer.errback(result)
            else:
                job.answer.callback(result)


def _is_for_one(error: DBAPIError) -> bool:
    if isinstance(error, IntegrityError | DataError):
        return True
    return getattr(error.orig, "sqlstate", None) in _LOST_RACES
