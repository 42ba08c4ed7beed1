"""Is giestack ready for visitors? Each thing that it depends on, asked with little effort."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from twisted.internet.defer import Deferred, TimeoutError, maybeDeferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from giestack.ops.masking import presentable

PATIENCE = 1.0
"""Seconds within which the database must answer; an orchestrator waits about as long."""

BELIEVED = 2.0
"""Seconds for which the database's answer is believed."""


@dataclass(frozen=True, slots=True)
class Check:
    """How one thing stands.

    :ivar name: what it is.
    :ivar ok: whether visitors can be served as far as it goes.
    :ivar text: how it stands in words; holds no secret.
    """

    name: str
    ok: bool
    text: str


class Source(Protocol):
    """A source of routes, as in `giestack.routing.source`."""

    def health(self) -> tuple[bool, str]: ...


class Readiness:
    """Asks everything that visitors need.

    ``draining`` says whether giestack is about to end. ``ask_database`` asks the host's database
    something cheap; what it answers doesn't matter. The texts of the errors ``says_why`` are
    shown; of any other error only the name is. ``maps`` are the session maps by name, read anew
    each time.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        *,
        draining: Callable[[], bool],
        maps: Mapping[str, Source],
        ask_database: Callable[[], Deferred[object]] | None = None,
        says_why: tuple[type[Exception], ...] = (),
    ) -> None:
        self._clock = clock
        self._draining = draining
        self._maps = maps
        self._ask = ask_database
        self._says_why = says_why
        self._known: Check | None = None
        self._known_until = 0.0
        self._asking = False
        self._waiting: list[Deferred[Check]] = []

    async def checks(self) -> tuple[Check, ...]:
        """Return how everything stands; takes about `PATIENCE` seconds at most."""
        checks = [await self._database()] if self._ask is not None else []
        checks += [self._map(name, source) for name, source in self._maps.items()]
        draining = self._draining()
        text = "giestack takes no new visitors" if draining else "not draining"
        return (*checks, Check("draining", not draining, text))

    def _map(self, name: str, source: Source) -> Check:
        try:
            ok, text = source.health()
        except Exception as error:
            self._log.failure("A session map could not say how it stands")
            ok, text = False, type(error).__name__
        return Check(name, ok, presentable(text))

    def _database(self) -> Deferred[Check]:
        """The database's answer, which those who ask at the same time share."""
        if self._known is not None and self._clock.seconds() < self._known_until:
            return succeed(self._known)
        answer: Deferred[Check] = Deferred(self._waiting.remove)
        self._waiting.append(answer)
        if not self._asking:
            self._asking = True
            Deferred.fromCoroutine(self._ask_once())
        return answer

    async def _ask_once(self) -> None:
        assert self._ask is not None
        try:
            await maybeDeferred(self._ask).addTimeout(PATIENCE, self._clock)
            check = Check("database", True, "answers")
        except Exception as error:
            check = Check("database", False, self._trouble(error))
        self._asking = False
        self._known = check
        self._known_until = self._clock.seconds() + BELIEVED
        while self._waiting:
            self._waiting.pop(0).callback(check)

    def _trouble(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"no answer within {PATIENCE:g} s"
        if isinstance(error, self._says_why):
            return presentable(str(error)) or type(error).__name__
        return type(error).__name__
