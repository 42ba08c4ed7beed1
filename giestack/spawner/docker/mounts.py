"""Mounts in the namespaces of containers: Linux' system calls that Python does not have.

Nothing in a container is trusted: no symbolic link is followed there.
"""

import ctypes
import errno
import os

# Numbers that are the same on all of Linux' platforms, and their flags.
_OPEN_TREE, _MOVE_MOUNT, _OPENAT2, _MOUNT_SETATTR = 428, 429, 437, 442
_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE = -100, 0x1000, 0x8000
_OPEN_TREE_CLONE = 1
_FROM_DESCRIPTOR_TO_DESCRIPTOR = 0x4 | 0x40
_NO_MAGICLINKS, _NO_SYMLINKS, _IN_ROOT = 0x02, 0x04, 0x10
_MOUNT_ATTR_RDONLY = 1
_MS_PRIVATE = 1 << 18
_CLONE_NEWNS = 0x20000

PLACE = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
"""A folder, not to read in, but to have."""
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
"""A folder, to read in."""

_libc = ctypes.CDLL(None, use_errno=True)


class Refused(Exception):
    """Something can't be mounted.

    :ivar reason: ``gone``, ``foreign``, ``empty``, ``busy``, ``unfit`` or ``failed``.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def open_inside(folder: int, path: str, flags: int, mode: int = 0) -> int:
    """As os.open, without being led out of the folder, or through a symbolic link."""
    resolve = _NO_MAGICLINKS | _NO_SYMLINKS | _IN_ROOT
    how = (ctypes.c_uint64 * 3)(flags | os.O_CLOEXEC, mode, resolve)
    name = os.fsencode(path.strip("/") or ".")
    return _call(_OPENAT2, path, folder, name, how, ctypes.sizeof(how))


def place_inside(folder: int, path: str) -> int:
    """Open a folder below another one, as `open_inside`."""
    try:
        return open_inside(folder, path, PLACE)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENOTDIR, errno.ENOENT):
            raise
        raise Refused("unfit", f"{path} is no folder, or behind a symbolic link.") from None


def clone(source: str, read_only: bool) -> int:
    """A mount of a folder, with all that is mounted in it, that is nowhere yet."""
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_RECURSIVE
    tree = _call(_OPEN_TREE, source, _AT_FDCWD, os.fsencode(source), flags)
    # It must not be the host's peer: what is mounted here must not be seen there, or later.
    wish = (ctypes.c_uint64 * 4)(_MOUNT_ATTR_RDONLY if read_only else 0, 0, _MS_PRIVATE, 0)
    flags = _AT_EMPTY_PATH | _AT_RECURSIVE
    _call(_MOUNT_SETATTR, source, tree, b"", flags, wish, ctypes.sizeof(wish))
    return tree


def bare(root: int) -> int:
    """A mount of a file system alone, that is nowhere: without what is mounted in it."""
    return _call(_OPEN_TREE, "/", root, b".", _OPEN_TREE_CLONE | os.O_CLOEXEC)


def enter(namespace: int) -> int:
    """Go into a mount namespace; return its root."""
    _check(_libc.setns(namespace, _CLONE_NEWNS), "setns")
    return os.open("/", PLACE)


def replace(tree: int, target: int, path: str) -> None:
    """Have one mount in the place of another, which is taken away.

    Whoever has the other's root as working folder or root finds itself in the one. It becomes
    this process' root, too.

    :param target: the root of the other; closed, for it would keep that busy.
    """
    _call(_MOVE_MOUNT, path, tree, b"", target, b"", _FROM_DESCRIPTOR_TO_DESCRIPTOR)
    os.fchdir(target)
    os.chroot(".")
    os.fchdir(tree)
    os.close(target)
    if _libc.pivot_root(b".", b"."):
        raise Refused("unfit", f"{path} is not where something was mounted.")
    if _libc.umount2(b".", 0):
        raise Refused("busy", f"Files below {path} are open.")


def _call(number: int, about: str, *arguments: object) -> int:
    # A plain int would be passed as 32 bits.
    given = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    return _check(_libc.syscall(ctypes.c_long(number), *given), about)


def _check(result: int, about: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), about)
    return int(result)
