"""Who may ask for what about spawned sessions; pages and the API keep the same rules."""

from giestack.proxy.decision import Refuse
from giestack.site.endpoint import NOT_FOUND, NOT_LOGGED_IN, RefusalError
from giestack.site.spawning import Spawning
from giestack.spawner.engine import EngineError
from giestack.spawner.view import SessionView, SpawnRefused
from giestack.visitor import Anonymous, Identity

NOT_OWNER = Refuse(403, "not-owner", "This session belongs to somebody else.")
SESSIONS_UNKNOWN = Refuse(
    503, "sessions-unavailable", "Which sessions there are is not known yet.", retry_after=1
)
NOT_ADMIN = Refuse(403, "not-admin", "This page is for administrators.")


def user(visitor: Identity | Anonymous | None) -> Identity:
    """The logged-in user who asks; `RefusalError` (401) where there is none."""
    if not isinstance(visitor, Identity):
        raise RefusalError(NOT_LOGGED_IN)
    return visitor


def administrator(visitor: Identity | Anonymous | None) -> Identity:
    """The administrator who asks; `RefusalError` (401, 403) where it is somebody else."""
    identity = user(visitor)
    if not identity.is_admin:
        raise RefusalError(NOT_ADMIN)
    return identity


def session_of(
    spawning: Spawning, visitor: Identity | Anonymous | None, session_id: str
) -> tuple[Identity, SessionView]:
    """The user and the session they ask for: their own, or any for an administrator.

    Unknown sessions are 404 for every user, those of others 403 (`RefusalError`).
    """
    identity = user(visitor)
    view = spawning.view(session_id)
    if view is None:
        raise RefusalError(unknown(spawning))
    if not view.owner.is_(identity) and not identity.is_admin:
        raise RefusalError(NOT_OWNER)
    return identity, view


def unknown(spawning: Spawning) -> Refuse:
    """What is answered where there is no session of some id (404), or none yet (503)."""
    return NOT_FOUND if spawning.knows_all else SESSIONS_UNKNOWN


def refusal_of(refused: SpawnRefused) -> Refuse:
    """What the spawner refused, as an answer."""
    return Refuse(refused.status, refused.code, str(refused))


def unavailable(error: EngineError) -> Refuse:
    """What an engine could not do just now, as an answer."""
    return Refuse(503, "engine-unavailable", str(error), retry_after=5)
