"""What a profile grants to its containers: limits, capabilities, devices, folders in memory.

Each is read from the configuration as people write it, and returned as Docker wants it.
"""

import re
from collections.abc import Mapping, Sequence

ULIMITS = frozenset(
    (
        *("core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile"),
        *("nproc", "rss", "rtprio", "rttime", "sigpending", "stack"),
    )
)
CAPABILITIES = frozenset(
    (
        *("AUDIT_CONTROL", "AUDIT_READ", "AUDIT_WRITE", "BLOCK_SUSPEND", "BPF", "CHOWN"),
        *("CHECKPOINT_RESTORE", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "IPC_LOCK"),
        *("IPC_OWNER", "KILL", "LEASE", "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "MKNOD"),
        *("NET_ADMIN", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_RAW", "PERFMON", "SETFCAP"),
        *("SETGID", "SETPCAP", "SETUID", "SYSLOG", "SYS_ADMIN", "SYS_BOOT", "SYS_CHROOT"),
        *("SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE"),
        *("SYS_TIME", "SYS_TTY_CONFIG", "WAKE_ALARM"),
    )
)
ESCAPES = frozenset(
    (
        *("ALL", "BPF", "CHECKPOINT_RESTORE", "DAC_READ_SEARCH", "MAC_ADMIN", "MKNOD", "NET_ADMIN"),
        *("PERFMON", "SYSLOG", "SYS_ADMIN", "SYS_BOOT", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO"),
        *("SYS_RESOURCE", "SYS_TIME"),
    )
)
"""Capabilities that reach beyond the container."""

_LARGEST = 2**63 - 1
_DEVICE = re.compile(r"/dev/[A-Za-z0-9_./:-]*[A-Za-z0-9_]")
_RIGHTS = re.compile(r"(?=.)r?w?m?")
_MEMORY_OF_THE_HOST = frozenset(("/dev/mem", "/dev/kmem", "/dev/port"))
_TMPFS_FLAGS = frozenset(
    (
        *("ro", "rw", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "sync", "async"),
        *("atime", "noatime", "diratime", "nodiratime", "relatime", "norelatime", "strictatime"),
    )
)
_TMPFS_VALUES = re.compile(
    r"size=[1-9][0-9]{0,15}[kKmMgG%]?|mode=[0-7]{3,4}|(?:uid|gid|nr_inodes|nr_blocks)=[0-9]{1,10}"
)


class BadGrant(Exception):
    """A grant can't be read.

    :ivar path: the key below the profile, as ``devices[0]``.
    :ivar text: what is wrong with it.
    """

    def __init__(self, path: str, text: str) -> None:
        super().__init__(f"{path}: {text}")
        self.path = path
        self.text = text


def ulimit_of(name: str, given: object) -> dict[str, object]:
    """``nofile: 1024``, or ``nofile: {soft: 1024, hard: 4096}``; -1 is no limit.

    :raises BadGrant: it is neither.
    """
    path = f"ulimits.{name}"
    if name not in ULIMITS:
        raise BadGrant(path, f"there is no such limit; there are {', '.join(sorted(ULIMITS))}")
    if isinstance(given, Mapping):
        if set(given) != {"soft", "hard"}:
            raise BadGrant(path, "must be a whole number, or {soft: NUMBER, hard: NUMBER}")
        soft, hard = _limit(path, given["soft"]), _limit(path, given["hard"])
    else:
        soft = hard = _limit(path, given)
    if hard != -1 and (soft > hard or soft == -1):
        raise BadGrant(path, f"soft must not be more than hard, {hard}")
    return {"Name": name, "Soft": soft, "Hard": hard}


def capability_of(text: str, number: int = 0) -> str:
    """``SYS_NICE`` or ``CAP_SYS_NICE``, in whatever case, as ``SYS_NICE``.

    :param number: its place in the list, for the error.
    :raises BadGrant: there is none of that name.
    """
    name = text.upper().removeprefix("CAP_")
    if name not in CAPABILITIES and name != "ALL":
        raise BadGrant(f"cap_add[{number}]", f"{text!r} is no capability, as SYS_NICE or NET_RAW")
    return name


def device_of(text: str, number: int = 0) -> dict[str, str]:
    """``/dev/fuse``, ``/dev/x:/dev/y`` or ``/dev/x:/dev/y:rwm``.

    :param number: its place in the list, for the error.
    :raises BadGrant: it is none of these.
    """
    path = f"devices[{number}]"
    parts = text.split(":")
    rights = parts.pop() if len(parts) > 1 and _RIGHTS.fullmatch(parts[-1]) else "rwm"
    if len(parts) > 2 or not all(_is_device(part) for part in parts):
        raise BadGrant(path, f"{text!r} must be /dev/NAME, or /dev/NAME:/dev/NAME:rwm")
    if parts[0] in _MEMORY_OF_THE_HOST:
        raise BadGrant(path, f"{parts[0]} is the host itself; no session gets it")
    return {"PathOnHost": parts[0], "PathInContainer": parts[-1], "CgroupPermissions": rights}


def tmpfs_of(text: str, number: int = 0) -> tuple[str, str]:
    """``/tmp`` or ``/tmp:size=64m,exec``, as where it is and its options.

    :param number: its place in the list, for the error.
    :raises BadGrant: it is neither, or has an option that there is not.
    """
    path = f"tmpfs[{number}]"
    where, _, options = text.partition(":")
    segments = where.rstrip("/").split("/")
    if segments[0] or len(segments) < 2 or {"", ".", ".."} & set(segments[1:]):
        raise BadGrant(path, f"{text!r} must be an absolute path, or PATH:size=64m")
    for option in options.split(",") if options else ():
        if option not in _TMPFS_FLAGS and not _TMPFS_VALUES.fullmatch(option):
            raise BadGrant(path, f"{option!r} is no option of a tmpfs, as size=64m or mode=1777")
    return "/".join(segments), options


def tmpfs_for(given: Sequence[str], *, read_only: bool, taken: Sequence[str]) -> dict[str, str]:
    """All of a container, by where they are: with a read-only root there is one at ``/tmp``.

    :param taken: where else something is mounted.
    :raises BadGrant: one can't be read.
    """
    found = dict(tmpfs_of(text, number) for number, text in enumerate(given))
    if read_only and "/tmp" not in found and "/tmp" not in taken:
        found["/tmp"] = ""
    return found


def _limit(path: str, value: object) -> int:
    if isinstance(value, str) and re.fullmatch(r"-1|[0-9]{1,18}", value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not -1 <= value <= _LARGEST:
        raise BadGrant(path, "must be a whole number; -1 is no limit")
    return value


def _is_device(path: str) -> bool:
    return bool(_DEVICE.fullmatch(path)) and not {"", ".", ".."} & set(path.split("/")[1:])
