"""The demo's folder: its own, private, and used by one demo at a time."""

import fcntl
import os
import re
import secrets
import stat
from pathlib import Path

_MARK = ".giestack-demo"
_family = re.compile(rb"[0-9a-f]{32}").fullmatch


class DemoError(Exception):
    """The demo cannot run; the text says why and what helps, and holds no secret."""


class DemoFolder:
    """A folder that was opened for one demo; opening it waits for the file system.

    Raise `DemoError` where the folder cannot be the demo's: it belongs to somebody else, holds
    other things, or another demo is using it. ``path`` is made where it is missing, with mode
    0700, and kept at that.

    :ivar path: absolute.
    :ivar family: a random name that the environment of every process of this demo carries.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.abspath(path))
        if "?" in str(self.path):
            raise DemoError(f"{self.path}: the URL of a SQLite database cannot hold a '?'")
        try:
            self._mark = self._enter()
        except OSError as error:
            raise DemoError(f"cannot use the demo's folder {self.path}: {error.strerror}") from None
        try:
            self.family = self._read_family()
        except OSError as error:
            self.close()
            raise DemoError(f"cannot write in {self.path}: {error.strerror}") from None

    @property
    def database(self) -> Path:
        """The host's SQLite database."""
        return self.path / "galaxy.sqlite"

    @property
    def session_map(self) -> Path:
        """The session map, an SQLite file with the table ``gxitproxy``."""
        return self.path / "interactivetools_map.sqlite"

    @property
    def id_secret_file(self) -> Path:
        """Holds the host's ``id_secret``."""
        return self.path / "id_secret"

    @property
    def home(self) -> Path:
        """Alice's files."""
        return self.path / "alice"

    @property
    def jupyter(self) -> Path:
        """What her Jupyter server keeps for itself."""
        return self.path / "jupyter"

    def id_secret(self) -> str:
        """Return the host's ``id_secret``: made at the first call, the same ever after."""
        try:
            if not self.id_secret_file.exists():
                write_whole(self.id_secret_file, secrets.token_hex(16))
            return self.id_secret_file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            raise DemoError(f"cannot read {self.id_secret_file}") from None

    def close(self) -> None:
        """Let another demo use the folder. The end of the process does that too."""
        os.close(self._mark)

    def _enter(self) -> int:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = os.stat(self.path)
        if status.st_uid != os.geteuid():
            raise DemoError(f"the demo's folder {self.path} belongs to another user")
        if not (self.path / _MARK).is_file() and any(self.path.iterdir()):
            raise DemoError(
                f"{self.path} holds other things: name an empty folder for the demo, or a new one"
            )
        mark = os.open(self.path / _MARK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if stat.S_IMODE(status.st_mode) != 0o700:
                os.chmod(self.path, 0o700)
        except BlockingIOError:
            os.close(mark)
            raise DemoError(f"another demo is running in {self.path}") from None
        except OSError:
            os.close(mark)
            raise
        return mark

    def _read_family(self) -> str:
        family = os.pread(self._mark, 64, 0)
        if _family(family) is None:
            family = secrets.token_hex(16).encode()
            os.ftruncate(self._mark, 0)
            os.pwrite(self._mark, family, 0)
        return family.decode()


def write_whole(path: Path, text: str) -> None:
    """Write a file with mode 0600 so that nobody ever sees a part of it; raise OSError."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with open(
        os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(text)
    new.replace(path)
