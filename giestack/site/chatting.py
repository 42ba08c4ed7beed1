"""What the pages and the API ask of the chat. Who may do what is for the chat to say."""

from collections.abc import Awaitable, Collection, Mapping, Sequence
from typing import Literal, Protocol

from twisted.internet.defer import Deferred

from giestack.chat import wire
from giestack.chat.about import About
from giestack.chat.outlet import Conversation, Outlet
from giestack.chat.storage import AuditRow, Page, ReportRow, Sanction
from giestack.visitor import Anonymous, Identity, Operator

Sanctioning = Literal["mute", "ban"]


class Chatting(Protocol):
    """The chat; `giestack.chat.chat.Chat` is one.

    What is awaited may fail with `giestack.chat.storage.Rejected`, and with
    `giestack.database.DatabaseUnavailable` where the chat's store can't be asked right now.
    """

    def arrive(self, visitor: Identity | Anonymous | None, outlet: Outlet) -> Conversation | None:
        """Begin with a new connection; None where it was closed at once."""

    def listen(
        self, visitor: Identity, room: str, after: int, outlet: Outlet
    ) -> Conversation | None:
        """Bring one room's events after a number, and then as they come; as `arrive`."""

    def answer(
        self, visitor: Identity, data: bytes, conn: str | None
    ) -> Awaitable[wire.Ok | wire.Err]:
        """Carry out one request that has come by HTTP.

        ``conn`` is the event stream that it belongs to, if any; fails with `LookupError` where
        the visitor has no stream of that name.
        """

    def events(
        self, visitor: Identity, room: str, after: int | None, before: int | None, limit: int
    ) -> Awaitable[Page]:
        """Events of one of a visitor's rooms."""

    def about(self, visitor: Identity) -> Awaitable[About]:
        """What a visitor is to the chat."""

    def choose(self, visitor: Identity, prefs: wire.Prefs) -> Awaitable[wire.Choices]:
        """Keep a visitor's choices, whether they take part or not."""

    def exported(self, visitor: Identity, room: str | None, after: int | None) -> Deferred[Page]:
        """A page of a visitor's own messages, oldest first."""

    # What moderators do; `Rejected` (``perm``) for everybody else.

    def moderates(self, visitor: Identity) -> bool:
        """Whether somebody is a moderator or administrator, and nobody acts as them."""

    def reports(self, by: Identity | Operator, limit: int) -> Awaitable[Sequence[ReportRow]]:
        """Open reports, the newest first."""

    def close_report(self, by: Identity | Operator, number: int) -> Awaitable[None]:
        """Somebody has looked at a report."""

    def sanctions(self, by: Identity | Operator) -> Awaitable[Sequence[Sanction]]:
        """All sanctions in force."""

    def sanction(
        self,
        by: Identity | Operator,
        act: Sanctioning,
        user: str,
        room: str | None,
        until: int | None,
        reason: str,
    ) -> Awaitable[None]:
        """Put a sanction in force.

        ``user`` is an id; ``room`` is for a mute in one room only; ``until`` is ms since 1970
        UTC, None for ever. `Rejected` (``bad``) where there is nobody of that id.
        """

    def lift(
        self, by: Identity | Operator, act: Sanctioning, user: str, room: str | None
    ) -> Awaitable[None]:
        """End a sanction, if there is one."""

    def rooms_called(
        self, by: Identity | Operator, rooms: Collection[str]
    ) -> Awaitable[Mapping[str, str]]:
        """What rooms are called, by id."""

    def delete(self, by: Identity, room: str, ref: int, reason: str) -> Awaitable[None]:
        """Delete a message, in whichever room."""

    def audited(
        self, by: Identity | Operator, limit: int, before: int | None
    ) -> Awaitable[Sequence[AuditRow]]:
        """Lines of the audit, the newest first; ``before`` is the number of one."""
