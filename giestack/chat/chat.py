"""The chat: everything put together, for those who stand at its doors."""

from collections import Counter
from collections.abc import Awaitable, Callable
from secrets import token_urlsafe

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from giestack.chat import wire
from giestack.chat.arriving import Arriving, Identify, NotWelcome, Preference
from giestack.chat.client import TRY_LATER, Asker, Client
from giestack.chat.conversation import ChatConversation
from giestack.chat.fanout import Fanout
from giestack.chat.hearing import Hearing
from giestack.chat.moderation import Moderation
from giestack.chat.nodes import Nodes
from giestack.chat.outlet import Conversation, Outlet, batch
from giestack.chat.presence import People
from giestack.chat.requests import Requests
from giestack.chat.rooms import Rooms
from giestack.chat.rules import Rules
from giestack.chat.storage import Signal, Store
from giestack.chat.surroundings import Audit, Surroundings
from giestack.chat.upkeep import Upkeep
from giestack.chat.visits import Visits
from giestack.database import DatabaseUnavailable
from giestack.visitor import Anonymous, Identity

ANSWERING = 2.0
"""Seconds in which what is under way is answered, when giestack is about to stop."""

Greet = Callable[[Asker, wire.Hello], Awaitable[None]]
"""Says the first things to somebody who was let in."""


class Chat:
    """Rooms in which people talk to each other.

    What single requests and moderators ask for is carried out by `Visits` and `Moderation`.

    :ivar clients: connections there are.
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
        identify: Identify | None = None,
    ) -> None:
        """
        :param clock: is never set; for rates and waits.
        :param now: the time, ms since 1970 UTC.
        :param preference: the first value of a person's choice to take part.
        :param identify: tells who somebody is now.
        """
        self.clients: set[ChatConversation] = set()
        self._store = store
        self._clock = clock
        self._node = token_urlsafe(9)
        self._ending = False
        self._late: IDelayedCall | None = None
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
        self.requests.fairness.limit(bool(rules.rate))
        self._arriving = Arriving(around, preference, identify)
        moderation = Moderation(around, self._arriving, self.requests.moderating)
        self.moderates = moderation.may
        self.reports = moderation.reports
        self.close_report = moderation.close_report
        self.sanctions = moderation.sanctions
        self.sanction = moderation.sanction
        self.lift = moderation.lift
        self.delete = moderation.delete
        self.audited = moderation.audited
        self.rooms_called = moderation.rooms_called
        nodes = Nodes(around, self.requests)
        self._upkeep = Upkeep(around, self.requests, nodes, clock, self._look_again)
        visits = Visits(
            around, self._arriving, self.requests, lambda: self.clients, lambda: self.ready
        )
        self.answer = visits.answer
        self.events = visits.events
        self.exported = visits.exported
        self.about = visits.about
        self.choose = visits.choose

    @property
    def ready(self) -> bool:
        """Whether the store is open, so that people can come in."""
        return self._upkeep.ready

    @property
    def paused(self) -> int:
        """Connections that read too slowly now."""
        return len(self.hearing.slow)

    @property
    def people_here(self) -> int:
        """People who have a connection now."""
        return len(self._around.participants)

    def configure(self, rules: Rules) -> None:
        """Go by other rules from now on; the rooms are made to be as they say."""
        rooms_changed = rules.rooms != self._around.rules.rooms
        self._around.configure(rules)
        self.requests.fairness.limit(bool(rules.rate))
        for conversation in self.clients:
            if conversation.asker is not None:
                self._arriving.judge_again(conversation.asker)
        if not rules.enabled:
            self._close_all(wire.CLOSE_FORBIDDEN, "the chat is switched off")
        if rooms_changed and self.ready:
            self._upkeep.rooms_changed()

    def start(self) -> None:
        """Open the store; until it is open nobody can come in."""
        self._ending = False
        self._upkeep.start()

    def drain(self) -> None:
        """Send everybody away, when what they have asked for is answered: giestack will stop."""
        self._ending = True
        for conversation in tuple(self.clients):
            conversation.end(*_RESTART)
        if self._late is None and self.clients:
            self._late = self._clock.callLater(ANSWERING, self._close_all, *_RESTART)

    def stop(self) -> Deferred[None]:
        """Close the store; fires when all that was accepted is there."""
        self._ending = True
        self._close_all(*_RESTART)
        if self._late is not None and self._late.active():
            self._late.cancel()
        self._late = None
        return self._upkeep.stop().addCallback(lambda _: self.fanout.stop())

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
        if self._ending or not (self.ready or self._upkeep.opening):
            outlet.close(*(_RESTART if self._ending else _LATER))
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
        if not self.ready:
            await self._upkeep.tried()
            if not self.ready:
                raise NotWelcome(*_LATER)
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

    def _tell(self, kind: str, body: dict[str, object]) -> None:
        self._store.tell(Signal(kind=kind, node=self._node, body=body))

    async def _look_again(self) -> None:
        """Take in who those are now who are here."""
        for conversation in tuple(self.clients):
            if conversation.asker is not None:
                await self._arriving.look_again(conversation.asker)

    def _close_all(self, code: int, reason: str) -> None:
        for conversation in tuple(self.clients):
            conversation.client.close(code, reason)


_RESTART = (wire.CLOSE_RESTART, "restart")
_LATER = (TRY_LATER, "the chat can't be reached right now")


async def _greet(asker: Asker, hello: wire.Hello) -> None:
    assert asker.client is not None
    asker.client.send(batch(hello))
