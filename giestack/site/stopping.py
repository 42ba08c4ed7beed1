"""Stops a visitor's interactive tool: its owner is checked here, the rest is Galaxy's to do."""

from collections.abc import Awaitable
from typing import Literal, Protocol

from twisted.internet.defer import Deferred

from giestack.proxy.decision import Refuse
from giestack.site.endpoint import NOT_FOUND, NOT_LOGGED_IN, RefusalError
from giestack.visitor import Anonymous, Identity

Standing = Literal["owner", "other", "gone", "unavailable"]

Outcome = Literal["stopping", "gone", "not-owner", "login", "unavailable", "failed"]
"""What Galaxy makes of it: ``login`` is that it does not take the visitor's session from here,
``unavailable`` that it does not answer, ``failed`` that its answer is not one to this question."""

_NOT_OWNER = Refuse(403, "not-owner", "This interactive tool belongs to somebody else.")
_UNAVAILABLE = Refuse(
    503,
    "identity-unavailable",
    "Galaxy’s database does not answer, so nobody can tell whose tool this is.",
    retry_after=5,
)
_IN_GALAXY = "Stop the tool in Galaxy: its job is in the history."
_REFUSALS: dict[Outcome, Refuse] = {
    "gone": NOT_FOUND,
    "not-owner": _NOT_OWNER,
    "login": Refuse(
        502, "galaxy-login", f"Galaxy does not take your login from giestack. {_IN_GALAXY}"
    ),
    "unavailable": Refuse(
        503,
        "galaxy-unavailable",
        "Galaxy does not answer, so it is not certain that the tool is stopped.",
        retry_after=10,
    ),
    "failed": Refuse(502, "galaxy-failed", f"Galaxy could not stop the tool. {_IN_GALAXY}"),
}


class StandingTo(Protocol):
    """How a visitor stands to the entry point with this key; at once where it is known."""

    def __call__(
        self, key: str, visitor: Identity | Anonymous
    ) -> Standing | Deferred[Standing]: ...


class AskGalaxy(Protocol):
    """Has Galaxy stop the tool of an entry point as this visitor; never fails."""

    def __call__(self, key: str, visitor: Identity | Anonymous) -> Awaitable[Outcome]: ...


class Audit(Protocol):
    """Takes note of what a visitor did."""

    def __call__(self, event: str, who: Identity | Anonymous | None, **fields: object) -> None: ...


class Stopping:
    """Stops interactive tools for those whose they are."""

    def __init__(self, standing: StandingTo, ask_galaxy: AskGalaxy, audit: Audit) -> None:
        self._standing = standing
        self._ask_galaxy = ask_galaxy
        self._audit = audit

    async def __call__(self, key: str, visitor: Identity | Anonymous | None) -> None:
        """Stop the tool of the entry point with this key; returns when Galaxy has taken it on.

        Raises `RefusalError` where it has not: 401 without a session, 404 for a tool that is
        not there (any more), 403 for one of somebody else's, administrators included, 502 and
        503 where Galaxy or its database do not do their part.
        """
        if visitor is None:
            raise RefusalError(NOT_LOGGED_IN)
        standing = self._standing(key, visitor)
        if isinstance(standing, Deferred):
            standing = await standing
        if standing == "unavailable":
            raise RefusalError(_UNAVAILABLE)
        if standing == "gone":
            raise RefusalError(NOT_FOUND)
        outcome = await self._ask_galaxy(key, visitor) if standing == "owner" else "not-owner"
        if outcome != "stopping":
            refuse = _REFUSALS[outcome]
            self._audit("refused", visitor, kind="entry_point", route=key, code=refuse.code)
            raise RefusalError(refuse)
        self._audit("stopped", visitor, kind="entry_point", route=key)
