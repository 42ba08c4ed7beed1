"""What a program makes in its home as it starts, and how that comes into another home.

It will look for it there, and it has no other chance to make it: a Jupyter server has no kernels
without the folder that it made for them.
"""

import errno
import os
import stat
from collections.abc import Mapping, Sequence

from giestack.spawner.docker.mounts import FOLDER, Refused, open_inside

Made = Sequence[tuple[str, bool, int, int, int]]
"""Folders and files: path, whether it is a folder, mode, uid, gid; parents first."""

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK
_MOST_SEEN = 20_000
_MOST_MADE = 500
_LARGEST = 1024**2
_THEIRS = (errno.EEXIST, errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.EPERM)


def put_files(folder: int, files: Mapping[str, str]) -> None:
    """Put files into a folder, readable for all, in place of whatever has those names there."""
    for name, text in files.items():
        if "/" in name or name in ("", ".", ".."):
            raise ValueError(name)
        new = f".{os.urandom(8).hex()}"
        with open(os.open(new, _NEW_FILE, 0o600, dir_fd=folder), "wb") as file:
            file.write(text.encode("utf-8", "surrogatepass"))
            os.fchmod(file.fileno(), 0o444)
        os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)


def made_since(folder: int, before: int) -> Made:
    """The folders and files in a folder that another one does not have.

    :raises Refused: there are too many, or too large ones, to carry them over in passing.
    """
    found: list[tuple[str, bool, int, int, int]] = []
    seen = 0
    left = [("", True)]
    while left:
        path, known = left.pop()
        held = open_inside(folder, path, FOLDER)
        for name in os.listdir(held):
            place = os.path.join(path, name)
            about = os.stat(name, dir_fd=held, follow_symlinks=False)
            old = known and _exists(place, before)
            is_folder = stat.S_ISDIR(about.st_mode)
            if is_folder:
                left.append((place, old))
            if not old and (is_folder or stat.S_ISREG(about.st_mode)):
                if not is_folder and about.st_size > _LARGEST:
                    raise Refused("unfit", "The program makes large files in its home at start.")
                mode = stat.S_IMODE(about.st_mode)
                found.append((place, is_folder, mode, about.st_uid, about.st_gid))
            seen += 1
            if seen > _MOST_SEEN or len(found) > _MOST_MADE:
                raise Refused("unfit", "There are too many files in its home to tell what is new.")
        os.close(held)
    return sorted(found)


def _exists(path: str, folder: int) -> bool:
    try:
        os.close(open_inside(folder, path, os.O_PATH | os.O_NOFOLLOW))
    except OSError:
        return False
    return True


def carry(made: Made, old: int, new: int) -> None:
    """Make folders and files of one folder again in another, where nothing has their names.

    Done with the rights of those who own them, as if they did it themselves; takes root. What
    they may not do is left.
    """
    os.setgroups([])
    for path, is_folder, mode, uid, gid in made:
        try:
            content = b"" if is_folder else _content(path, old)
            os.setegid(gid)
            os.seteuid(uid)
            _make(path, content, is_folder, mode, new)
        except OSError as error:
            if error.errno not in _THEIRS:
                raise
        finally:
            os.seteuid(0)
            os.setegid(0)


def _content(path: str, folder: int) -> bytes:
    with open(open_inside(folder, path, _FILE), "rb") as file:
        return file.read(_LARGEST)


def _make(path: str, content: bytes, is_folder: bool, mode: int, folder: int) -> None:
    above, name = os.path.split(path)
    held = open_inside(folder, above, FOLDER)
    try:
        if is_folder:
            os.mkdir(name, mode, dir_fd=held)
            return
        with open(os.open(name, _NEW_FILE, mode, dir_fd=held), "wb") as file:
            file.write(content)
    finally:
        os.close(held)
