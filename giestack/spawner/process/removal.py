"""Removes a folder that somebody else could fill as they liked: however deep, however many files.

`shutil.rmtree` gives up below a thousand folders within each other, and keeps one file open for
each. Here what is below comes up first, so that nothing is ever deep, and nothing is listed as a
whole. Belongs into a thread.
"""

import errno
import os
import stat
from collections.abc import Callable
from itertools import count
from pathlib import Path

# What is told of a name that its owner has chosen, too.
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def remove(path: Path, late: Callable[[], bool] = lambda: False) -> None:
    """Remove a file or a folder with all that is in it; raise OSError where something stays.

    Links are removed and not followed. What can be removed is, also where something stays. As
    soon as ``late`` says so, all that is left stays.
    """
    try:
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            os.unlink(path)
            return
    except FileNotFoundError:
        return
    try:
        _Removal(path, late).run()
    except FileNotFoundError:
        pass  # somebody else was quicker
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


class _Removal:
    """The removal of one folder."""

    def __init__(self, path: Path, late: Callable[[], bool]) -> None:
        self._path = path
        self._late = late
        self._numbers = count()
        self._moving = True
        self._error: OSError | None = None

    def run(self) -> None:
        os.chmod(self._path, 0o700)
        top = os.open(self._path, _FOLDER)
        try:
            while self._moving:
                self._moving, self._error = False, None
                self._empty(top, top)
        finally:
            os.close(top)
        try:
            os.rmdir(self._path)
        except OSError as error:
            raise self._error or error from None

    def _empty(self, folder: int, top: int) -> None:
        """Remove what is in a folder, or move it up to the top."""
        with os.scandir(folder) as entries:
            for entry in entries:
                if self._late():
                    raise OSError(errno.ETIMEDOUT, "there is no time for it")
                try:
                    self._take(entry, folder, top)
                except FileNotFoundError:
                    pass
                except OSError as error:
                    self._error = error
                else:
                    self._moving = True

    def _take(self, entry: os.DirEntry[str], folder: int, top: int) -> None:
        name = entry.name
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(name, dir_fd=folder)
            return
        # Its owner may have taken away their own right to it; who moves it has to write to it.
        os.chmod(name, 0o700, dir_fd=folder)
        if folder != top:
            self._move_up(name, folder, top)
            return
        below = os.open(name, _FOLDER, dir_fd=top)
        try:
            self._empty(below, top)
        finally:
            os.close(below)
        os.rmdir(name, dir_fd=top)

    def _move_up(self, name: str, folder: int, top: int) -> None:
        while True:
            try:
                os.rename(name, f"{next(self._numbers)}.up", src_dir_fd=folder, dst_dir_fd=top)
                return
            except OSError as error:
                if error.errno not in _TAKEN:
                    raise
