"""Databases that may be slow or away: engines with short timeouts, asked in threads of their own.

Galaxy's database and the session maps are read, never written: SQLite files are opened
read-only, PostgreSQL transactions are read-only too; but for an engine that is asked for because
it may write. No call takes long: connecting and every statement have timeouts below five
seconds, and the reactor waits no longer than that either.
"""

import re
from collections.abc import Callable
from threading import Thread
from typing import Any, Protocol, TypeVar, TypeVarTuple
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

THREADS = 4
"""How many calls run at a time, and how many connections to PostgreSQL are kept."""

_CONNECT_SECONDS = 3
_STATEMENT_SECONDS = 4
_BUSY_SECONDS = 2.0
_sqlite = re.compile(r"sqlite(?:\+pysqlite)?://(?P<host>[^/?]*)(?:/(?P<path>[^?]*))?").match
_POSTGRESQL = frozenset({"postgresql", "postgres"})

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class BadDatabaseURL(ValueError):
    """The text is no URL of a database that can be used here; what it says has no secret."""


class DatabaseUnavailable(Exception):
    """The database gave no answer; the text says why and has no secret."""


class DatabaseBusy(DatabaseUnavailable):
    """Too many calls wait for the database already."""


class Reactor(Protocol):
    """What `Database` needs of a reactor."""

    def callLater(
        self, delay: float, callable: Callable[..., Any], *args: object, **kwargs: object
    ) -> IDelayedCall: ...

    def callFromThread(
        self, callable: Callable[..., Any], *args: object, **kwargs: object
    ) -> None: ...


def engine_url(url: str) -> URL:
    """Return a SQLAlchemy URL as Galaxy's ``database_connection`` has it in a form to open.

    SQLite becomes a read-only URI with a busy timeout; its query, such as Galaxy's default
    ``?isolation_level=IMMEDIATE``, is dropped, and the path is taken as it is, without
    percent-decoding, as SQLAlchemy before 2.1 and so Galaxy 26.1 do. PostgreSQL always gets
    psycopg as its driver, whichever one the URL names, also as ``postgres://``. Anything else
    is `BadDatabaseURL`.
    """
    scheme = url.partition(":")[0].partition("+")[0].strip().lower()
    if scheme == "sqlite":
        return _sqlite_url(url.strip())
    if scheme not in _POSTGRESQL:
        named = "://" in url and re.fullmatch("[a-z]{1,20}", scheme)
        what = f"{scheme} databases are" if named else "this database URL is"
        raise BadDatabaseURL(f"{what} not supported: only postgresql:// and sqlite:///")
    try:
        parsed = make_url(url.strip())
    except (ArgumentError, ValueError):
        # Their texts may quote the URL.
        raise BadDatabaseURL("not a database URL such as postgresql://user@host/name") from None
    if "@" in (parsed.host or ""):
        raise BadDatabaseURL("an @ in the password of a database URL must be written as %40")
    return parsed.set(drivername="postgresql+psycopg")


def _sqlite_url(url: str) -> URL:
    found = _sqlite(url)
    path = found["path"] if found else None
    if found is None or found["host"]:
        raise BadDatabaseURL("SQLite URLs have three slashes, or four before an absolute path")
    if not path or path == ":memory:" or path.startswith("file:"):
        raise BadDatabaseURL("a SQLite URL must name a file")
    return URL.create(
        "sqlite",
        database="file:" + quote(path),
        query={"uri": "true", "mode": "ro", "timeout": str(_BUSY_SECONDS)},
    )


def open_engine(url: str | URL, *, writes: bool = False) -> Engine:
    """Return an engine for a text as for `engine_url`, or for what that has returned.

    Nothing is opened yet. `BadDatabaseURL` where the URL or the driver is missing. ``writes`` is
    whether what is there may be changed; a SQLite file that is not there is never made.
    """
    url = engine_url(url) if isinstance(url, str) else url
    if url.drivername == "sqlite":
        if writes:
            url = url.update_query_dict({"mode": "rw"})
        # The file may be replaced at any time, so no connection is kept.
        return create_engine(url, poolclass=NullPool, hide_parameters=True)
    try:
        engine = create_engine(
            url,
            pool_size=THREADS,
            max_overflow=0,
            pool_timeout=1,
            pool_pre_ping=True,
            pool_recycle=1800,
            hide_parameters=True,
            connect_args={
                "connect_timeout": _CONNECT_SECONDS,
                "tcp_user_timeout": _STATEMENT_SECONDS * 1000,
                "keepalives_idle": 2,
                "keepalives_interval": 1,
                "keepalives_count": 2,
                # PgBouncer may give each statement to another server process.
                "prepare_threshold": None,
                # A database in SQL_ASCII, as initdb makes it where LANG is C, gives bytes else.
                "client_encoding": "utf8",
            },
        )
    except ModuleNotFoundError:
        raise BadDatabaseURL(
            "PostgreSQL needs the package psycopg: pip install 'giestack[postgres]'"
        ) from None
    if not writes:
        event.listen(engine, "connect", _read_only)
    event.listen(engine, "begin", _limit)
    return engine


# Both last for one transaction. A setting of the server's session would stay behind in it,
# and PgBouncer may give that session to Galaxy next.
def _read_only(connection: Any, record: object) -> None:
    connection.read_only = True


def _limit(connection: Connection) -> None:
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {_STATEMENT_SECONDS * 1000}")


def ask(engine: Engine, function: Callable[[Connection, *Ts], T], *args: *Ts) -> T:
    """Return ``function(connection, *args)``, waiting for it.

    Each failure of the database, the driver or the network is `DatabaseUnavailable`; what
    else the function raises passes.
    """
    try:
        with engine.connect() as connection:
            return function(connection, *args)
    except (SQLAlchemyError, OSError, engine.dialect.loaded_dbapi.Error) as error:
        raise DatabaseUnavailable(_reason(error, engine.url)) from None


def _reason(error: Exception, url: URL) -> str:
    """Say what went wrong in one line, without the statement and its values."""
    origin = error.orig if isinstance(error, DBAPIError) and error.orig else error
    line = str(origin).strip().partition("\n")[0]
    for password in (url.password, url.query.get("password"), url.query.get("sslpassword")):
        if password:
            line = line.replace(str(password), "***")
    return f"{type(origin).__name__}: {line}" if line else type(origin).__name__


class Database:
    """Calls functions with a connection, each in one of a few threads.

    ``engine`` comes from `open_engine`. At most ``outstanding`` calls may be waiting or
    running; ``deadline`` is how many seconds a caller waits at most, however long the thread
    takes. All methods belong to the reactor's thread.
    """

    def __init__(
        self,
        engine: Engine,
        reactor: Reactor,
        *,
        outstanding: int = 64,
        deadline: float = 4.5,
    ) -> None:
        self._engine = engine
        self._reactor = reactor
        self._most = outstanding
        self._deadline = deadline
        self._threads = ThreadPool(0, THREADS, name="database")
        self._threads.threadFactory = _DaemonThread
        self._outstanding = 0
        self._running = False

    def start(self) -> None:
        """Accept calls from now on. Threads start at need."""
        self._running = True
        self._threads.start()

    def stop(self, patience: float = 2.0) -> Deferred[None]:
        """Accept no more calls and close the connections.

        Returns at once. The Deferred fires when the last call has ended, after ``patience``
        seconds at the latest; a thread that hangs longer does not keep the process alive.
        """
        stopped: Deferred[None] = Deferred()
        was_running, self._running = self._running, False
        if not was_running:
            stopped.callback(None)
            return stopped
        late = self._reactor.callLater(patience, stopped.callback, None)

        def ended() -> None:
            if late.active():
                late.cancel()
                stopped.callback(None)

        def wait() -> None:
            self._threads.stop()
            self._engine.dispose()
            self._reactor.callFromThread(ended)

        _DaemonThread(target=wait, name="database-stop").start()
        return stopped

    def run(self, function: Callable[[Connection, *Ts], T], *args: *Ts) -> Deferred[T]:
        """Call ``function(connection, *args)`` in a thread; the Deferred fires in the reactor.

        It fails with `DatabaseUnavailable` as `ask` does, when the deadline has passed, and
        before `start` and after `stop`; with `DatabaseBusy` where too many calls wait. It may
        be cancelled; a call that has begun then finishes for nobody.
        """
        if not self._running:
            return fail(DatabaseUnavailable("the database is not in use (starting or stopping)"))
        if self._outstanding >= self._most:
            return fail(DatabaseBusy(f"{self._most} calls wait for the database already"))
        self._outstanding += 1
        answer: Deferred[T] = Deferred(canceller=lambda _: late.cancel())
        late = self._reactor.callLater(
            self._deadline,
            lambda: answer.errback(
                DatabaseUnavailable(f"the database gave no answer within {self._deadline} s")
            ),
        )

        def work() -> T:
            if answer.called or not self._running:
                raise DatabaseUnavailable("nobody waits for the answer any more")
            return ask(self._engine, function, *args)

        def ended(result: T | Failure) -> None:
            self._outstanding -= 1
            if late.active():
                late.cancel()
                answer.callback(result)

        self._threads.callInThreadWithCallback(
            lambda _, result: self._reactor.callFromThread(ended, result), work
        )
        return answer


class _DaemonThread(Thread):
    """A thread that does not keep the process alive, were a database never to answer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, daemon=True, **kwargs)
