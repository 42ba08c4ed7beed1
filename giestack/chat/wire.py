"""What chat's clients and giestack say to each other: ``giechat.v1.json``.

Each message is one text frame of a WebSocket (or one server-sent event) and holds one JSON
object. Its ``t`` names the frame, as it stands above each class in this file. Fields that have
no value, or are false, are left out. Times are milliseconds since 1970 UTC; ids of rooms and
people are opaque texts.

**One number per room.** What happens in a room and is kept is an *event*: a message, an edit, a
deletion, an act of a moderator. Events of a room are numbered from 1 without a gap: ``seq``.
Live events, history, unread counts and catching up after a night's sleep all go by that number,
so a client that has seen all up to N and asks for what came after N has missed nothing and gets
nothing twice.

**A conversation.** The server speaks first: `Hello`, with all that a client needs to show its
rooms. The client answers with `Resume`: for each room the last number it has. It is sent the
events it has missed, in order, as the frames they were; where there are too many of them a `Gap`
names the range, and `Hist` fetches as much of it as somebody wants to read. Then comes `Ok`, and
from then on what happens, as it happens.

**Requests** carry an ``id`` of the client's choice, and get exactly one `Ok` or `Err` with that
``id``; `Typing` may go without. A message carries a ``cid`` too, which its client makes up once:
sent again with the same ``cid``, after a connection broke before the `Ok`, it is stored once and
gets the same answer. `Ok` comes after the event was stored for good.

**Editing.** An `Edit` or `Del` is an event with a number of its own that names the message in
``ref``. Messages that are fetched later come with their latest text and ``edited``, or empty
with ``deleted``.

**Who may.** A room is ``public`` (anybody may join), ``unlisted`` (whoever knows its id may) or a
``dm`` between two people. What happens in a room goes to those who have joined it, and to nobody
else. Refusals have a code: ``auth`` (not logged in), ``perm`` (not allowed), ``rate`` (too fast:
``retry_ms`` says when), ``len`` (too long), ``filter`` (a word that is not allowed here),
``muted``, ``noroom`` (no such room, or none that you may know of), ``bad`` (not understood),
``server`` (not your fault).

**Close codes.** 4401 not logged in, or not any more; 4403 banned, disabled or not opted in; 4408
did not read for too long; 4429 asked for far too much; 1012 restart, come back in a moment; 1013
the store can't be reached, come back later; 1009 too big; 1011 something went wrong in the server.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from giestack.chat.frames import LARGEST, Vocabulary, frame

SUBPROTOCOL = "giechat.v1.json"
VERSION = 1

MOST_EVENTS = 100
"""The most events that one `Hist` or `Search` asks for."""

Id = str | int
Kind = Literal["public", "unlisted", "dm"]
Role = Literal["user", "moderator", "admin"]
Act = Literal["mute", "unmute", "ban", "unban", "slow", "lock", "unlock", "del"]
Code = Literal["auth", "perm", "rate", "len", "filter", "muted", "noroom", "bad", "server"]


# Close codes.
CLOSE_RESTART = 1012
CLOSE_TOO_BIG = 1009
CLOSE_NOT_LOGGED_IN = 4401
CLOSE_FORBIDDEN = 4403
CLOSE_TOO_SLOW = 4408
CLOSE_FLOOD = 4429


# What clients ask for.


@frame("resume")
class Resume:
    """Go on in these rooms: ``rooms`` has the last ``seq`` the client has of each.

    Public rooms that one has not joined are joined. The `Ok` names ``refused`` rooms.
    """

    id: Id
    rooms: Mapping[str, int]


@frame("join")
class Join:
    """Join a room; `Ok` has the ``room``. Nothing of its history is sent: see `Hist`."""

    id: Id
    room: str


@frame("leave")
class Leave:
    """Leave a room for good; disconnecting is no leaving."""

    id: Id
    room: str


@frame("create")
class Create:
    """Make a room, or find the ``dm`` with ``user``; `Ok` has the ``room``, joined."""

    id: Id
    kind: Kind = "unlisted"
    name: str = ""
    user: str | None = None


@frame("msg")
class Msg:
    """Say something; ``reply`` is the ``seq`` of the message it answers."""

    id: Id
    cid: str
    room: str
    text: str
    reply: int | None = None


@frame("edit")
class Edit:
    """Change the text of one's own message ``ref``."""

    id: Id
    room: str
    ref: int
    text: str


@frame("del")
class Del:
    """Delete one's own message ``ref``, or as a moderator anybody's, with a reason."""

    id: Id
    room: str
    ref: int
    reason: str | None = None


@frame("hist")
class Hist:
    """Fetch events: the newest, or those next to ``before`` or ``after``; see `Ok`."""

    id: Id
    room: str
    before: int | None = None
    after: int | None = None
    limit: int = 50


@frame("read")
class Read:
    """Everything up to ``seq`` was read; smaller numbers than before change nothing."""

    id: Id
    room: str
    seq: int


@frame("typing")
class Typing:
    """Somebody is writing; say it once in three seconds at most. It is forgotten after five."""

    room: str
    id: Id | None = None


@frame("mod")
class Mod:
    """Act as a moderator.

    ``mute`` (in ``room``, or everywhere without one) and ``ban`` (from all of the chat) are for a
    ``user``, for ever or ``until`` a time; ``slow`` lets everybody say something only once in
    ``seconds`` (0: no longer); ``lock`` lets only moderators write; ``del`` deletes message
    ``ref``.
    """

    id: Id
    act: Act
    room: str | None = None
    user: str | None = None
    until: int | None = None
    seconds: int | None = None
    ref: int | None = None
    reason: str | None = None


@frame("report")
class Report:
    """Tell the moderators of a message."""

    id: Id
    room: str
    ref: int
    reason: str


@frame("export")
class Export:
    """Fetch one's own messages, oldest first; ``after`` is the ``next`` of the `Ok` before."""

    id: Id
    room: str | None = None
    after: int | None = None


@frame("prefs")
class Prefs:
    """Choose; what is left out stays. With ``opt_in: false`` one takes part no longer."""

    id: Id
    do_not_disturb: bool | None = None
    online: bool | None = None
    opt_in: bool | None = None


@frame("search")
class Search:
    """Find messages by their words, newest first; ``before`` is the ``next`` of the last `Ok`."""

    id: Id
    text: str
    room: str | None = None
    before: int | None = None
    limit: int = 30


@frame("rooms")
class Rooms:
    """List public rooms, those whose name holds ``text``."""

    id: Id
    text: str = ""


@frame("people")
class People:
    """Find people whose name begins with ``text``: those in a ``room``, else all one may know."""

    id: Id
    text: str = ""
    room: str | None = None


Request = (
    Resume
    | Join
    | Leave
    | Create
    | Msg
    | Edit
    | Del
    | Hist
    | Read
    | Typing
    | Mod
    | Report
    | Export
    | Prefs
    | Search
    | Rooms
    | People
)

REQUESTS = Vocabulary(
    Resume,
    Join,
    Leave,
    Create,
    Msg,
    Edit,
    Del,
    Hist,
    Read,
    Typing,
    Mod,
    Report,
    Export,
    Prefs,
    Search,
    Rooms,
    People,
)
"""What a client may say."""


# What the frames of the server are about.


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody: their id and name; ``role`` is left out for plain users but in `Hello`."""

    id: str
    name: str
    role: Role | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomState:
    """A room as one person sees it.

    :ivar last: number of its last event; 0: none yet.
    :ivar read: up to where it was read.
    :ivar unread: messages of others after that; no more than 1000 are counted.
    :ivar mentions: how many of them speak of the reader.
    :ivar joined: whether the reader has joined it.
    :ivar persistent: whether the site's configuration has it.
    :ivar locked: whether only moderators may write.
    :ivar slow: seconds between two messages of one person; 0: no limit but the usual.
    :ivar owner: id of who has made it.
    :ivar peer: the other one in a ``dm``.
    :ivar muted_until: until when the reader may not write; 0 is not muted, `FOR_EVER` for ever.
    """

    id: str
    name: str
    kind: Kind
    last: int = 0
    read: int = 0
    unread: int = 0
    mentions: int = 0
    joined: bool = False
    persistent: bool = False
    locked: bool = False
    slow: int = 0
    owner: str | None = None
    peer: User | None = None
    muted_until: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """``length`` characters, ``rate`` messages a second after a ``burst``, ``frame`` bytes.

    ``edit_ms`` is for how long one's own message may be changed. 0 is no limit.
    """

    length: int
    rate_ms: int
    burst: int
    frame: int
    edit_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What a person has chosen; see `Prefs`."""

    do_not_disturb: bool = False
    online: bool = False
    opt_in: bool = False


# What the server says, beside events.


@frame("hello")
class Hello:
    """The first frame. ``epoch`` names the log: with another one, what a client keeps is void.

    ``conn`` names this connection, for requests that come another way (see the HTTP fallback).
    """

    v: int
    user: User
    now: int
    conn: str
    epoch: str
    limits: Limits
    rooms: tuple[RoomState, ...]
    prefs: Choices = Choices()
    impersonated: bool = False


@frame("gap")
class Gap:
    """Events ``from`` … ``to`` of a room were not sent: there are too many. See `Hist`."""

    room: str
    from_: int
    to: int


@frame("presence")
class Presence:
    """Who is here: the first one for a room has everybody, the others what has changed.

    ``join`` names 200 people at most, ``leave`` has ids; ``count`` is how many there are.
    """

    room: str
    count: int
    join: tuple[User, ...] = ()
    leave: tuple[str, ...] = ()


@frame("read")
class Marked:
    """A room was read, here or at another of one's own clients."""

    room: str
    seq: int
    unread: int = 0
    mentions: int = 0


@frame("typing")
class Writing:
    """Somebody is writing."""

    room: str
    user: str
    name: str


@frame("prefs")
class Chosen:
    """One's own choices, changed at another client."""

    prefs: Choices


@frame("room")
class Room:
    """A room of one's own is new or has changed (``gone``: is one's own no longer).

    Somebody else, or another client of one's own, has done that; to hear the room `Resume` it.
    """

    room: RoomState
    gone: bool = False


@frame("report")
class Reported:
    """For moderators: somebody has reported a message."""

    room: str
    ref: int
    user: str
    name: str
    reason: str


@frame("err")
class Err:
    """A request was refused; ``id`` is left out where it could not be read."""

    code: Code
    message: str
    id: Id | None = None
    retry_ms: int | None = None


# Events.


@frame("msg")
class Message:
    """Somebody has said something.

    :ivar cid: for the author's own clients only.
    :ivar mentions: ids of those it speaks to, and ``"room"`` for everybody.
    :ivar edited: when it was changed last, if it was.
    :ivar impersonated: it was an administrator acting as that user.
    """

    room: str
    seq: int
    ts: int
    user: str
    name: str
    text: str
    cid: str | None = None
    mentions: tuple[str, ...] = ()
    reply: int | None = None
    edited: int | None = None
    deleted: bool = False
    impersonated: bool = False


@frame("edit")
class Edited:
    """Message ``ref`` has another text."""

    room: str
    seq: int
    ts: int
    user: str
    name: str
    ref: int
    text: str
    mentions: tuple[str, ...] = ()
    impersonated: bool = False


@frame("del")
class Deleted:
    """Message ``ref`` was deleted, by ``user``."""

    room: str
    seq: int
    ts: int
    user: str
    name: str
    ref: int
    reason: str | None = None
    impersonated: bool = False


@frame("mod")
class Moderated:
    """A moderator has acted.

    ``user`` and ``name`` are whom it was done to, ``by`` and ``by_name`` who did it.
    """

    room: str
    seq: int
    ts: int
    act: Act
    by: str
    by_name: str
    user: str | None = None
    name: str | None = None
    until: int | None = None
    seconds: int | None = None
    ref: int | None = None
    reason: str | None = None


Event = Message | Edited | Deleted | Moderated


@frame("ok")
class Ok:
    """A request was carried out. Which of the fields there are depends on the request.

    `Msg`, `Edit`, `Del`, `Mod`: ``seq`` and ``ts`` of the event. `Hist`: ``events`` in order, and
    ``more``: whether there are others in the direction that was asked for. `Search`, `Export`:
    ``events``, and ``next`` where there is more. `Join`, `Create`: ``room``. `Resume`:
    ``refused``. `Rooms`: ``rooms``. `People`: ``people``. `Read`: ``unread``, ``mentions``.
    `Prefs`: ``prefs``.
    """

    id: Id
    seq: int | None = None
    ts: int | None = None
    room: RoomState | None = None
    rooms: tuple[RoomState, ...] | None = None
    people: tuple[User, ...] | None = None
    events: tuple[Event, ...] | None = None
    more: bool = False
    next: int | None = None
    refused: tuple[str, ...] | None = None
    unread: int | None = None
    mentions: int | None = None
    prefs: Choices | None = None


Answer = (
    Hello
    | Gap
    | Presence
    | Marked
    | Writing
    | Chosen
    | Room
    | Reported
    | Message
    | Edited
    | Deleted
    | Moderated
    | Ok
    | Err
)

ANSWERS = Vocabulary(
    Hello,
    Gap,
    Presence,
    Marked,
    Writing,
    Chosen,
    Room,
    Reported,
    Message,
    Edited,
    Deleted,
    Moderated,
    Ok,
    Err,
)
"""What the server may say."""

FOR_EVER = LARGEST
"""A time that never comes."""
