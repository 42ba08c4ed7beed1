"""Galaxy's table ``gxitproxy`` in a PostgreSQL database of its own.

A trigger tells of every change, in the channel ``gxitproxy``; ``giestack create-map`` makes it.
Where there is none, and in case that a notification gets lost, the table is looked at every few
seconds: its rows are fetched only where they have changed, which the server finds out.
"""

from threading import Event
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from giestack.database import Database, DatabaseBusy, DatabaseUnavailable, open_engine
from giestack.notifications import Listener
from giestack.routing.map_name import map_name
from giestack.routing.rows import COLUMNS, RowParser
from giestack.routing.source import MapTrouble, Publish, Reading
from giestack.routing.watch import WatchedMap

CHANNEL = "gxitproxy"

_PATIENCE = 1.0
"""Seconds that the end waits for threads; nothing is lost with them."""

# The bits of tgtype are INSERT (4), DELETE (8) and UPDATE (16).
_CATALOG = text(
    """
    SELECT to_regclass('galaxy_session') IS NOT NULL,
      ARRAY(
        SELECT attname::text FROM pg_attribute
        WHERE attrelid = to_regclass('gxitproxy') AND attnum > 0 AND NOT attisdropped),
      (SELECT coalesce(bit_or(tgtype), 0) & 28 = 28 FROM pg_trigger
        JOIN pg_proc ON pg_proc.oid = tgfoid
        WHERE tgrelid = to_regclass('gxitproxy') AND NOT tgisinternal AND tgenabled IN ('O', 'A')
          AND position('notify' IN lower(prosrc)) > 0)
    """
)
_FINGERPRINT = text(
    "SELECT count(*), sum(hashtextextended(one::text, 0))::text FROM gxitproxy AS one"
)
# As text: whatever types the columns have, a row is one that Galaxy could have written or not.
_ROWS = text(
    'SELECT left("key"::text, :most), left(key_type::text, :most), left(token::text, :most), '
    "left(host::text, :most), port::text, left(info::text, :most) "
    'FROM gxitproxy ORDER BY key_type::text COLLATE "C"'
).bindparams(most=10_000)
"""What is longer is nothing that Galaxy writes, and is left out as a bad row."""


_NO_SUCH_TABLE = "42P01"


class PostgresReader:
    """A `giestack.routing.source.Reader` of one database, which is connected to for each look.

    :ivar reads: how often all rows were fetched.
    :ivar has_trigger: whether a trigger tells of changes; None while that is not known.
    """

    def __init__(self) -> None:
        self.reads = 0
        self.has_trigger: bool | None = None
        self._rows = RowParser()
        self._fingerprint: tuple[object, ...] = ()

    def look(self, connection: Connection) -> Reading:
        """Return what the table holds; the routes are the same object while nothing has changed.

        :raises MapTrouble: where there is no such table.
        """
        galaxys, columns, has_trigger = connection.execute(_CATALOG).one()
        if galaxys:
            raise MapTrouble(
                "galaxys",
                "is in Galaxy's own database, which has everybody's sessions: give the map one of "
                "its own (interactivetoolsproxy_map in Galaxy's file)",
            )
        if not columns:
            raise _no_table()
        if not set(columns).issuperset(COLUMNS):
            raise MapTrouble("columns", "has a table gxitproxy without Galaxy's columns")
        self.has_trigger = has_trigger
        try:
            return self._fetched(connection)
        except ProgrammingError as error:
            # It went just now.
            if getattr(error.orig, "sqlstate", None) == _NO_SUCH_TABLE:
                raise _no_table() from None
            raise

    def _fetched(self, connection: Connection) -> Reading:
        fingerprint = tuple(connection.execute(_FINGERPRINT).one())
        if fingerprint == self._fingerprint and self._rows.reading is not None:
            return self._rows.reading
        self.reads += 1
        reading = self._rows.parse(map(tuple, connection.execute(_ROWS)))
        # As of before the rows: a commit in between is looked at once more.
        self._fingerprint = fingerprint
        return reading

    def close(self) -> None:
        """Forget nothing: connections are not the reader's."""


class PostgresMap(WatchedMap):
    """A session map in PostgreSQL, looked at when a trigger says so and every few seconds.

    Connections and threads are its own: one of each for looking, one of each for listening.
    """

    _log = Logger()

    def __init__(self, url: str, reactor: Any, polling_interval: float = 5.0) -> None:
        """
        :param url: as Galaxy's ``interactivetoolsproxy_map`` has it.
        :param polling_interval: seconds.
        :raises giestack.database.BadDatabaseURL: where it can't be used; without secrets.
        """
        engine = open_engine(url)
        self._table = PostgresReader()
        super().__init__(map_name(url), self._table, reactor, self._run, polling_interval)
        self._reactor = reactor
        self._database = Database(engine, reactor, outstanding=1)
        self._asked: Deferred[Reading] | None = None
        self._heard = False
        self._hinting = Event()
        self._trigger_told: bool | None = None
        self._over: Deferred[None] = succeed(None)
        self._listener = Listener(
            engine,
            CHANNEL,
            self._told_of_change,
            lambda why: reactor.callFromThread(self._deaf, why),
            lambda: reactor.callFromThread(self._over.callback, None),
        )

    def start(self, publish: Publish) -> None:
        """Look at once, then again and again; see `giestack.routing.source.Source`."""
        self._database.start()
        super().start(publish)
        self._over = Deferred()
        self._listener.start()

    def configure(self, polling_interval: float) -> None:
        """Look every so many seconds, also where nothing tells of a change."""
        if polling_interval != self._interval:
            self._interval = polling_interval
            self.hint()

    def stop(self) -> Deferred[None]:
        """Stop looking and listening. Fires within about a second, also where the server hangs."""
        self._listener.stop()
        stopped = super().stop()
        if self._asked is not None:
            self._asked.cancel()
        return stopped

    def health(self) -> tuple[bool, str]:
        """Return whether what is published is what the table holds, and how things stand."""
        ok, words = super().health()
        if ok and not (self._heard and self._table.has_trigger):
            words += f"; looked at every {self._interval:g} s"
        return ok, words

    def _run(self, look: Any) -> Deferred[Reading]:
        self._asked = self._database.run(look)
        return self._asked.addErrback(_trouble)

    async def _close_reader(self) -> None:
        await self._database.stop(_PATIENCE)
        try:
            await self._over.addTimeout(_PATIENCE, self._reactor)
        except TimeoutError:
            # The server hangs. The thread keeps no process alive.
            pass

    def _in_order(self, reading: Reading) -> None:
        super()._in_order(reading)
        has_trigger = self._table.has_trigger
        if has_trigger is False and self._trigger_told is not False:
            self._log.info(
                "Session map {path} has no trigger that tells of changes: it is looked at every "
                "{interval:g} s. `giestack create-map` makes one",
                path=self.path,
                interval=self._interval,
            )
        self._trigger_told = has_trigger

    def _told_of_change(self, payload: str | None) -> None:
        """In the listener's thread: the reactor hears of many changes once, until it has looked."""
        if payload is None or not self._hinting.is_set():
            self._hinting.set()
            self._reactor.callFromThread(self._changed)

    def _changed(self) -> None:
        self._heard = True
        self.hint()

    def _begin(self) -> None:
        self._hinting.clear()
        super()._begin()

    def _deaf(self, why: str) -> None:
        self._heard = False
        if not self._stopped:
            self._log.warn(
                "Session map {path} is looked at every {interval:g} s: {why}",
                path=self.path,
                interval=self._interval,
                why=why,
            )


def _trouble(failure: Failure) -> Reading:
    error = failure.value
    if isinstance(error, DatabaseBusy | CancelledError):
        raise MapTrouble("unavailable", "cannot be read: the database gives no answer")
    failure.trap(DatabaseUnavailable)
    raise MapTrouble("unavailable", f"cannot be read: {error}")


def _no_table() -> MapTrouble:
    return MapTrouble("empty", "has no table gxitproxy", missing=True)
