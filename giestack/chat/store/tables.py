"""The tables of the chat's store, the same in SQLite and PostgreSQL.

Names begin with ``chat_``, so that they may stand in a database with others. Times are
milliseconds since 1970 UTC. Full-text indexes differ, see `giestack.chat.store.words_index`.
"""

from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    and_,
    literal_column,
)

if TYPE_CHECKING:
    from sqlalchemy import Select

metadata = MetaData()

# SQLite numbers rows by itself only in an INTEGER.
Number = BigInteger().with_variant(Integer, "sqlite")

# Compared byte by byte, as SQLite does: ranges of names are then the same in both.
Exact = Text().with_variant(Text(collation="C"), "postgresql")

AnySelect: TypeAlias = "Select[*tuple[Any, ...]]"

EVERYBODY = 0
"""Stands for a person in `mention` where a message speaks to the whole room."""

meta = Table(
    "chat_meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

person = Table(
    "chat_person",
    metadata,
    Column("key", Number, primary_key=True),
    Column("host", Text, nullable=False),
    Column("user_id", BigInteger, nullable=False),
    Column("id", Text, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("lower", Exact, nullable=False, index=True),
    Column("opt_in", Boolean),
    Column("do_not_disturb", Boolean, nullable=False),
    Column("online", Boolean, nullable=False),
    UniqueConstraint("host", "user_id"),
)

room = Table(
    "chat_room",
    metadata,
    Column("key", Number, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("folded", Exact, nullable=False),
    # Its place among the rooms of the configuration; no number: it is none of those.
    Column("position", Integer, index=True),
    Column("locked", Boolean, nullable=False),
    Column("slow", Integer, nullable=False),
    Column("owner", ForeignKey(person.c.key)),
    # The two people of a "dm", the smaller key first.
    Column("first", ForeignKey(person.c.key)),
    Column("second", ForeignKey(person.c.key)),
    Column("last", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False, index=True),
    UniqueConstraint("first", "second"),
)
is_public = room.c.kind == literal_column("'public'")
Index(
    "ix_chat_room_public",
    room.c.folded,
    unique=True,
    sqlite_where=is_public,
    postgresql_where=is_public,
)

member = Table(
    "chat_member",
    metadata,
    Column("room", ForeignKey(room.c.key), primary_key=True),
    Column("person", ForeignKey(person.c.key), primary_key=True, index=True),
    Column("read", BigInteger, nullable=False),
    Column("joined", BigInteger, nullable=False),
)

event = Table(
    "chat_event",
    metadata,
    Column("key", Number, primary_key=True),
    Column("room", ForeignKey(room.c.key), nullable=False),
    Column("seq", BigInteger, nullable=False),
    # "msg", "edit", "del" or "mod", as on the wire.
    Column("kind", Text, nullable=False),
    Column("ts", BigInteger, nullable=False),
    Column("author", ForeignKey(person.c.key), nullable=False),
    # Of a message only; an "edit" shows what its message says now.
    Column("text", Text, nullable=False),
    Column("cid", Text),
    # The message that an event answers, changes or ends.
    Column("ref", BigInteger),
    Column("edited", BigInteger),
    Column("deleted", Boolean, nullable=False),
    Column("impersonated", Boolean, nullable=False),
    Column("act", Text),
    Column("target", ForeignKey(person.c.key)),
    Column("until", BigInteger),
    Column("seconds", BigInteger),
    Column("reason", Text),
    UniqueConstraint("room", "seq"),
    UniqueConstraint("cid", "author"),
)
# Partial indexes are used only where the condition has no parameters.
is_message = event.c.kind == literal_column("'msg'")
is_shown = and_(is_message, ~event.c.deleted)
Index(
    "ix_chat_event_shown",
    event.c.room,
    event.c.seq,
    event.c.author,
    sqlite_where=is_shown,
    postgresql_where=is_shown,
)
Index(
    "ix_chat_event_author",
    event.c.author,
    event.c.key,
    sqlite_where=is_shown,
    postgresql_where=is_shown,
)

mention = Table(
    "chat_mention",
    metadata,
    Column("event", ForeignKey(event.c.key, ondelete="CASCADE"), primary_key=True),
    # Or EVERYBODY.
    Column("person", BigInteger, primary_key=True, autoincrement=False),
    Column("room", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("author", BigInteger, nullable=False),
    Index("ix_chat_mention_person", "person", "room", "seq"),
)

sanction = Table(
    "chat_sanction",
    metadata,
    Column("act", Text, primary_key=True),
    Column("person", ForeignKey(person.c.key), primary_key=True),
    # The id of a room, or nothing: everywhere.
    Column("room", Text, primary_key=True),
    Column("until", BigInteger, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

report = Table(
    "chat_report",
    metadata,
    Column("number", Number, primary_key=True),
    Column("event", ForeignKey(event.c.key, ondelete="CASCADE"), nullable=False),
    Column("by", ForeignKey(person.c.key), nullable=False),
    Column("ts", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("closed_by", Text),
    UniqueConstraint("event", "by"),
)

audit = Table(
    "chat_audit",
    metadata,
    Column("number", Number, primary_key=True),
    Column("ts", BigInteger, nullable=False),
    Column("action", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("room", Text),
    Column("target", Text),
    # A JSON object.
    Column("detail", Text, nullable=False),
)
