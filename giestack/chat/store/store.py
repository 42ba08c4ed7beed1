"""The chat's store, on SQLite or PostgreSQL; see `giestack.chat.storage.Store`."""

from collections.abc import Callable, Mapping, Sequence
from threading import Thread
from typing import Any, Literal

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.python.failure import Failure

from giestack.chat.storage import (
    Appended,
    AuditRow,
    Draft,
    Page,
    Person,
    ReportRow,
    RoomRecord,
    Sanction,
    Signal,
    Watcher,
    Who,
)
from giestack.chat.store import order, people, reading, retention, room_states, rooms
from giestack.chat.store.append import append
from giestack.chat.store.engines import open_engines
from giestack.chat.store.nodes import Nodes
from giestack.chat.store.sole_use import SoleUse
from giestack.chat.store.upgrades import upgrade
from giestack.chat.store.writer import Writer
from giestack.chat.wire import Kind, RoomState, User
from giestack.database import Database, DatabaseUnavailable

CLOSING = 3.0
"""Seconds within which it closes, also where the database gives no answer any more."""

MOST_READING = 4096
"""So many calls that read may wait; more of them fail at once."""


class ChatStore:
    """A store in a database: ``sqlite:////path/of/file`` or ``postgresql://…``.

    The file is made if it is missing, for nobody else to read. Everything is done in threads; all
    methods belong to the reactor's thread. A call that gets no answer within 4.5 s fails; if what
    it wanted is stored later after all, the watcher is told as if another node had done it.

    ``now`` is the time, ms since 1970 UTC: sanctions end by it. ``observe`` is told how many
    seconds each commit has taken.

    :raises BadDatabaseURL: where the URL is none of these, or the driver is missing.
    """

    epoch = ""

    def __init__(
        self,
        url: str,
        reactor: Any,
        observe: Callable[[float], object] = lambda seconds: None,
        *,
        now: Callable[[], int] | None = None,
    ) -> None:
        self._engines = open_engines(url)
        self._closed = False
        path = self._engines.path
        self._sole_use = None if path is None else SoleUse(path)
        self._words = self._engines.words
        self._reactor = reactor
        self._now = now or (lambda: int(reactor.seconds() * 1000))
        self._reader = Database(self._engines.read, reactor, outstanding=MOST_READING)
        self._writer = Writer(
            self._engines.write,
            reactor,
            lambda connection, drafts: append(connection, self._words, drafts),
        )
        if self._sole_use is not None:
            self._writer.check = self._sole_use.check
        self._nodes = Nodes(self._engines, self._reader, reactor, self._now)
        self._writer.observe = observe
        self._writer.stored = self._nodes.stored

    @property
    def appended(self) -> int:
        """Events that were stored."""
        return self._writer.appended

    @property
    def batches(self) -> int:
        """Transactions that were committed."""
        return self._writer.batches

    @property
    def waiting(self) -> int:
        """Calls that write, and wait or are under way."""
        return self._writer.waiting

    def _write(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return self._writer.run(lambda connection: function(connection, *args))

    def open(self) -> Deferred[None]:
        """Make the schema or bring it up to date; however long that takes."""
        opened: Deferred[None] = Deferred()

        def work() -> None:
            try:
                epoch = self._upgraded()
            except Exception:
                self._engines.dispose()
                self._reactor.callFromThread(opened.errback, Failure())
            else:
                self._reactor.callFromThread(ready, epoch)

        def ready(epoch: str) -> None:
            if self._closed:
                self._let_go()
                opened.errback(DatabaseUnavailable("it was closed before it was open"))
                return
            self.epoch = epoch
            self._writer.start()
            self._reader.start()
            self._nodes.start(epoch)
            opened.callback(None)

        Thread(target=work, name="chat-upgrade", daemon=True).start()
        return opened

    def _upgraded(self) -> str:
        """Bring the schema up to date, in a thread; returns the epoch."""
        if self._sole_use is None:
            return upgrade(self._engines)
        self._sole_use.take()
        try:
            epoch = upgrade(self._engines)
            self._sole_use.opened()
        except BaseException:
            self._sole_use.release()
            raise
        return epoch

    def close(self) -> Deferred[None]:
        return ensureDeferred(self._close())

    async def _close(self) -> None:
        self._closed = True
        reading = self._reader.stop()
        await self._writer.stop(CLOSING)
        self._nodes.stop()
        await reading
        self._let_go()

    def _let_go(self) -> None:
        self._engines.dispose()
        if self._sole_use is not None:
            self._sole_use.release()

    def watch(self, watcher: Watcher) -> None:
        self._nodes.watcher = watcher

    def tell(self, signal: Signal) -> None:
        self._nodes.tell(signal)

    # People.

    def person(self, who: Who) -> Deferred[Person]:
        def known(found: Person | None) -> Person | Deferred[Person]:
            return found or self._write(people.keep, who)

        return self._reader.run(people.known, who).addCallback(known)

    def people(self, ids: Sequence[str]) -> Deferred[Mapping[str, Person]]:
        return self._reader.run(people.people, ids)

    def named(self, prefix: str, room: str | None, limit: int) -> Deferred[Sequence[User]]:
        return self._reader.run(people.named, prefix, room, limit)

    def choose(
        self,
        person: Person,
        *,
        opt_in: bool | None = None,
        do_not_disturb: bool | None = None,
        online: bool | None = None,
    ) -> Deferred[Person]:
        choices = {"opt_in": opt_in, "do_not_disturb": do_not_disturb, "online": online}
        return self._write(people.choose, person, _given(choices))

    # Rooms.

    def persist(self, names: Sequence[str]) -> Deferred[None]:
        return self._write(rooms.persist, names)

    def room(self, room: str) -> Deferred[RoomRecord | None]:
        return self._reader.run(rooms.record, room)

    def rooms_of(self, person: Person) -> Deferred[Sequence[RoomState]]:
        return self._reader.run(room_states.rooms_of, person, self._now())

    def state(self, person: Person, room: str) -> Deferred[RoomState]:
        return self._reader.run(room_states.state, person.key, self._now(), room)

    def public_rooms(self, text: str, limit: int) -> Deferred[Sequence[RoomState]]:
        return self._reader.run(room_states.public_rooms, text, limit)

    def create(self, person: Person, kind: Kind, name: str, ts: int) -> Deferred[RoomRecord]:
        return self._write(rooms.create, person, kind, name, ts)

    def direct(self, person: Person, other: Person, ts: int) -> Deferred[RoomRecord]:
        return self._write(rooms.direct, person, other, ts)

    def join(self, person: Person, room: str, ts: int) -> Deferred[None]:
        return self._write(rooms.join, person, room, ts)

    def leave(self, person: Person, room: str) -> Deferred[None]:
        return self._write(rooms.leave, person, room)

    def joined(self, person: Person) -> Deferred[frozenset[str]]:
        return self._reader.run(rooms.joined, person)

    def mark(self, person: Person, room: str, seq: int) -> Deferred[RoomState]:
        marked = self._write(rooms.mark, person, room, seq)
        return marked.addCallback(lambda _: self.state(person, room))

    def set_room(
        self, room: str, *, locked: bool | None = None, slow: int | None = None
    ) -> Deferred[None]:
        return self._write(rooms.change, room, _given({"locked": locked, "slow": slow}))

    # Events.

    def append(self, draft: Draft) -> Deferred[Appended]:
        return self._writer.run(draft)

    def events(
        self,
        room: str,
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int,
    ) -> Deferred[Page]:
        return self._reader.run(reading.events, room, after, before, limit)

    def search(
        self, person: Person, text: str, room: str | None, before: int | None, limit: int
    ) -> Deferred[Page]:
        return self._reader.run(reading.search, self._words, person, text, room, before, limit)

    def export(
        self, person: Person, room: str | None, after: int | None, limit: int
    ) -> Deferred[Page]:
        return self._reader.run(reading.export, person, room, after, limit)

    # Order in the house.

    def sanctions(self) -> Deferred[Sequence[Sanction]]:
        return self._reader.run(order.sanctions, self._now())

    def sanction(self, sanction: Sanction) -> Deferred[None]:
        return self._write(order.sanction, sanction)

    def lift(self, act: Literal["mute", "ban"], person: Person, room: str | None) -> Deferred[None]:
        return self._write(order.lift, act, person, room)

    def report(self, person: Person, room: str, ref: int, reason: str, ts: int) -> Deferred[None]:
        return self._write(order.report, person, room, ref, reason, ts)

    def reports(self, limit: int) -> Deferred[Sequence[ReportRow]]:
        return self._reader.run(order.reports, limit)

    def close_report(self, number: int, by: str) -> Deferred[None]:
        return self._write(order.close_report, number, by)

    def audit(self, row: AuditRow) -> Deferred[None]:
        return self._write(order.audit, row)

    def audited(self, limit: int, before: int | None = None) -> Deferred[Sequence[AuditRow]]:
        return self._reader.run(order.audited, limit, before)

    def prune(self, before: int) -> Deferred[int]:
        return ensureDeferred(self._prune(before))

    async def _prune(self, before: int) -> int:
        gone = 0
        for room in await self._reader.run(retention.rooms_with_old, before):
            portion = retention.PORTION
            while portion == retention.PORTION:
                portion = await self._write(retention.prune, self._words, room, before)
                gone += portion
        return gone


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
