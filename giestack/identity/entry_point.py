"""Galaxy's interactive tools, as values."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class EntryPointOwner:
    """Whose an interactive tool's entry point is: its job's user, or its job's session.

    :ivar id: ``interactivetool_entry_point.id``.
    :ivar user_id: the job's user; None where an anonymous visitor started it.
    :ivar session_id: the session that started the job, where Galaxy has noted it.
    :ivar active: whether the entry point is there and its job has not ended.
    """

    id: int
    user_id: int | None
    session_id: int | None
    active: bool


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """A door of a running interactive tool, as Galaxy's database has it.

    :ivar id: ``interactivetool_entry_point.id``.
    :ivar name: the tool's name for it, for people.
    :ivar label: the short name in the tool's description (None before Galaxy 23.2).
    :ivar token: the secret in its URL.
    :ivar configured: whether Galaxy knows where the container listens.
    :ivar job_state: ``job.state``.
    :ivar entry_url: the path to open, relative to the tool's root; may be empty.
    :ivar requires_domain: whether it has a host name of its own (else a path).
    :ivar requires_path_in_url: whether the container wants to see the whole path.
    :ivar requires_path_in_header_named: a header in which it wants to see the path's prefix.
    :ivar created_time: naive UTC.
    """

    id: int
    name: str
    label: str | None
    token: str = field(repr=False)
    configured: bool
    job_state: str
    entry_url: str
    requires_domain: bool
    requires_path_in_url: bool
    requires_path_in_header_named: str | None
    created_time: datetime | None
