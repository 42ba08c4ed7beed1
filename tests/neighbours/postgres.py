"""A real PostgreSQL for tests: one server per test process, a database of its own per test.

It listens on a UNIX socket in a new folder and nowhere else. It is started when the first
test asks for it and ends with the process, however that ends.
"""

import atexit
import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Protocol

import psycopg

_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "50",
    "shared_buffers": "16MB",
}
_START_SECONDS = 20
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class CleanUp(Protocol):
    """What is needed of a trial TestCase."""

    def addCleanup(self, function: Callable[[], object]) -> object: ...


class Postgres:
    """A server with its data in a folder of its own.

    `start` and `stop` may be called again and again: an outage for a test.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="giestack-pg-"))
        self._data = self._folder / "data"
        # PostgreSQL refuses to run as root.
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(self._folder, self._user, self._user)
        self._process: subprocess.Popen[bytes] | None = None
        self._names = count(1)
        initdb = [_program("initdb"), "-D", str(self._data), "-U", "postgres"]
        done = self._run([*initdb, "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"])
        if done.wait():
            raise RuntimeError("initdb failed: " + self._log())

    def url(self, database: str = "postgres") -> str:
        """Return the SQLAlchemy URL of a database in this server."""
        return f"postgresql://postgres@/{database}?host={self._folder}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        """Return a driver's connection that commits each statement."""
        return psycopg.connect(
            host=str(self._folder), user="postgres", dbname=database, autocommit=True
        )

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = {**_SETTINGS, "unix_socket_directories": str(self._folder)}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self._process = self._run([_program("postgres"), "-D", str(self._data), *options])
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.connect().close()
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("PostgreSQL does not start: " + self._log()) from None
                time.sleep(0.02)

    def stop(self) -> None:
        """End the server at once, as an outage would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Have the server answer nobody for a while, and refuse nobody either."""
        assert self._process is not None
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        processes = [pid, *map(int, children)]
        try:
            for one in processes:
                os.kill(one, signal.SIGSTOP)
            yield
        finally:
            for one in processes:
                os.kill(one, signal.SIGCONT)

    def new_database(self, test: CleanUp) -> str:
        """Make an empty database that goes when the test has ended; return its name."""
        name = f"test_{next(self._names)}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        test.addCleanup(lambda: self._drop(name))
        return name

    def end(self) -> None:
        """Stop and remove everything."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _drop(self, name: str) -> None:
        with self.connect() as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

    def _run(self, command: list[str]) -> "subprocess.Popen[bytes]":
        with open(self._folder / "log", "ab") as log:
            return subprocess.Popen(
                command,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self._user,
                group=self._user,
                extra_groups=[] if self._user else None,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    def _log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")[-2000:]


_shared: list[Postgres] = []


def postgres() -> Postgres:
    """Return this process' server, running."""
    if not _shared:
        server = Postgres()
        atexit.register(server.end)
        server.start()
        _shared.append(server)
    return _shared[0]


def _program(name: str) -> str:
    found = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4])
    )
    program = str(found[-1]) if found else shutil.which(name)
    if program is None:
        raise RuntimeError(f"PostgreSQL's {name} is not installed (Debian: apt install postgresql)")
    return program


def _die_with_parent() -> None:
    # Tests that are killed must not leave a server behind.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)
