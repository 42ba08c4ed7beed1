"""What visitors of the long run do, and what they should see.

A visit returns its outcome: the status that came, or ``cut`` where an answer was not whole.
"""

from asyncio import IncompleteReadError
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from bench.asking import Answer, Line

CUT = "cut"
LEFT = "left"
"""The visitor went away first, as it wanted."""

HANGS = "hangs"
"""Nothing came for longer than anything here should take."""

WRONG = "wrong body"
"""An answer came that looks complete, but is not what was sent."""


class Refused(Exception):
    """There was an answer instead of what the visitor came for; the text is its status."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where to go.

    :ivar port: giestack's.
    :ivar steady: alice's tool that is always there.
    :ivar mortal: alice's tool that is killed now and then.
    :ivar gone: alice's tool behind which nobody listens.
    :ivar foreign: bob's tool.
    :ivar headers: what alice's browser sends along.
    :ivar nobody: what a browser without a session sends.
    :ivar ended: what a browser sends whose session is over.
    """

    port: int
    steady: str
    mortal: str
    gone: str
    foreign: str
    headers: Mapping[str, str]
    nobody: Mapping[str, str]
    ended: Mapping[str, str]


class Visitor:
    """One after the other, over a connection that is kept where it can be."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self._line: Line | None = None

    async def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Send a request over the kept connection."""
        if self._line is None:
            self._line = await Line.open(self.places.port)
        line, self._line = self._line, None
        try:
            answer = await line.ask(method, path, headers or self.places.headers, body)
        except BaseException:
            line.reset()
            raise
        if answer.keep:
            self._line = line
        else:
            await line.close()
        return answer

    async def leave(self) -> None:
        """Close the kept connection."""
        if self._line is not None:
            await self._line.close()
            self._line = None


Visit = Callable[[Visitor], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of visit.

    :ivar share: how many of all visits, relative to the other kinds.
    :ivar expected: the outcomes that are right.
    """

    name: str
    share: float
    expected: frozenset[str]
    visit: Visit = field(repr=False)


class Kinds(list[Kind]):
    """All kinds of visits of one sort, in the order in which they are written down."""

    def add(self, name: str, share: float, *expected: str) -> Callable[[Visit], Visit]:
        """Decorate a function that pays such a visit."""

        def register(visit: Visit) -> Visit:
            self.append(Kind(name, share, frozenset(expected), visit))
            return visit

        return register


async def pay(kind: Kind, visitor: Visitor) -> str:
    """Pay a visit; what ends otherwise than by an answer is an outcome too."""
    try:
        return await kind.visit(visitor)
    except Refused as refused:
        return str(refused)
    except TimeoutError:
        return HANGS
    except (ConnectionError, IncompleteReadError):
        return CUT


def outcome(answer: Answer, body: bytes) -> str:
    """The status; for a success only where the body is what it should be."""
    return WRONG if answer.status == 200 and answer.body != body else str(answer.status)
