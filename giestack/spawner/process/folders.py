"""Folders of local sessions: homes that stay, and what goes with a session.

Everything here waits for the disk and belongs into a thread.
"""

import fcntl
import os
import re
import stat
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from math import inf
from pathlib import Path
from time import monotonic

from giestack.spawner.engine import EngineError
from giestack.spawner.process.program_check import folder_troubles
from giestack.spawner.process.removal import remove

# sun_path has 108 bytes (unix(7)). Below a session's folder, whose name has 16 characters, is
# Jupyter's own, "jupyter", with the sockets of kernels, which have names of 49 bytes.
_LONGEST_RUN = 108 - 1 - 50 - len("/jupyter") - 17
_ROOM = 10 * 1024 * 1024
_PREFIX = "giestack-"
_SECRET_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


class Folders:
    """The folders below a data folder, for one giestack at a time.

    ``homes/OWNER`` is for ever. ``run/SESSION`` has a session's sockets, secrets and temporary
    files; where that would be too long for sockets, ``run`` is a link to a folder that is not.
    Everything is mode 0700.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = Path(os.path.abspath(data_dir))
        self._run: Path | None = None
        self._lock: int | None = None
        self._entering = threading.Lock()
        self._give_up_at = inf

    def open(self) -> None:
        """Make what is missing; raise `EngineError`."""
        self._give_up_at = inf
        try:
            self._enter()
        except OSError as error:
            self.close()
            raise EngineError(
                f"The folder {self.data_dir} cannot be used: {error.strerror}. It must belong to "
                "the user that runs giestack."
            ) from None

    def clear(self) -> None:
        """Remove what sessions have left; raise OSError."""
        for left in self.run.iterdir():
            remove(left, self._late)

    def hurry(self, seconds: float) -> None:
        """Let nothing be removed any more that is still there in so many seconds.

        A session may have made a million files, and giestack is to end. What stays is removed
        at the next start. Waits for nothing itself.
        """
        self._give_up_at = monotonic() + seconds

    def _late(self) -> bool:
        return monotonic() > self._give_up_at

    def close(self) -> None:
        """Let another giestack use the folders; sessions must have been removed."""
        link = self.data_dir / "run"
        if self._run is not None and link.is_symlink():
            with suppress(OSError):
                remove(self._run, self._late)
                link.unlink(missing_ok=True)
        self._run = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def run(self) -> Path:
        """Where sessions have their folders; absolute, and short enough for sockets in them."""
        if self._run is None:
            raise EngineError(f"The folder {self.data_dir} is not in use.")
        return self._run

    def home(self, owner: str) -> Path:
        """Return the home of an owner, made where it is missing; raise `EngineError`."""
        home = self.data_dir / "homes" / owner
        try:
            home.parent.mkdir(mode=0o700, exist_ok=True)
            home.mkdir(mode=0o700, exist_ok=True)
            if not os.access(home, os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError(13, "Permission denied")
        except OSError as error:
            raise EngineError(
                f"Your home folder {home} cannot be used: {error.strerror}. It must be a folder "
                "that belongs to the user that runs giestack."
            ) from None
        return home

    def make(self, session_id: str, secrets: Mapping[str, str]) -> Path:
        """Make the folder of a session; raise `EngineError`."""
        folder = self.run / session_id
        try:
            if not self.run.is_dir():
                # What cleans up temporary folders has taken it.
                with self._entering:
                    self._run = self._enter_run()
                folder = self.run / session_id
            remove(folder)
            for path in (folder, folder / "tmp", folder / "jupyter", folder / "xdg"):
                path.mkdir(mode=0o700)
            if secrets:
                (folder / "secrets").mkdir(mode=0o700)
            for name, value in secrets.items():
                _write_secret(folder / "secrets", name, value)
        except OSError as error:
            raise EngineError(
                f"The session's folder {folder} cannot be made: {error.strerror}."
            ) from None
        return folder

    def remove(self, session_id: str) -> None:
        """Remove the folder of a session, if there is one; raise `EngineError`."""
        try:
            remove(self.run / session_id, self._late)
        except OSError as error:
            raise EngineError(
                f"{error.filename} cannot be removed: {error.strerror}. Remove it by hand."
            ) from None

    def troubles(self) -> list[str]:
        """What keeps sessions from being started here, in words with the remedy."""
        # A folder that is missing can be made where the one above it can be written to.
        for folder in (self.data_dir, self.data_dir / "homes"):
            if found := folder_troubles(folder):
                return [f"{trouble}." for trouble in found]
        return _without_room(self.data_dir) or _without_room(self._run or self.data_dir)

    def _enter(self) -> None:
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._lock is None:
            self._lock = os.open(
                self.data_dir / "run.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600
            )
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise EngineError(
                f"Another giestack, or another engine of this one, runs sessions in "
                f"{self.data_dir}: stop it, or name another data_dir."
            ) from None
        (self.data_dir / "homes").mkdir(mode=0o700, exist_ok=True)
        self._run = self._enter_run()

    def _enter_run(self) -> Path:
        run = self.data_dir / "run"
        if run.is_symlink():
            there = Path(os.readlink(run))
            if _is_own(there) and there.name.startswith(_PREFIX):
                return there
            # Somebody has cleaned up, or was quicker to make a folder of that name.
            run.unlink()
        if len(os.fsencode(run)) <= _LONGEST_RUN:
            run.mkdir(mode=0o700, exist_ok=True)
            run.chmod(0o700)
            return run
        if run.exists():
            remove(run)
        above = tempfile.gettempdir()
        longest = _LONGEST_RUN - len(_PREFIX) - len("/12345678")
        short = tempfile.mkdtemp(
            prefix=_PREFIX, dir=above if len(os.fsencode(above)) <= longest else "/tmp"
        )
        run.symlink_to(short)
        return Path(short)


def _without_room(folder: Path) -> list[str]:
    """What is said of a folder whose disk is full."""
    try:
        room = os.statvfs(folder)
    except FileNotFoundError:
        return []  # it can be made
    except OSError as error:
        return [f"The folder {folder} cannot be used: {error.strerror}."]
    if room.f_bavail * room.f_frsize < _ROOM or (room.f_files and not room.f_favail):
        return [f"The disk with {folder} is full: make room on it."]
    return []


def _is_own(folder: Path) -> bool:
    """Whether it is a folder of this user that nobody else may enter."""
    try:
        status = os.lstat(folder)
    except OSError:
        return False
    return (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid == os.geteuid()
        and stat.S_IMODE(status.st_mode) == 0o700
    )


def _write_secret(folder: Path, name: str, value: str) -> None:
    if not _SECRET_NAME.fullmatch(name):
        raise EngineError(f"The profile's secret “{name}” cannot be the name of a file.")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with open(os.open(folder / name, flags, 0o600), "w", encoding="utf-8") as file:
        file.write(value)
