"""What is asked of the chat one by one, by HTTP: nobody stays connected for it."""

from collections.abc import Callable, Collection

from twisted.internet.defer import Deferred

from giestack.chat import wire
from giestack.chat.about import About
from giestack.chat.arriving import Arriving, NotWelcome
from giestack.chat.client import Asker
from giestack.chat.conversation import ChatConversation
from giestack.chat.frames import WireError
from giestack.chat.requests import Requests
from giestack.chat.storage import Page, Person, Rejected
from giestack.chat.surroundings import Surroundings
from giestack.database import DatabaseUnavailable
from giestack.visitor import Identity


class Visits:
    """Answers what is asked one by one.

    The Deferreds fail with `Rejected`, and with `DatabaseUnavailable`, unless they say otherwise.
    """

    def __init__(
        self,
        around: Surroundings,
        arriving: Arriving,
        requests: Requests,
        clients: Callable[[], Collection[ChatConversation]],
        ready: Callable[[], bool],
    ) -> None:
        """
        :param clients: the connections there are.
        :param ready: whether the store is open.
        """
        self._around = around
        self._arriving = arriving
        self._requests = requests
        self._clients = clients
        self._ready = ready

    def answer(
        self, visitor: Identity, data: bytes, conn: str | None = None
    ) -> Deferred[wire.Ok | wire.Err]:
        """Carry out one request that has come by HTTP.

        :param conn: the event stream of the same visitor that it belongs to, if any; the
            Deferred fails with `LookupError` where there is none of that name.
        """
        return Deferred.fromCoroutine(self._answered(visitor, data, conn))

    async def _answered(
        self, visitor: Identity, data: bytes, conn: str | None
    ) -> wire.Ok | wire.Err:
        try:
            request: wire.Request = wire.REQUESTS.read(data)
        except WireError as error:
            return self._requests.err(error.id, "bad", error.message)
        try:
            asker = self._by_conn(visitor, conn) if conn else await self._asker(visitor)
        except Rejected as rejected:
            why = rejected.code, rejected.message, rejected.retry_ms
            return self._requests.err(request.id, *why)
        except DatabaseUnavailable:
            return self._requests.err(request.id, "server", "Please try again.", 2000)
        return await self._requests.answer(asker, request)

    def _by_conn(self, visitor: Identity, conn: str) -> Asker:
        for one in self._clients():
            asker = one.asker
            if asker is None or one.client.conn != conn:
                continue
            known = asker.identity
            if (known.session_key, known.user_id) == (visitor.session_key, visitor.user_id):
                return asker
        raise LookupError("there is no such event stream")

    async def _asker(self, visitor: Identity) -> Asker:
        self._is_open()
        try:
            with self._requests.fairness.waiting(visitor.encoded_id):
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
        ok = await self._requests.carried(asker, request)
        return Page(ok.events or (), more=ok.more)

    def exported(self, visitor: Identity, room: str | None, after: int | None) -> Deferred[Page]:
        """A page of a visitor's own messages, oldest first."""
        return Deferred.fromCoroutine(self._exported(visitor, room, after))

    async def _exported(self, visitor: Identity, room: str | None, after: int | None) -> Page:
        # Also who takes part no longer, or may not, may have what they have said.
        person = await self._person(visitor)
        if visitor.impersonated_by is not None:
            raise Rejected("perm", "An administrator who acts as a user may not export.")
        async with self._requests.fairness.turn(person.id):
            return await self._around.store.export(person, room, after, wire.MOST_EVENTS)

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

    async def _person(self, visitor: Identity) -> Person:
        self._is_open()
        with self._requests.fairness.waiting(visitor.encoded_id):
            return await self._arriving.person(visitor)

    def _is_open(self) -> None:
        if not self._ready():
            raise DatabaseUnavailable("the chat's store is not open yet")

    def choose(self, visitor: Identity, prefs: wire.Prefs) -> Deferred[wire.Choices]:
        """Keep a visitor's choices, whether they take part or not."""
        return Deferred.fromCoroutine(self._choose(visitor, prefs))

    async def _choose(self, visitor: Identity, prefs: wire.Prefs) -> wire.Choices:
        asker = self._arriving.outsider(visitor, await self._person(visitor))
        with self._requests.fairness.asking(asker.person.id):
            ok = await self._requests.choosing.prefs(asker, prefs)
        assert ok.prefs is not None
        return ok.prefs
