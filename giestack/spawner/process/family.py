"""Finds processes by a mark in their environment, and the owner of a listening port (Linux).

The mark is inherited by whatever a process starts, also into other sessions and after its
parent has died: a later start still finds what a killed one has left behind.
"""

import os
import select
import signal
from pathlib import Path

VARIABLE = "GIESTACK_FAMILY"
"""The environment variable that holds the mark."""

_ROUNDS = 20
_ROUND_MILLISECONDS = 250
_PROC = Path("/proc")


def sweep(family: str, variable: str = VARIABLE) -> int:
    """Kill every process that carries the mark, and return how many there were.

    ``variable`` is where in the environment it stands. Waits until they have ended, five seconds
    at most; belongs into a thread. Other users' processes and this process itself are left
    alone. Does nothing where there is no ``/proc``.
    """
    mark = f"{variable}={family}".encode()
    killed: set[int] = set()
    for _ in range(_ROUNDS):
        found = [pid for pid in _processes() if _marked(pid, mark)]
        if not found:
            break
        killed.update(found)
        for pid in found:
            _kill(pid, mark)
    return len(killed)


def listener_uid(port: int) -> int | None:
    """Return the user whose process listens on a TCP port of 127.0.0.1; None if unknown."""
    try:
        lines = (_PROC / "net" / "tcp").read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return None
    for line in lines:
        # proc(5): number, local address, remote address, state, queues, timer, retransmits, uid.
        _, local, _, state, _, _, _, uid, *_ = line.split()
        if state == "0A" and local == f"0100007F:{port:04X}":
            return int(uid)
    return None


def _processes() -> list[int]:
    try:
        names = os.listdir(_PROC)
    except OSError:
        return []
    return [int(name) for name in names if name.isdecimal() and int(name) != os.getpid()]


def _marked(pid: int, mark: bytes) -> bool:
    try:
        # It is empty for a process that has ended and waits for its parent to notice.
        return mark in (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _kill(pid: int, mark: bytes) -> None:
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return
    try:
        # Asked again, now that the number cannot become another process's any more.
        if _marked(pid, mark):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            ended = select.poll()
            ended.register(handle, select.POLLIN)
            ended.poll(_ROUND_MILLISECONDS)
    except OSError:
        pass
    finally:
        os.close(handle)
