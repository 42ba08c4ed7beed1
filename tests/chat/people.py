"""A chat in memory with people in it, for tests of its core."""

from collections.abc import Sequence
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.chat import wire
from giestack.chat.chat import Chat
from giestack.chat.frames import written
from giestack.chat.outlet import Batch
from giestack.chat.rules import Rules
from giestack.visitor import Identity, Operator
from tests.chat.memory_store import Log, MemoryStore

BEGIN = 1_700_000_000_000
"""When tests begin, ms since 1970."""

FREE = Rules(opt_in=False, rooms=("Lobby",), rate=0, sockets_per_user=0)


def identity(
    user_id: int,
    name: str | None = None,
    *,
    admin: bool = False,
    impersonated_by: str | None = None,
    session: str = "",
) -> Identity:
    """A user of Galaxy."""
    name = name or f"user{user_id}"
    return Identity(
        "galaxy",
        user_id,
        f"id{user_id}",
        name,
        f"{name}@example.org",
        admin,
        user_id,
        session or f"key{user_id}",
        impersonated_by,
    )


ALICE, BOB, CAROL = identity(1, "alice"), identity(2, "bob"), identity(3, "carol")
ADMIN = identity(9, "admin", admin=True)


class RecordingOutlet:
    """A client that remembers what it was sent."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.closed: tuple[int, str] | None = None

    def send(self, batch: Batch) -> None:
        self.batches.append(batch)

    def close(self, code: int, reason: str) -> None:
        self.closed = self.closed or (code, reason)


class Somebody:
    """A person's client: says things, and reads what it is sent."""

    def __init__(self, case: "ChatCase", who: Any) -> None:
        self._case = case
        self._seen = 0
        self._number = 0
        self.who = who
        self.outlet: Any = RecordingOutlet()
        conversation = case.chat.arrive(who, self.outlet)
        self.conversation: Any = conversation

    @property
    def closed(self) -> tuple[int, str] | None:
        return self.outlet.closed

    def frames(self) -> list[Any]:
        """All that came since this was asked last."""
        texts = [text for batch in self.outlet.batches for text in batch.texts]
        new, self._seen = texts[self._seen :], len(texts)
        return [wire.ANSWERS.read(text) for text in new]

    def events(self) -> list[Any]:
        """The events among them."""
        return [one for one in self.frames() if isinstance(one, wire.Event)]

    def hello(self) -> wire.Hello:
        found = self.frames()[0]
        assert isinstance(found, wire.Hello)
        return found

    def raw(self, data: bytes) -> None:
        assert self.conversation is not None
        self.conversation.received(data)

    def ask(self, kind: type, /, **fields: Any) -> Any:
        """Ask for something and return the answer; other frames stay to be read."""
        self._number += 1
        request = kind(id=self._number, **fields)
        before = len(self.outlet.batches)
        self.raw(written(request))
        for batch in self.outlet.batches[before:]:
            for text in batch.texts:
                frame = wire.ANSWERS.read(text)
                if isinstance(frame, (wire.Ok, wire.Err)) and frame.id == self._number:
                    return frame
        return None

    def say(self, room: str, text: str, /, cid: str = "", **fields: Any) -> Any:
        self._number += 1
        cid = cid or f"c{self.who.user_id}-{self._number}"
        return self.ask(wire.Msg, room=room, text=text, cid=cid, **fields)

    def leave(self) -> None:
        assert self.conversation is not None
        self.conversation.gone()


class ChatCase(SynchronousTestCase):
    """Tests of the whole core on a store in memory."""

    rules = FREE

    def setUp(self) -> None:
        self.clock = Clock()
        self.log = Log()
        self.noted: list[tuple[str, Any, dict[str, object]]] = []
        self.store: Any
        self.store, self.chat = self.node()

    def node(self, rules: Rules | None = None) -> tuple[Any, Chat]:
        """One more node on the same log, open."""
        store = MemoryStore(self.log)
        chat = Chat(store, rules or self.rules, self.clock, self.now, self.note, self.preference)
        chat.start()
        self.addCleanup(chat.stop)
        return store, chat

    preference: Any = None

    def now(self) -> int:
        return BEGIN + round(self.clock.seconds() * 1000)

    def note(self, event: str, who: Identity | Operator | None, **fields: object) -> None:
        self.noted.append((event, who, fields))

    def come(self, who: Identity | None, *rooms: str) -> Somebody:
        """Somebody comes, and joins rooms."""
        somebody = Somebody(self, who)
        for room in rooms:
            self.assertIsInstance(somebody.ask(wire.Join, room=room), wire.Ok)
        return somebody

    @property
    def lobby(self) -> str:
        """The id of the persistent room."""
        return self.successResultOf(self.store.public_rooms("Lobby", 1))[0].id

    def came(self, deferred: Any) -> Any:
        """What a Deferred has fired with."""
        return self.successResultOf(deferred)

    def tick(self, seconds: float = 0.01) -> None:
        """Time goes by; what waits for the next turn happens."""
        self.clock.advance(seconds)

    def assert_refused(self, answer: Any, code: str) -> None:
        self.assertIsInstance(answer, wire.Err)
        self.assertEqual(answer.code, code, answer.message)

    def texts(self, frames: Sequence[Any]) -> list[str]:
        return [one.text for one in frames if isinstance(one, wire.Message)]
