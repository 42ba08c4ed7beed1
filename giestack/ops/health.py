"""Is giestack ready for visitors? Each thing that it depends on, asked with little effort."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from twisted.internet.defer import Deferred, TimeoutError, maybeDeferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from giestack.ops.masking import presentable

PATIENCE = 1.0
"""Seconds within which each thing must answer; an orchestrator waits about as long."""

BELIEVED = 2.0
"""Seconds for which an answer is believed."""


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


Ask = Callable[[], Deferred[Sequence[str]]]
"""Asks with little effort how something stands; gives its troubles in words, none if it is well."""


class _Question:
    """Something that takes time to answer: asked once for all who want to know, and bounded.

    ``says_why`` are the errors whose texts are shown; of any other only the name is.
    """

    def __init__(
        self, name: str, ask: Ask, clock: IReactorTime, says_why: tuple[type[Exception], ...]
    ) -> None:
        self.ask = ask
        self._name = name
        self._clock = clock
        self._says_why = says_why
        self._known: Check | None = None
        self._known_until = 0.0
        self._asking = False
        self._waiting: list[Deferred[Check]] = []

    def answer(self) -> Deferred[Check]:
        """The answer, which those who ask at the same time share."""
        if self._known is not None and self._clock.seconds() < self._known_until:
            return succeed(self._known)
        answer: Deferred[Check] = Deferred(self._waiting.remove)
        self._waiting.append(answer)
        if not self._asking:
            self._asking = True
            Deferred.fromCoroutine(self._ask_once())
        return answer

    async def _ask_once(self) -> None:
        try:
            troubles = await maybeDeferred(self.ask).addTimeout(PATIENCE, self._clock)
        except Exception as error:
            troubles = (self._trouble(error),)
        text = "; ".join(map(presentable, troubles))
        check = Check(self._name, not troubles, text or "answers")
        self._asking = False
        self._known = check
        self._known_until = self._clock.seconds() + BELIEVED
        while self._waiting:
            self._waiting.pop(0).callback(check)

    def _trouble(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"no answer within {PATIENCE:g} s"
        if isinstance(error, self._says_why):
            return str(error) or type(error).__name__
        return type(error).__name__


class Readiness:
    """Asks everything that visitors need.

    ``draining`` says whether giestack is about to end. ``ask_database`` asks the host's database
    something cheap; what it answers doesn't matter. The texts of the errors ``says_why`` are
    shown; of any other error only the name is. ``maps`` are the session maps by name, and
    ``more`` gives what else is to be asked, by name; both are read anew each time.
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
        more: Callable[[], Mapping[str, Ask]] = dict,
    ) -> None:
        self._clock = clock
        self._draining = draining
        self._maps = maps
        self._says_why = says_why
        self._more = more
        self._questions: dict[str, _Question] = {}
        self._database: _Question | None = None
        if ask_database is not None:
            self._database = self._question("database", _untroubled(ask_database))

    async def checks(self) -> tuple[Check, ...]:
        """Return how everything stands; takes about `PATIENCE` seconds at most."""
        asked = [] if self._database is None else [self._database]
        asked += self._asked_more()
        # All are asked at the same time.
        answers = [await answer for answer in [question.answer() for question in asked]]
        at_once = [self._map(name, source) for name, source in self._maps.items()]
        draining = self._draining()
        text = "giestack takes no new visitors" if draining else "not draining"
        return (*answers, *at_once, Check("draining", not draining, text))

    def _question(self, name: str, ask: Ask) -> _Question:
        return _Question(name, ask, self._clock, self._says_why)

    def _asked_more(self) -> Sequence[_Question]:
        known, self._questions = self._questions, {}
        for name, ask in self._more().items():
            question = known.get(name)
            if question is None or question.ask != ask:
                question = self._question(name, ask)
            self._questions[name] = question
        return list(self._questions.values())

    def _map(self, name: str, source: Source) -> Check:
        try:
            ok, text = source.health()
        except Exception as error:
            self._log.failure("A session map could not say how it stands")
            ok, text = False, type(error).__name__
        return Check(name, ok, presentable(text))


def _untroubled(ask: Callable[[], Deferred[object]]) -> Ask:
    def troubles() -> Deferred[Sequence[str]]:
        return maybeDeferred(ask).addCallback(lambda _: ())

    return troubles
