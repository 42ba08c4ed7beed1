"""PostgreSQL's notifications (NOTIFY), heard on a connection and in a thread of their own.

A notification may get lost: with the connection, or before there is one. Whoever is told has to
look at the tables now and then, too.

A pooler such as PgBouncer gives a client the server's session for one transaction only, unless it
is told otherwise, and a LISTEN belongs to a session: nothing would ever be heard. So where the
server's process is not the one that the connection began with, which a pooler makes up, it is
tried with a channel of our own first.
"""

import socket
from collections.abc import Callable
from secrets import token_hex
from select import POLLIN, poll
from threading import Event, Thread
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

POOLED = (
    "notifications do not pass here, as with PgBouncer in transaction mode; connect past it, or in "
    "session mode"
)
"""Why a listener is deaf that a pooler keeps from its session."""

PROBE_SECONDS = 2.0
"""How long a notification may take to come back through a pooler."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0
_POOLED_PAUSE = 300.0
_KEEPALIVES = {"keepalives_idle": 2, "keepalives_interval": 1, "keepalives_count": 2}

Told = Callable[[str | None], object]


class Listener:
    """Hears what is told in one channel.

    Everything is called in the listener's thread. ``told`` gets each payload, and None when a
    connection is new: something may have been missed. ``deaf`` gets the reason, once, when nothing
    is heard any more though the server answers. ``over`` is called at the very end.
    """

    def __init__(
        self,
        engine: Engine,
        channel: str,
        told: Told,
        deaf: Callable[[str], object],
        over: Callable[[], object] = lambda: None,
    ) -> None:
        self._engine = engine
        self._error = engine.dialect.loaded_dbapi.Error
        self._channel = channel
        self._told = told
        self._deaf = deaf
        self._over = over
        self._why = ""
        self._ended = Event()
        self._end: socket.socket | None = None
        self._thread = Thread(target=self._work, name=f"listener-{channel}", daemon=True)

    def start(self) -> None:
        """Begin."""
        # Closed at the end, which the other side sees: nothing is waited out.
        self._end, self._end_seen = socket.socketpair()
        self._thread.start()

    def stop(self) -> None:
        """End as soon as the server has answered what it was asked; nobody waits for it."""
        self._ended.set()
        if self._end is not None:
            self._end.close()

    def _work(self) -> None:
        pause = _FIRST_PAUSE
        while not self._ended.is_set():
            try:
                connection = self._connected()
            except (self._error, SQLAlchemyError, OSError):
                # Whoever looks at the tables says what is wrong.
                self._ended.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            if connection is None:
                self._is_deaf(POOLED)
                self._ended.wait(_POOLED_PAUSE)
                continue
            pause = _FIRST_PAUSE
            try:
                self._hear(connection)
            except UnicodeError:
                # Where a database takes any bytes for text, they may be none to us. What came with
                # them is lost, as with a connection.
                self._ended.wait(pause)
            except self._error as error:
                self._is_deaf(f"the connection was lost ({type(error).__name__})")
                self._ended.wait(pause)
            finally:
                connection.close()
        self._end_seen.close()
        self._over()

    def _is_deaf(self, why: str) -> None:
        if why != self._why and not self._ended.is_set():
            self._why = why
            self._deaf(why)

    def _connected(self) -> Any:
        """Return a connection that hears the channel; None: a pooler keeps it from hearing."""
        connection = self._connect()
        try:
            (process,) = connection.execute("SELECT pg_backend_pid()").fetchone()
            if process != connection.info.backend_pid and not self._passes(connection):
                connection.close()
                return None
            connection.execute(f"LISTEN {self._channel}")
        except self._error:
            connection.close()
            raise
        return connection

    def _passes(self, connection: Any) -> bool:
        """Tell whether notifications come through a pooler."""
        channel = f"giestack_{token_hex(8)}"
        connection.execute(f"LISTEN {channel}")
        other = self._connect()
        try:
            other.execute("SELECT pg_notify(%s, '')", [channel])
        finally:
            other.close()
        heard = any(connection.notifies(timeout=PROBE_SECONDS, stop_after=1))
        connection.execute(f"UNLISTEN {channel}")
        return heard

    def _connect(self) -> Any:
        dialect = self._engine.dialect
        words, options = dialect.create_connect_args(self._engine.url)
        # `create_engine` has its own ones only in the pool.
        return dialect.loaded_dbapi.connect(
            *words, **{**options, "connect_timeout": 3, "autocommit": True, **_KEEPALIVES}
        )

    def _hear(self, connection: Any) -> None:
        ready = poll()
        ready.register(connection.fileno(), POLLIN)
        ready.register(self._end_seen.fileno(), POLLIN)
        self._why = ""
        self._told(None)
        while not self._ended.is_set():
            for one in connection.notifies(timeout=0):
                self._told(one.payload)
            ready.poll()
