"""Who is asking, as values that every part of giestack understands.

A session check has exactly four answers: a logged-in user (`Identity`), a visitor with a
valid session but no user (`Anonymous`), no valid session (`Refused`), and "nobody can tell
right now" (`Unavailable`, for example a database that is down). The last one must never be
treated as the third: a database outage is no logout.
"""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Identity:
    """A logged-in user of the host application.

    :ivar host: which application vouches for the user.
    :ivar user_id: the host's own id of the user (Galaxy: ``galaxy_user.id``).
    :ivar encoded_id: that id as the host shows it in its API.
    :ivar username: the public name; None where the user has none.
    :ivar email: the e-mail address, exactly as stored.
    :ivar is_admin: whether the host's configuration lists the address as an administrator.
    :ivar session_id: the host's id of the login session (Galaxy: ``galaxy_session.id``).
    :ivar session_key: the secret that names the session; never logged.
    :ivar impersonated_by: e-mail of the administrator who acts as this user, or None.
    """

    host: Literal["galaxy", "openbis"]
    user_id: int
    encoded_id: str
    username: str | None
    email: str
    is_admin: bool
    session_id: int
    session_key: str = field(repr=False)
    impersonated_by: str | None = None


@dataclass(frozen=True, slots=True)
class Anonymous:
    """A valid session without a user; it may own interactive tools of its own.

    :ivar session_id: ``galaxy_session.id``.
    :ivar session_key: the secret that names the session; never logged.
    """

    session_id: int
    session_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Operator:
    """Whoever holds the token of the control API: may what administrators may, and is no user.

    :ivar username: what to call them, in the place of a user's name.
    :ivar email: the same for logs.
    """

    username: str = "operator"
    email: str = "operator"


USER_DELETED = "the user is deleted"
"""Why a session is refused whose user is no more: no login will help."""


@dataclass(frozen=True, slots=True)
class Refused:
    """No valid session.

    :ivar reason: why, in words for a log or ``giestack whoami``; holds no secret.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The host's database cannot be asked right now.

    :ivar reason: why, in words for a log; holds no secret.
    """

    reason: str


Visitor = Identity | Anonymous | Refused | Unavailable
