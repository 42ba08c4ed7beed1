"""Runs a program and ends its whole family with it: ``reaper.py [OPTION…] SECONDS PROGRAM …``.

A Jupyter server starts kernels and terminals in sessions of their own, so that no process group
holds them all. On Linux this process adopts whatever its descendants leave behind
(``PR_SET_CHILD_SUBREAPER``, prctl(2)): nothing gets away by a new session or a double fork.

The end comes with the program's own end, with SIGTERM, with a line on standard input that holds
seconds, or when standard input is closed, which also happens when whoever holds its other end
was killed. Then the program gets SIGTERM and those seconds, else SECONDS, to end by itself, and
all that is left SIGKILL. Should this process be killed, the program gets SIGTERM at least
(``PR_SET_PDEATHSIG``). The exit status is the program's, as a shell would give it.

Options: ``--folder=DIR`` is where the program starts, ``--remove=DIR`` is deleted at the end,
``--nice=N`` (at least that nice) and ``--limit=NAME:SOFT:HARD`` (as RLIMIT_NAME, -1: none) hold
for the program.

Run as a file, and started for each session: it imports little, and no other file of ours.
"""

import ctypes
import os
import select
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_KILL_SECONDS = 3.0
_AUTOGROUP = "/proc/self/autogroup"
_NICE_TRIES = 50
_NICE_PAUSE = 0.11
_NOT_RUNNABLE = 126
_NOT_FOUND = 127


def main(arguments: list[str]) -> int:
    """Run the program and return its exit status."""
    options: dict[str, list[str]] = {}
    while arguments[0].startswith("--"):
        name, _, value = arguments.pop(0).partition("=")
        options.setdefault(name, []).append(value)
    seconds, *command = arguments
    try:
        # Ctrl-C in a terminal is for the one who holds standard input.
        os.setsid()
    except PermissionError:
        pass
    # One pipe keeps what is printed in order.
    os.dup2(1, 2)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    wakeup, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        # A handler, for the default would end this process and "ignored" would be inherited.
        signal.signal(number, lambda number, frame: None)
    program = _start(command, options)
    for niceness in options.get("--nice", []):
        _be_nice(niceness, wakeup)
    status = _wait(program, float(seconds), wakeup)
    _kill_rest(time.monotonic() + _KILL_SECONDS)
    _remove(options.get("--remove", []))
    return status if status >= 0 else 128 - status


def _prctl(option: int, value: int) -> None:
    try:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
    except AttributeError:
        pass  # not Linux: what the program leaves behind stays


def _start(command: list[str], options: dict[str, list[str]]) -> int:
    reaper = os.getpid()
    # Python's own handler must not take a SIGTERM that is meant for the program.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    program = os.fork()
    if not program:
        _become(command, options, reaper)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    return program


def _become(
    command: list[str], options: dict[str, list[str]], parent: int
) -> "NoReturn":  # pragma: no cover
    """Turn this new process into the program; nothing that measures coverage survives that."""
    status, name = _NOT_RUNNABLE, command[0]
    try:
        # A shell that has started giestack in the background has it ignore the last two.
        for one in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(one, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() == parent:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            for name in options.get("--folder", []):
                os.chdir(name)
            for number in options.get("--nice", []):
                os.nice(max(0, int(number) - os.nice(0)))
            for limit in options.get("--limit", []):
                _limit(*limit.split(":"))
            name = command[0]
            os.execvp(name, command)
    except OSError as error:
        print(f"{name}: {error.strerror}", file=sys.stderr, flush=True)
        if isinstance(error, FileNotFoundError) and name == command[0]:
            status = _NOT_FOUND
    finally:
        os._exit(status)


def _be_nice(niceness: str, wakeup: int) -> None:
    """Have niceness hold beside those of other sessions, too, where Linux groups by them.

    With autogroups (sched(7)) it would count for nothing outside of the session of its own that
    was made above. Linux takes one such wish in a tenth of a second from all of its users.
    """
    for _ in range(_NICE_TRIES):
        try:
            with open(_AUTOGROUP, "w") as file:
                file.write(niceness)
            return
        except BlockingIOError:
            if select.select([0, wakeup], [], [], _NICE_PAUSE)[0]:
                return
        except OSError:
            return


def _limit(name: str, soft: str, hard: str) -> None:
    """Set a limit, no higher than this user may."""
    import resource

    number = getattr(resource, f"RLIMIT_{name}")
    wanted = int(soft), int(hard)
    try:
        resource.setrlimit(number, wanted)
    except (ValueError, OSError):
        highest = resource.getrlimit(number)[1]
        lower = [highest if value < 0 else min(value, highest) for value in wanted]
        resource.setrlimit(number, (lower[0], lower[1]))


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
        asked = None
        if wakeup in readable and signal.SIGTERM in os.read(wakeup, 64):
            asked = seconds
        if 0 in readable:
            told = os.read(0, 4096)
            if not told:
                watched.remove(0)
            asked = _seconds(told) if told else seconds
        if asked is not None:
            if deadline is None:
                os.kill(program, signal.SIGTERM)
            end = time.monotonic() + asked
            deadline = end if deadline is None else min(deadline, end)


def _seconds(told: bytes) -> float | None:
    """The least number among the lines, if any."""
    numbers = []
    for line in told.split():
        try:
            numbers.append(float(line))
        except ValueError:
            pass
    return min(numbers, default=None)


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


def _remove(folders: list[str]) -> None:
    # Loaded now, for it would make each start slower.
    import shutil

    for folder in folders:
        if not os.path.isdir(folder):
            continue  # the program has put something else there: a pipe would be waited for
        try:
            shutil.rmtree(folder, ignore_errors=True)
        except RecursionError:
            pass  # too deep for it: whoever started this does it again, in another way


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
