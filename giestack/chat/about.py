"""What a visitor is to the chat."""

from dataclasses import dataclass

from giestack.chat.wire import Choices, User


@dataclass(frozen=True, slots=True)
class About:
    """What a visitor is to the chat.

    :ivar opt_in_needed: whether they have to switch it on before they take part.
    :ivar banned_until: ms since 1970 UTC; 0: not banned.
    :ivar impersonated: whether an administrator acts as them.
    """

    user: User
    prefs: Choices
    opt_in_needed: bool
    banned_until: int = 0
    impersonated: bool = False
