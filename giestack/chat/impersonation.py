"""What administrators do who act as users stands in the audit, with both names."""

from collections.abc import Mapping

from giestack.chat.client import Asker
from giestack.chat.storage import AuditRow
from giestack.chat.surroundings import Surroundings


async def impersonation(
    around: Surroundings, asker: Asker, room: str | None, detail: Mapping[str, object]
) -> None:
    """Keep a line in the store's audit: by whom, as whom, and what.

    :raises DatabaseUnavailable: where that can't be done right now.
    """
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
