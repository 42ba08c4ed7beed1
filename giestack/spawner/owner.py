"""Whose a session is: as much of a user as outlives their login."""

from dataclasses import dataclass
from typing import Literal

from giestack.visitor import Anonymous, Identity


@dataclass(frozen=True, slots=True)
class Owner:
    """A user of the host, without the login session.

    :ivar host: which application vouches for the user.
    :ivar user_id: the host's own id of the user.
    :ivar encoded_id: that id as the host shows it.
    :ivar username: the public name when the session was asked for; it can change hands.
    :ivar email: the e-mail address at that time.
    """

    host: Literal["galaxy", "openbis"]
    user_id: int
    encoded_id: str
    username: str | None
    email: str

    @property
    def key(self) -> str:
        """``galaxy-12``: stable, and safe in the names of folders, volumes and containers."""
        return f"{self.host}-{self.user_id}"

    @property
    def shown(self) -> str:
        """What to call the user."""
        return self.username or self.email

    def is_(self, visitor: Identity | Anonymous | None) -> bool:
        """Whether a visitor is this user."""
        return (
            isinstance(visitor, Identity)
            and visitor.user_id == self.user_id
            and visitor.host == self.host
        )


def owner_of(visitor: Identity) -> Owner:
    """The owner of what a visitor starts."""
    return Owner(visitor.host, visitor.user_id, visitor.encoded_id, visitor.username, visitor.email)
