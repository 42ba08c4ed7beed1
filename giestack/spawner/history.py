"""How long starts have taken, and so how long the next one will take."""

from collections import deque
from statistics import median

KEPT = 20
"""Starts of a profile that are remembered."""

_NEARLY = 95.0


class History:
    """The last starts of each profile, from the room for it to the first answer, in seconds."""

    def __init__(self) -> None:
        self._starts: dict[str, deque[float]] = {}

    def add(self, profile: str, seconds: float) -> None:
        """Remember a start."""
        self._starts.setdefault(profile, deque(maxlen=KEPT)).append(max(seconds, 0.0))

    def keep(self, profiles: frozenset[str]) -> None:
        """Forget all other profiles."""
        self._starts = {name: past for name, past in self._starts.items() if name in profiles}

    def outlook(self, profile: str, elapsed: float) -> tuple[float | None, float | None]:
        """Return (percent done, seconds left) of a start that began so many seconds ago.

        None where nothing is known, or where it takes longer than ever before. Only the first
        answer is 100 percent.
        """
        past = self._starts.get(profile)
        if not past:
            return None, None
        usual = median(past)
        if elapsed >= usual:
            late = elapsed > max(past)
            return (None, None) if late else (_NEARLY, max(past) - elapsed)
        return min(100.0 * elapsed / usual, _NEARLY), usual - elapsed
