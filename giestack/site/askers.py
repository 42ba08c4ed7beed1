"""Who asks the API: a user, an administrator, or the operator on the admin listener."""

from giestack.proxy.decision import Refuse
from giestack.site import entitled
from giestack.site.asked import Asked
from giestack.site.endpoint import RefusalError
from giestack.site.spawning import Spawning
from giestack.spawner.view import SessionView
from giestack.visitor import Identity, Operator

NEEDS_USER = Refuse(403, "needs-user", "This needs a user; the token of the control API is none.")


def user_of(asked: Asked) -> Identity:
    """The logged-in user who asks; `RefusalError` where there is none (401, 403)."""
    if asked.operator is not None:
        raise RefusalError(NEEDS_USER)
    return entitled.user(asked.visitor)


def administrator_of(asked: Asked) -> Identity | Operator:
    """The administrator or operator who asks; `RefusalError` for anybody else (401, 403)."""
    return asked.operator or entitled.administrator(asked.visitor)


def session_of(
    spawning: Spawning, asked: Asked, session_id: str
) -> tuple[Identity | Operator, SessionView]:
    """Who asks, and the session: their own, or any for administrators and operators.

    `RefusalError` where there is no user (401), none of that id (404), another's (403).
    """
    if asked.operator is None:
        return entitled.session_of(spawning, asked.visitor, session_id)
    view = spawning.view(session_id)
    if view is None:
        raise RefusalError(entitled.unknown(spawning))
    return asked.operator, view


def sees_addresses(asked: Asked) -> bool:
    """Whether who asks may see other users' e-mail addresses."""
    visitor = asked.visitor
    return asked.operator is not None or (isinstance(visitor, Identity) and visitor.is_admin)
