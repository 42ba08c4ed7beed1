"""How a program ended, in words."""

import signal

from giestack.spawner.engine import Ended

_WORDS = {
    126: "the program cannot be run",
    127: "the program was not found",
}


def ended_of(status: int) -> Ended:
    """What an exit status means, as a shell gives it: 128 and more are signals."""
    number = status - 128
    if number > 0:
        try:
            name = signal.Signals(number).name
        except ValueError:
            return Ended(status, f"ended with status {status}")
        return Ended(status, f"killed by signal {number} ({name})")
    words = _WORDS.get(status)
    return Ended(status, f"ended with status {status}" + (f": {words}" if words else ""))
