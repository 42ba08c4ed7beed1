"""Runs checks side by side, each with a deadline of its own; a hanging one holds up nobody."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, Queue
from threading import Thread

from giestack.doctor.check import CannotTell, Check, Finding, Result, warn

AT_ONCE = 8
"""Checks that run at a time."""

_ASK_AGAIN = "ask again, and look at what the check would reach if it stays silent"
_AS_SERVICE = "ask as the service's user: sudo -u USER giestack doctor …"
_REPORT = "tell the authors of giestack; the other checks are not touched by it"

Findings = tuple[Finding, ...]


def results(
    checks: Sequence[Check],
    waits: Callable[[Check], object] = lambda check: None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Result]:
    """Yield what is found, in the order of the checks.

    :param waits: is told which check is waited for.
    """
    done: Queue[tuple[int, Findings, float]] = Queue()
    to_start = deque(enumerate(checks))
    deadlines: dict[int, float] = {}
    found: dict[int, tuple[Findings, float]] = {}
    for number, check in enumerate(checks):
        while number not in found:
            while to_start and len(deadlines) < AT_ONCE:
                other, starting = to_start.popleft()
                deadlines[other] = clock() + starting.seconds
                _start(other, starting, done, clock)
            waits(check)
            try:
                ready, findings, seconds = done.get(
                    timeout=max(0.0, min(deadlines.values()) - clock())
                )
            except Empty:
                for late in [one for one, end in deadlines.items() if end <= clock()]:
                    del deadlines[late]
                    found[late] = (_silent(checks[late]),), checks[late].seconds
            else:
                # Nobody waits for the answer of one that was given up.
                if deadlines.pop(ready, None) is not None:
                    found[ready] = findings, seconds
        findings, seconds = found.pop(number)
        for finding in findings:
            yield Result(check, finding, seconds)


def _start(
    number: int,
    check: Check,
    done: "Queue[tuple[int, Findings, float]]",
    clock: Callable[[], float],
) -> None:
    def run() -> None:
        began = clock()
        findings = looked(check)
        done.put((number, findings, clock() - began))

    # A thread that hangs must not keep the process.
    Thread(target=run, name=check.id, daemon=True).start()


def looked(check: Check) -> Findings:
    """What a check finds, whatever becomes of it."""
    try:
        return tuple(check.look())
    except CannotTell as error:
        return (warn(f"{check.words}: {error}", error.remedy or _ASK_AGAIN),)
    except PermissionError as error:
        where = f" {error.filename}" if error.filename else ""
        return (warn(f"{check.words}: this user may not look at{where or ' it'}", _AS_SERVICE),)
    except Exception as error:
        # The text of an error that nobody has foreseen may hold anything.
        return (warn(f"{check.words}: the check failed with {type(error).__name__}", _REPORT),)


def _silent(check: Check) -> Finding:
    return warn(f"{check.words}: gave no answer within {check.seconds:g} s", _ASK_AGAIN)
