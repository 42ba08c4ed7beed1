"""Who comes: whether they may, who they are here, and what they are told first."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from giestack.chat.client import Asker, Client, Participant
from giestack.chat.names import person_name
from giestack.chat.rooms import Standing, muted, shown
from giestack.chat.storage import Person, Who
from giestack.chat.surroundings import Surroundings
from giestack.chat.wire import CLOSE_FORBIDDEN, VERSION, Hello, Role, RoomState, User
from giestack.database import DatabaseUnavailable
from giestack.visitor import Identity

T = TypeVar("T")


class Preference(Protocol):
    """Whether a user of the host has switched chat on there; None where the host can't say.

    The Deferred may fail with `DatabaseUnavailable`.
    """

    def __call__(self, user_id: int) -> Deferred[bool | None]: ...


Identify = Callable[[Identity], Awaitable[object]]
"""Whom a session stands for now that has stood for somebody: an `Identity`, or anything else."""


class NotWelcome(Exception):
    """Somebody may not come in: a close code and why."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class Arriving:
    """Lets people in."""

    _log = Logger()

    def __init__(
        self,
        around: Surroundings,
        preference: Preference | None = None,
        identify: Identify | None = None,
    ) -> None:
        """
        :param preference: the first value of a person's choice to take part.
        :param identify: tells who somebody is now.
        """
        self._identify = identify
        self._around = around
        self._preference = preference

    async def person(self, identity: Identity) -> Person:
        """Who a visitor is here."""
        around = self._around
        name = person_name(identity.username, identity.encoded_id)
        person = await around.store.person(
            Who(host=identity.host, user_id=identity.user_id, id=identity.encoded_id, name=name)
        )
        preference = self._preference if around.rules.opt_in else None
        if person.opt_in is not None or preference is None:
            return person
        try:
            chosen = await preference(identity.user_id)
        except DatabaseUnavailable as error:
            self._log.warn("a user's preference could not be read: {reason}", reason=str(error))
            return person
        if chosen is None:
            return person
        return await around.store.choose(person, opt_in=chosen)

    async def asker(self, identity: Identity) -> Asker:
        """Let somebody in for one request.

        :raises NotWelcome: where they may not come in.
        :raises DatabaseUnavailable: where nobody can tell.
        """
        person, joined = await self._looked_up(identity, self._joined)
        return self._asker(identity, person, joined)

    async def _joined(self, person: Person) -> Collection[str]:
        if person.id in self._around.participants:
            return ()
        return await self._around.store.joined(person)

    async def _looked_up(
        self, identity: Identity, look: Callable[[Person], Awaitable[T]]
    ) -> tuple[Person, T]:
        """Who a visitor is, and what else is to be known of them: as it is now, not a moment ago.

        Raises as `asker`.
        """
        while True:
            with self._around.looks.at(identity.encoded_id) as looking:
                person = await self.person(identity)
                self.welcome(person)
                found = await look(person)
            # They may have been banned meanwhile.
            self.welcome(person)
            if not looking.stale:
                return person, found

    async def arrive(self, identity: Identity, client: Client) -> tuple[Asker, Hello]:
        """Let somebody in with a client; returns what to tell it first, too. Raises as `asker`."""
        around = self._around
        person, states = await self._looked_up(identity, around.store.rooms_of)
        for state in states:
            around.rooms.know(state)
        asker = self._asker(identity, person, {one.id for one in states if one.joined}, client)
        return asker, self._hello(asker, states, client.conn)

    def _asker(
        self,
        identity: Identity,
        person: Person,
        joined: Collection[str],
        client: Client | None = None,
    ) -> Asker:
        participants = self._around.participants
        participant = participants.get(person.id)
        if participant is None:
            participant = Participant(person, "user", set(joined))
        participant.person = person
        participant.role = self.role(identity)
        if client is not None:
            participants[person.id] = participant
            participant.clients.add(client)
            client.impersonated = identity.impersonated_by is not None
        return Asker(identity, participant, _standing(identity, participant), client)

    async def look_again(self, asker: Asker) -> None:
        """Take in who somebody is now: their name, and whether they administer the host."""
        if self._identify is None:
            return
        before, found = asker.identity, await self._identify(asker.identity)
        if not isinstance(found, Identity) or found == before or found.user_id != before.user_id:
            # Whose session has ended is cut off by others.
            return
        if found.username != before.username:
            asker.participant.person = await self.person(found)
        asker.identity = found
        self.judge_again(asker)

    def judge_again(self, asker: Asker) -> None:
        """Take in what somebody is by other rules."""
        asker.participant.role = asker.standing.role = self.role(asker.identity)

    def welcome(self, person: Person) -> None:
        """Raise `NotWelcome` for somebody who may not be here."""
        rules = self._around.rules
        if not rules.enabled:
            raise NotWelcome(CLOSE_FORBIDDEN, "the chat is switched off")
        if self._around.rooms.banned_until(person.id, self._around.now()):
            raise NotWelcome(CLOSE_FORBIDDEN, "banned")
        if rules.opt_in and not person.opt_in:
            raise NotWelcome(CLOSE_FORBIDDEN, "not opted in")

    def depart(self, asker: Asker) -> None:
        """A client has gone."""
        around, client = self._around, asker.client
        assert client is not None
        for room in tuple(client.rooms):
            around.people.leave(room.id, client.person, around.milliseconds())
            around.hearing.unfollow(client, room)
        participant = asker.participant
        participant.clients.discard(client)
        if not participant.clients and around.participants.get(client.person) is participant:
            del around.participants[client.person]

    def _hello(self, asker: Asker, states: Sequence[RoomState], conn: str) -> Hello:
        around = self._around
        now = around.now()
        seen = shown(states, asker.standing, around.rooms)
        return Hello(
            v=VERSION,
            user=User(id=asker.person.id, name=asker.person.name, role=asker.participant.role),
            now=now,
            conn=conn,
            epoch=around.store.epoch,
            limits=around.rules.limits,
            rooms=tuple([muted(state, around.rooms, asker.standing, now) for state in seen]),
            prefs=asker.person.choices,
            impersonated=asker.standing.impersonated,
        )

    def outsider(self, identity: Identity, person: Person) -> Asker:
        """Somebody who need not take part."""
        participant = self._around.participants.get(person.id)
        participant = participant or Participant(person, self.role(identity), set())
        return Asker(identity, participant, _standing(identity, participant))

    def role(self, identity: Identity) -> Role:
        """What somebody is here."""
        if identity.is_admin:
            return "admin"
        return "moderator" if identity.email.lower() in self._around.rules.moderators else "user"


def _standing(identity: Identity, participant: Participant) -> Standing:
    return Standing(
        participant.person.id,
        participant.role,
        participant.joined,
        identity.impersonated_by is not None,
    )
