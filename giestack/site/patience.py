"""How often a page that tries again by itself does so."""

from collections import OrderedDict
from collections.abc import Callable

_STEPS = ((30, 3), (120, 5), (600, 20), (3600, 60))
_FORGET = 180.0


class Patience:
    """Remembers who has been waiting for what, and since when.

    A page that is not there yet is asked for every few seconds at first, then less and less
    often, and after an hour no longer: a forgotten browser tab should not go on for days.
    ``seconds`` is a clock, ``size`` bounds what is remembered.
    """

    def __init__(self, seconds: Callable[[], float], size: int = 1000) -> None:
        self._seconds = seconds
        self._size = size
        self._waiting: OrderedDict[int, tuple[float, float]] = OrderedDict()

    def pause(self, who: bytes, what: bytes, least: int) -> int | None:
        """Return the seconds until the next try, at least ``least``; None: no further one."""
        now = self._seconds()
        # A number instead of the address itself: targets can be long.
        key = hash((who, what))
        since, last = self._waiting.pop(key, (now, now))
        if now - last > max(_FORGET, 2 * least):
            since = now
        self._waiting[key] = (since, now)
        if len(self._waiting) > self._size:
            self._waiting.popitem(last=False)
        for until, pause in _STEPS:
            if now - since < until:
                return max(least, pause)
        return None
