"""The audit log: who started, entered, stopped or was refused what, a JSON object in each line.

Every line has ``time`` (ISO 8601, UTC), ``event``, ``user`` (name or e-mail address) and
``user_id`` (as the host encodes it), which are null where there is no user; then what belongs to
the event: ``address`` (the visitor's), ``route``, ``session``, ``profile``, ``reason``, and
``impersonated_by`` where an administrator acts as the user.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from time import sleep
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from giestack.ops.line_log import LineLog
from giestack.ops.log_target import Target
from giestack.ops.masking import presentable
from giestack.visitor import Anonymous, Identity, Operator

RECORDS = 10_000
"""Records that may wait to be written."""

Record = Mapping[str, str | int | float | bool | None]


class Person(Protocol):
    """A user, visiting or not, such as the owner of a session."""

    @property
    def encoded_id(self) -> str: ...
    @property
    def username(self) -> str | None: ...
    @property
    def email(self) -> str: ...


class Audit(Protocol):
    """Takes note of what ``who`` did or what befell them; ``fields`` hold no secret.

    Fields that are None are left out. A text counts up to its first line feed, and some hundred
    characters.
    """

    def __call__(
        self, event: str, who: Person | Anonymous | Operator | None, **fields: object
    ) -> None: ...


class _Records:
    """What waits to be written; see `giestack.ops.line_log.Waiting`."""

    def __init__(self) -> None:
        self.dropped = 0
        self._wanted = False
        self._records: list[Record] = []

    def keep(self, wanted: bool) -> None:
        self._wanted = wanted

    def take(self) -> list[Record]:
        taken, self._records = self._records, []
        return taken

    def add(self, record: Record) -> None:
        if not self._wanted:
            return
        if len(self._records) >= RECORDS:
            self.dropped += 1
        else:
            self._records.append(record)


class AuditLog(LineLog[Record]):
    """Writes what happens to ``target``, later and in a thread; see `LineLog`. It is an `Audit`.

    ``utcnow`` is the wall clock, naive UTC.
    """

    def __init__(
        self,
        target: Target | None,
        clock: IReactorTime,
        utcnow: Callable[[], datetime],
        defer_to_thread: Callable[..., Deferred[Any]],
        pause: Callable[[float], None] = sleep,
    ) -> None:
        self._records = _Records()
        super().__init__(
            "Audit log", self._records, lambda: _lines, target, clock, defer_to_thread, pause
        )
        self._utcnow = utcnow

    def __call__(
        self, event: str, who: Person | Anonymous | Operator | None, **fields: object
    ) -> None:
        """Take note; see `Audit`. It never waits and never fails."""
        time = self._utcnow().isoformat(timespec="milliseconds") + "Z"
        record: dict[str, str | int | float | bool | None] = {"time": time, "event": event}
        if who is None or isinstance(who, Anonymous):
            record["user"] = record["user_id"] = None
        else:
            record["user"] = who.username or who.email
            record["user_id"] = None if isinstance(who, Operator) else who.encoded_id
        if isinstance(who, Identity) and who.impersonated_by is not None:
            record["impersonated_by"] = who.impersonated_by
        for name, value in fields.items():
            if value is not None:
                record.setdefault(name, _plain(value))
        self._records.add(record)


def _plain(value: object) -> str | int | float | bool:
    if isinstance(value, int | float):
        return value
    return presentable(value.decode("latin-1") if isinstance(value, bytes) else str(value))


def _lines(records: Sequence[Record]) -> bytes:
    return "".join([json.dumps(record) + "\n" for record in records]).encode("ascii")
