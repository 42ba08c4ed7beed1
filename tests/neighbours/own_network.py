"""A network namespace: a loopback, ports and a packet filter beside those of the machine."""

import ctypes
import os

from tests.neighbours.docker_traces import run
from tests.neighbours.program import CleanUp

ADDRESS = "192.0.2.77"
"""What it has beside 127.0.0.1."""

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def enter(test: CleanUp) -> None:
    """Have the thread of a test, and all that it starts, in a namespace of its own until the end.

    What is started by other threads is where it was.
    """
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def leave() -> None:
        _must(_libc.setns(before, _CLONE_NEWNET))
        os.close(before)

    _must(_libc.unshare(_CLONE_NEWNET))
    test.addCleanup(leave)
    run("ip", "link", "set", "lo", "up")
    run("ip", "address", "add", f"{ADDRESS}/32", "dev", "lo")


def _must(status: int) -> None:
    if status:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
