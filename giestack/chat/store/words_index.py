"""Where messages are found by their words: FTS5 in SQLite, a tsvector in PostgreSQL.

Both make no difference between cases and accents, AND the words of a search, and take its last
one for the beginning of a word. PostgreSQL is given words that were made here, because its own
parser takes a path or an address for one word.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from sqlalchemy import BigInteger, ColumnElement, Connection, func, select, text
from sqlalchemy import column as named_column

from giestack.chat.store.tables import event
from giestack.chat.store.words import fts5_query, tsquery, words

Texts = Sequence[tuple[int, str]]
"""Keys of messages with what they say."""


class WordsIndex(Protocol):
    """The words of all messages; it changes in the transaction of whoever changes a message."""

    def make(self, connection: Connection) -> None:
        """Make it, empty."""

    def next_keys(self, connection: Connection, number: int) -> Iterable[int]:
        """Return so many keys for new events."""

    def add(self, connection: Connection, texts: Texts) -> None:
        """Messages are new."""

    def remove(self, connection: Connection, texts: Texts) -> None:
        """Messages have gone, or are about to say something else; ``texts`` is what they said."""

    def matches(self, text: str) -> ColumnElement[bool] | None:
        """Return a condition on events: those with all words of ``text``. None: it has none."""


class FTS5:
    """SQLite's. It keeps no text of its own, so it has to be told what it is to forget."""

    def make(self, connection: Connection) -> None:
        connection.exec_driver_sql(
            "CREATE VIRTUAL TABLE chat_words USING fts5(text, content='chat_event',"
            " content_rowid='key', tokenize='unicode61 remove_diacritics 2')"
        )

    def next_keys(self, connection: Connection, number: int) -> Iterable[int]:
        # Nobody else writes before this transaction has ended.
        last = connection.scalar(_last_key) or 0
        return range(last + 1, last + number + 1)

    def add(self, connection: Connection, texts: Texts) -> None:
        if texts:
            connection.exec_driver_sql(
                "INSERT INTO chat_words (rowid, text) VALUES (?, ?)", list(texts)
            )

    def remove(self, connection: Connection, texts: Texts) -> None:
        if texts:
            connection.exec_driver_sql(
                "INSERT INTO chat_words (chat_words, rowid, text) VALUES ('delete', ?, ?)",
                list(texts),
            )

    def matches(self, text_: str) -> ColumnElement[bool] | None:
        query = fts5_query(text_)
        return event.c.key.in_(_fts5.bindparams(query=query)) if query else None


class TSVector:
    """PostgreSQL's."""

    def make(self, connection: Connection) -> None:
        connection.exec_driver_sql(
            "CREATE TABLE chat_words (event bigint PRIMARY KEY"
            " REFERENCES chat_event ON DELETE CASCADE, words tsvector NOT NULL)"
        )
        connection.exec_driver_sql("CREATE INDEX ix_chat_words ON chat_words USING gin (words)")

    def next_keys(self, connection: Connection, number: int) -> Iterable[int]:
        return connection.scalars(_nextval, {"number": number}).all()

    def add(self, connection: Connection, texts: Texts) -> None:
        if texts:
            connection.exec_driver_sql(
                "INSERT INTO chat_words (event, words) VALUES (%s, array_to_tsvector(%s::text[]))",
                [(key, words(one)) for key, one in texts],
            )

    def remove(self, connection: Connection, texts: Texts) -> None:
        if texts:
            connection.exec_driver_sql(
                "DELETE FROM chat_words WHERE event = %s", [(key,) for key, _ in texts]
            )

    def matches(self, text_: str) -> ColumnElement[bool] | None:
        query = tsquery(text_)
        return event.c.key.in_(_tsvector.bindparams(query=query)) if query else None


_key = named_column("key", BigInteger)
_last_key = select(func.max(event.c.key))
_nextval = text(
    "SELECT nextval('chat_event_key_seq') FROM generate_series(1, CAST(:number AS integer))"
)
_fts5 = text("SELECT rowid AS key FROM chat_words WHERE chat_words MATCH :query").columns(_key)
_tsvector = text(
    "SELECT event AS key FROM chat_words WHERE words @@ CAST(:query AS tsquery)"
).columns(_key)
