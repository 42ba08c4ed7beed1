"""How often somebody may do something (pure: the time comes in, in seconds).

Only those who did something lately are remembered.
"""

from collections import Counter
from collections.abc import Hashable
from math import ceil, inf

_FEW = 1024


class _Until:
    """A time for each key, forgotten some while after it has passed."""

    def __init__(self) -> None:
        self._times: dict[Hashable, float] = {}
        self._enough = _FEW

    def __len__(self) -> int:
        return len(self._times)

    def get(self, key: Hashable) -> float:
        return self._times.get(key, -inf)

    def set(self, key: Hashable, time: float, now: float) -> None:
        self._times[key] = time
        if len(self._times) > self._enough:
            self._times = {key: time for key, time in self._times.items() if time > now}
            # Looking through all of them is rare enough to cost next to nothing.
            self._enough = max(_FEW, 2 * len(self._times))


class Rates:
    """A bucket of ``burst`` tokens for each key, filled at ``rate`` tokens a second.

    Rate 0 is no limit; a burst is 1 at least.
    """

    def __init__(self, rate: float, burst: int) -> None:
        # When the bucket will be full again: as good as counting tokens, and one number.
        self._full = _Until()
        self.limit(rate, burst)

    def __len__(self) -> int:
        return len(self._full)

    def limit(self, rate: float, burst: int) -> None:
        """Have another rate and burst from now on."""
        self._each = 1 / rate if rate > 0 else 0.0
        self._most = self._each * max(burst, 1)

    def wait(self, key: Hashable, now: float) -> int:
        """Return 0 if there is a token, else in how many milliseconds; nothing is taken."""
        return _in_ms(self._empty(key, now) + self._each - self._most)

    def take(self, key: Hashable, now: float) -> int:
        """As `wait`, and take the token if there is one."""
        if not self._each:
            return 0
        wait = self.wait(key, now)
        # Kept also for those who wait, so that they don't wait for ever if the clock went back.
        taken = 0.0 if wait else self._each
        self._full.set(key, now + self._empty(key, now) + taken, now)
        return wait

    def _empty(self, key: Hashable, now: float) -> float:
        """How many seconds' tokens are missing; never more than all, whatever the clock did."""
        return min(max(self._full.get(key) - now, 0.0), self._most)


class SlowMode:
    """Some seconds between two things of the same key, as (room, person)."""

    def __init__(self) -> None:
        self._next = _Until()

    def __len__(self) -> int:
        return len(self._next)

    def wait(self, key: Hashable, seconds: float, now: float) -> int:
        """Return 0 if it may be now, else in how many milliseconds; 0 seconds: always now."""
        # Whoever waits for long may find that the room is less slow by now.
        return _in_ms(min(self._next.get(key) - now, seconds))

    def take(self, key: Hashable, seconds: float, now: float) -> int:
        """As `wait`, and count from now if it may be now."""
        wait = self.wait(key, seconds, now)
        if seconds > 0:
            # As in `Rates.take`: a wait is kept as it is now.
            until = min(self._next.get(key), now + seconds) if wait else now + seconds
            self._next.set(key, until, now)
        return wait


class UnderWay:
    """How much of each key is under way at once: ``most`` at most."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._under_way: Counter[Hashable] = Counter()

    def __len__(self) -> int:
        return len(self._under_way)

    def begin(self, key: Hashable) -> bool:
        """Count one more; False where it is one too many, and then it is not counted."""
        if self._under_way[key] >= self._most:
            return False
        self._under_way[key] += 1
        return True

    def end(self, key: Hashable) -> None:
        """One is over."""
        self._under_way[key] -= 1
        if not self._under_way[key]:
            del self._under_way[key]


def _in_ms(seconds: float) -> int:
    # A sum of fractions is not exact: nobody waits for a millionth of a second.
    return 0 if seconds < 1e-6 else max(1, ceil(seconds * 1000))
