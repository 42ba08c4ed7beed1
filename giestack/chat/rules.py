"""What the chat goes by: the configuration's ``chat`` section as the chat needs it."""

from dataclasses import dataclass
from typing import Literal

from giestack.chat.wire import Limits

DAY_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What an administrator has decided; 0 is no limit.

    :ivar enabled: whether anybody may take part at all.
    :ivar opt_in: whether people take part only after they have switched it on.
    :ivar rooms: names of the persistent rooms, in order.
    :ivar impersonation: what an administrator may do who acts as a user: read what is public
        (``deny``), write with a mark that all see (``mark``), or everything (``allow``).
    :ivar moderators: their e-mail addresses, in lower case.
    :ivar length: characters of one message.
    :ivar frame: bytes of one frame.
    :ivar rate: messages per second of one person, after `burst` of them.
    :ivar edit_seconds: for how long one's own message may be changed.
    :ivar sockets_per_user: connections that one person may have.
    :ivar retention_days: for how long events are kept.
    """

    enabled: bool = True
    opt_in: bool = True
    rooms: tuple[str, ...] = ()
    impersonation: Literal["deny", "mark", "allow"] = "deny"
    moderators: frozenset[str] = frozenset()
    deny: tuple[str, ...] = ()
    mask: tuple[str, ...] = ()
    length: int = 4000
    frame: int = 65536
    rate: float = 1.0
    burst: int = 5
    edit_seconds: float = 900
    sockets_per_user: int = 16
    retention_days: int = 0

    @property
    def limits(self) -> Limits:
        """The limits as clients are told of them."""
        return Limits(
            length=self.length,
            rate_ms=round(1000 / self.rate) if self.rate else 0,
            burst=self.burst,
            frame=self.frame,
            edit_ms=round(self.edit_seconds * 1000),
        )

    def since(self, now: int) -> int:
        """The time before which one's own messages can't be changed any more, ms."""
        return now - round(self.edit_seconds * 1000) if self.edit_seconds else 0

    def keeps_from(self, now: int) -> int | None:
        """The time before which events are forgotten, ms; None: never."""
        return now - self.retention_days * DAY_MS if self.retention_days else None
