"""The store's audit: who did what to whom, with names and addresses as they are then.

Each may raise `giestack.database.DatabaseUnavailable`.
"""

from collections.abc import Mapping

from giestack.chat.client import Asker
from giestack.chat.storage import AuditRow
from giestack.chat.surroundings import Surroundings
from giestack.visitor import Identity, Operator


async def impersonation(
    around: Surroundings, asker: Asker, room: str | None, detail: Mapping[str, object]
) -> None:
    """Keep what an administrator has done who acts as a user, with both names."""
    await around.store.audit(
        AuditRow(
            ts=around.now(),
            action="impersonation",
            by=asker.identity.impersonated_by or "",
            room=room,
            target=asker.person.name,
            detail=detail,
        )
    )


async def note(
    around: Surroundings,
    action: str,
    by: Identity | Operator,
    room: str | None,
    target: str | None,
    detail: Mapping[str, object],
) -> None:
    """Keep what a moderator has done."""
    await around.store.audit(
        AuditRow(
            ts=around.now(),
            action=action,
            by=by.username or by.email,
            room=room,
            target=target,
            detail={**detail, "by_email": by.email},
        )
    )
