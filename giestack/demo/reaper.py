"""Runs a program and ends its whole family with it: ``reaper.py SECONDS PROGRAM [ARGUMENT…]``.

A Jupyter server starts kernels and terminals in sessions of their own, so that no process group
holds them all. On Linux this process adopts whatever its descendants leave behind
(``PR_SET_CHILD_SUBREAPER``, prctl(2)): nothing gets away by a new session or a double fork.

The end comes with the program's own end, with SIGTERM, or when standard input is closed, which
also happens when whoever holds its other end was killed. Then the program gets SIGTERM and
SECONDS to end by itself, and all that is left SIGKILL. Should this process be killed, the program
gets SIGTERM at least (``PR_SET_PDEATHSIG``). The exit status is the program's, as a shell would
give it.

Run as a file; it uses nothing but the standard library.
"""

import ctypes
import os
import select
import signal
import sys
import time
from typing import NoReturn

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_KILL_SECONDS = 3.0
_NOT_FOUND = 127


def main(arguments: list[str]) -> int:
    """Run the program and return its exit status."""
    seconds, *command = arguments
    try:
        # Ctrl-C in a terminal is for the one who holds standard input.
        os.setsid()
    except PermissionError:
        pass
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    wakeup, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        # A handler, for the default would end this process and "ignored" would be inherited.
        signal.signal(number, lambda number, frame: None)
    program = _start(command)
    status = _wait(program, float(seconds), wakeup)
    _kill_rest(time.monotonic() + _KILL_SECONDS)
    return status if status >= 0 else 128 - status


def _prctl(option: int, value: int) -> None:
    try:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
    except AttributeError:
        pass  # not Linux: what the program leaves behind stays


def _start(command: list[str]) -> int:
    reaper = os.getpid()
    program = os.fork()
    if not program:
        _become(command, reaper)
    return program


def _become(command: list[str], parent: int) -> NoReturn:  # pragma: no cover
    """Turn this new process into the program; nothing that measures coverage survives that."""
    try:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() == parent:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr, flush=True)
    finally:
        os._exit(_NOT_FOUND)


def _wait(program: int, seconds: float, wakeup: int) -> int:
    """Wait for the program's end, or ask for it when the time has come; return its status."""
    watched = [0, wakeup]
    deadline: float | None = None
    while True:
        status = _reap(program)
        if status is not None:
            return status
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if left == 0.0:
            os.kill(program, signal.SIGKILL)
            left = None
        readable = select.select(watched, [], [], left)[0]
        asked = wakeup in readable and signal.SIGTERM in os.read(wakeup, 64)
        if 0 in readable and not os.read(0, 64):
            watched.remove(0)
            asked = True
        if asked and deadline is None:
            deadline = time.monotonic() + seconds
            os.kill(program, signal.SIGTERM)


def _reap(program: int) -> int | None:
    """Take note of everybody who has ended; return the program's status if it is among them."""
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == program:
            return os.waitstatus_to_exitcode(status)
        if not pid:
            return None


def _kill_rest(deadline: float) -> None:
    """Kill children until there are none: theirs become ours as they die."""
    while time.monotonic() < deadline:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        # Children are not reaped but here, so their numbers cannot be somebody else's.
        for child in _children():
            try:
                os.kill(child, signal.SIGKILL)
            except PermissionError:
                pass  # sudo in a terminal
        time.sleep(0.01)


def _children() -> list[int]:
    names = os.listdir("/proc") if os.path.isdir("/proc") else []
    return [int(name) for name in names if name.isdecimal() and _parent(name) == os.getpid()]


def _parent(pid: str) -> int:
    """The parent's number, 0 where the process has just gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except OSError:
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
