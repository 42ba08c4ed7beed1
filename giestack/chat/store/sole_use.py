"""A SQLite file belongs to one giestack at a time, and stays where it is.

What one process stores another one on the same file would learn of too late; and a file that was
deleted goes on taking whatever is written, for nobody.
"""

import fcntl
import os
from pathlib import Path

from giestack.database import DatabaseUnavailable


class SoleUse:
    """One process's use of a file; a lock file beside it says so to others.

    Not a lock on the file itself: letting go of that would let go of SQLite's own.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: int | None = None
        self._identity: tuple[int, int] | None = None

    def take(self) -> None:
        """Use the file from now on.

        :raises DatabaseUnavailable: where another process does.
        :raises OSError: where there can be no lock file.
        """
        if self._lock is not None:
            return
        place = self._path.with_name(f"{self._path.name}.lock")
        lock = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise DatabaseUnavailable(
                f"another giestack uses {self._path}; several need PostgreSQL"
            ) from None
        self._lock = lock

    def opened(self) -> None:
        """Remember which file it is. Raises OSError."""
        self._identity = _identity(self._path)

    def check(self) -> None:
        """Raise `DatabaseUnavailable` where the file is there no more, or another one is."""
        try:
            same = _identity(self._path) == self._identity
        except OSError:
            same = False
        if not same:
            raise DatabaseUnavailable(
                f"{self._path} was moved or deleted while it was in use: put it back, or restart"
            )

    def release(self) -> None:
        """Leave the file to others."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
