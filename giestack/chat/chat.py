"""The chat: everything put together, for those who stand at its doors."""

from collections import Counter
from collections.abc import Awaitable, Callable
from secrets import token_urlsafe
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from giestack.chat import wire
from giestack.chat.about import About
from giestack.chat.arriving import Arriving, NotWelcome, Preference
from giestack.chat.client import Asker, Client
from giestack.chat.conversation import ChatConversation
from giestack.chat.fanout import Fanout
from giestack.chat.frames import WireError
from giestack.chat.hearing import Hearing
from giestack.chat.moderation import Moderation
from giestack.chat.nodes import BEAT, Nodes
from giestack.chat.outlet import Conversation, Outlet, batch
from giestack.chat.presence import People
from giestack.chat.requests import Requests
from giestack.chat.rooms import Rooms
from giestack.chat.rules import Rules
from giestack.chat.storage import Page, Rejected, Signal, Store
from giestack.chat.surroundings import Audit, Surroundings
from giestack.database import DatabaseUnavailable
from giestack.visitor import Anonymous, Identity

TICK = 1.0
"""Seconds between two looks at who has come and left."""

HOUSEKEEPING = 60.0
"""Seconds between two looks at sanctions and at what is too old to keep."""

TRY_LATER = 1013
"""The close code where the store can't be reached (registered for RFC 6455)."""

_OPEN_AGAIN = 5.0


Greet = Callable[[Asker, wire.Hello], Awaitable[None]]
"""Says the first things to somebody who was let in."""


class Chat:
    """Rooms in which people talk to each other.

    :ivar ready: whether the store is open.
    :ivar clients: connections there are.
    :ivar moderation: what moderators do outside of rooms.
    """

    _log = Logger()

    def __init__(
        self,
        store: Store,
        rules: Rules,
        clock: IReactorTime,
        now: Callable[[], int],
        audit: Audit,
        preference: Preference | None = None,
    ) -> None:
        """
        :param clock: is never set; for rates and waits.
        :param now: the time, ms since 1970 UTC.
        :param preference: the first value of a person's choice to take part.
        """
        self.ready = False
        self.clients: set[ChatConversation] = set()
        self._store = store
        self._clock = clock
        self._node = token_urlsafe(9)
        self._ending = False
        self._sockets: Counter[tuple[str, int]] = Counter()
        self.fanout: Fanout[Client] = Fanout(clock)
        self.hearing = Hearing(store, self.fanout)
        self._around = around = Surroundings(
            store=store,
            rules=rules,
            rooms=Rooms(),
            hearing=self.hearing,
            people=People(),
            now=now,
            seconds=clock.seconds,
            audit=audit,
            later=lambda call: clock.callLater(0, call),
            tell=self._tell,
        )
        around.configure(rules)
        self.requests = Requests(around)
        self._arriving = Arriving(around, preference)
        self.moderation = Moderation(around, self._arriving, self.requests.moderating)
        self.moderates = self.moderation.may
        self.reports = self.moderation.reports
        self.close_report = self.moderation.close_report
        self.sanctions = self.moderation.sanctions
        self.sanction = self.moderation.sanction
        self.lift = self.moderation.lift
        self.delete = self.moderation.delete
        self.audited = self.moderation.audited
        self._nodes = Nodes(around, self.requests)
        self._repeated = [
            self._every(TICK, self._tick),
            self._every(BEAT, self._nodes.beat),
            self._every(HOUSEKEEPING, self._keep_house),
        ]
        self._opening: Any = None

    @property
    def paused(self) -> int:
        """Connections that read too slowly now."""
        return sum(one.client.paused for one in self.clients)

    @property
    def people_here(self) -> int:
        """People who have a connection now."""
        return len(self._around.participants)

    def configure(self, rules: Rules) -> None:
        """Go by other rules from now on; the rooms are made to be as they say."""
        rooms_changed = rules.rooms != self._around.rules.rooms
        self._around.configure(rules)
        if not rules.enabled:
            self._close_all(wire.CLOSE_FORBIDDEN, "the chat is switched off")
        if rooms_changed and self.ready:
            Deferred.fromCoroutine(self._persist()).addErrback(self._later_perhaps)

    def start(self) -> None:
        """Open the store; until it is open nobody can come in."""
        self._store.watch(self._nodes)
        self._open()

    def drain(self) -> None:
        """Send everybody away: giestack is about to stop."""
        self._ending = True
        self._close_all(wire.CLOSE_RESTART, "restart")

    async def _stopped(self) -> None:
        if self._opening is not None and self._opening.active():
            self._opening.cancel()
        for one, _ in self._repeated:
            if one.running:
                one.stop()
        if self.ready:
            self._nodes.end()
        self.ready = False
        await self._store.close()
        self.fanout.stop()

    def stop(self) -> Deferred[None]:
        """Close the store, after what was accepted is stored."""
        self.drain()
        return Deferred.fromCoroutine(self._stopped())

    # The doors.

    def arrive(self, visitor: Identity | Anonymous | None, outlet: Outlet) -> Conversation | None:
        """Begin with a new connection; None where it was closed at once."""
        return self._arrive(visitor, outlet, _greet)

    def listen(
        self, visitor: Identity, room: str, after: int, outlet: Outlet
    ) -> Conversation | None:
        """Bring one room's events after a number, and then as they come; no `Hello`."""

        async def follow(asker: Asker, hello: wire.Hello) -> None:
            resume = wire.Resume(id=0, rooms={room: after})
            answer = await self.requests.answer(asker, resume)
            if isinstance(answer, wire.Err):
                outlet.send(batch(answer))
                raise NotWelcome(wire.CLOSE_FORBIDDEN, answer.message)

        return self._arrive(visitor, outlet, follow)

    def _arrive(
        self, visitor: Identity | Anonymous | None, outlet: Outlet, greet: Greet
    ) -> Conversation | None:
        if not isinstance(visitor, Identity):
            outlet.close(wire.CLOSE_NOT_LOGGED_IN, "not logged in")
            return None
        if self._ending or not self.ready:
            outlet.close(*((wire.CLOSE_RESTART, "restart") if self._ending else _LATER))
            return None
        rules = self._around.rules
        whose = visitor.host, visitor.user_id
        if 0 < rules.sockets_per_user <= self._sockets[whose]:
            outlet.close(wire.CLOSE_FLOOD, "too many connections")
            return None
        self._sockets[whose] += 1
        client = Client(outlet, visitor.encoded_id, token_urlsafe(12))
        conversation = ChatConversation(
            client,
            self.requests,
            self.hearing,
            self._clock.seconds,
            lambda gone: self._left(gone, whose),
            unlimited=not rules.rate,
        )
        self.clients.add(conversation)
        arriving = Deferred.fromCoroutine(self._let_in(visitor, conversation, greet))
        arriving.addErrback(self._not_let_in, conversation)
        return conversation

    async def _let_in(
        self, visitor: Identity, conversation: ChatConversation, greet: Greet
    ) -> None:
        client = conversation.client
        asker, hello = await self._arriving.arrive(visitor, client)
        conversation.asker = asker
        if not client.gone:
            await greet(asker, hello)
        if client.gone:
            self._arriving.depart(asker)
            return
        conversation.begin()

    def _not_let_in(self, failure: Failure, conversation: ChatConversation) -> None:
        why = failure.value
        if isinstance(why, NotWelcome):
            conversation.client.close(why.code, why.reason)
            return
        if isinstance(why, DatabaseUnavailable):
            self._log.warn("nobody can come in: {reason}", reason=str(why))
        else:
            self._log.failure("somebody could not come in", failure)
        conversation.client.close(*_LATER)

    def _left(self, conversation: ChatConversation, whose: tuple[str, int]) -> None:
        self.clients.discard(conversation)
        self._sockets[whose] -= 1
        if not self._sockets[whose]:
            del self._sockets[whose]
        if conversation.asker is not None:
            self._arriving.depart(conversation.asker)

    # Requests that come one by one.

    def answer(
        self, visitor: Identity, data: bytes, conn: str | None = None
    ) -> Deferred[wire.Ok | wire.Err]:
        """Carry out one request that has come by HTTP.

        :param conn: the event stream of the same visitor that it belongs to, if any; the
            Deferred fails with `LookupError` where there is none of that name.
        """
        return Deferred.fromCoroutine(self._answer(visitor, data, conn))

    async def _answer(self, visitor: Identity, data: bytes, conn: str | None) -> wire.Ok | wire.Err:
        try:
            request: wire.Request = wire.REQUESTS.read(data)
        except WireError as error:
            return self.requests.err(error.id, "bad", error.message)
        try:
            asker = self._by_conn(visitor, conn) if conn else await self._asker(visitor)
        except Rejected as rejected:
            return self.requests.err(request.id, rejected.code, rejected.message)
        except DatabaseUnavailable:
            return self.requests.err(request.id, "server", "Please try again.", 2000)
        return await self.requests.answer(asker, request)

    def _by_conn(self, visitor: Identity, conn: str) -> Asker:
        for one in self.clients:
            asker = one.asker
            if asker is None or one.client.conn != conn:
                continue
            if asker.identity.session_key == visitor.session_key:
                return asker
        raise LookupError("there is no such event stream")

    async def _asker(self, visitor: Identity) -> Asker:
        if not self.ready:
            raise DatabaseUnavailable("the chat's store is not open yet")
        try:
            return await self._arriving.asker(visitor)
        except NotWelcome as why:
            raise Rejected("perm", f"You can't take part: {why.reason}.") from None

    def events(
        self, visitor: Identity, room: str, after: int | None, before: int | None, limit: int
    ) -> Deferred[Page]:
        """Events of one of a visitor's rooms; fails with `Rejected`, `DatabaseUnavailable`."""
        return Deferred.fromCoroutine(self._events(visitor, room, after, before, limit))

    async def _events(
        self, visitor: Identity, room: str, after: int | None, before: int | None, limit: int
    ) -> Page:
        asker = await self._asker(visitor)
        request = wire.Hist(id=0, room=room, after=after, before=before, limit=limit)
        await self.requests.room_known(asker, room)
        ok = await self.requests.looking.hist(asker, request)
        return Page(ok.events or (), more=ok.more)

    def exported(self, visitor: Identity, room: str | None, after: int | None) -> Deferred[Page]:
        """A page of a visitor's own messages, oldest first."""
        return Deferred.fromCoroutine(self._exported(visitor, room, after))

    async def _exported(self, visitor: Identity, room: str | None, after: int | None) -> Page:
        # Also who takes part no longer, or may not, may have what they have said.
        person = await self._person(visitor)
        if visitor.impersonated_by is not None:
            raise Rejected("perm", "An administrator who acts as a user may not export.")
        return await self._store.export(person, room, after, wire.MOST_EVENTS)

    def about(self, visitor: Identity) -> Deferred[About]:
        """What a visitor is to the chat."""
        return Deferred.fromCoroutine(self._about(visitor))

    async def _about(self, visitor: Identity) -> About:
        person = await self._person(visitor)
        rules = self._around.rules
        return About(
            user=wire.User(id=person.id, name=person.name, role=self._arriving.role(visitor)),
            prefs=person.choices,
            opt_in_needed=rules.opt_in and not person.opt_in,
            banned_until=self._around.rooms.banned_until(person.id, self._around.now()),
            impersonated=visitor.impersonated_by is not None,
        )

    async def _person(self, visitor: Identity) -> Any:
        if not self.ready:
            raise DatabaseUnavailable("the chat's store is not open yet")
        return await self._arriving.person(visitor)

    def choose(self, visitor: Identity, prefs: wire.Prefs) -> Deferred[wire.Choices]:
        """Keep a visitor's choices, whether they take part or not."""
        return Deferred.fromCoroutine(self._choose(visitor, prefs))

    async def _choose(self, visitor: Identity, prefs: wire.Prefs) -> wire.Choices:
        asker = self._arriving.outsider(visitor, await self._person(visitor))
        ok = await self.requests.choosing.prefs(asker, prefs)
        assert ok.prefs is not None
        return ok.prefs

    # Opening, and what goes on by itself.

    def _open(self) -> None:
        opening = Deferred.fromCoroutine(self._opened())
        opening.addErrback(self._not_opened)

    async def _opened(self) -> None:
        await self._store.open()
        await self._persist()
        await self.requests.moderating.refresh()
        if self._ending:
            return
        self.ready = True
        self._nodes.begin()
        for one, seconds in self._repeated:
            one.start(seconds, now=False)

    def _not_opened(self, failure: Failure) -> None:
        if failure.check(DatabaseUnavailable) is None:
            self._log.failure("the chat could not be opened", failure)
            return
        self._log.error("the chat can't be opened yet: {reason}", reason=str(failure.value))
        if not self._ending:
            self._opening = self._clock.callLater(_OPEN_AGAIN, self._open)

    async def _persist(self) -> None:
        await self._store.persist(self._around.rules.rooms)

    def _tick(self) -> None:
        around = self._around
        around.people.expire(around.now())
        for presence in around.people.changes(around.now()):
            room = around.rooms.find(presence.room)
            if room is not None and room.hearers:
                told = batch(presence)
                for client in list(room.hearers):
                    client.send(told)
        self._nodes.changes()

    def _keep_house(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._kept_house()).addErrback(self._later_perhaps)

    async def _kept_house(self) -> None:
        around = self._around
        await self.requests.moderating.refresh()
        before = around.rules.keeps_from(around.now())
        if before is not None:
            gone = await self._store.prune(before)
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

    def _tell(self, kind: str, body: dict[str, object]) -> None:
        self._store.tell(Signal(kind=kind, node=self._node, body=body))

    def _close_all(self, code: int, reason: str) -> None:
        for conversation in tuple(self.clients):
            conversation.client.close(code, reason)


_LATER = (TRY_LATER, "the chat can't be reached right now")


async def _greet(asker: Asker, hello: wire.Hello) -> None:
    assert asker.client is not None
    asker.client.send(batch(hello))
