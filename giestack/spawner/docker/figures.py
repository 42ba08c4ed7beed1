"""What the metrics say of a Docker engine."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Figures:
    """Counts from the beginning of giestack on.

    :ivar calls: requests to the engine by (kind, status); status 0: there was no answer.
    :ivar seconds: that these took, by kind.
    :ivar pulled: bytes of images that were fetched.
    :ivar warm: starts of profiles with a warm pool, by (profile, ``hit`` or ``miss``).
    :ivar pool: asks how many slots of each profile are ready, and how many there should be.
    """

    calls: Counter[tuple[str, int]] = field(default_factory=Counter)
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    pulled: int = 0
    warm: Counter[tuple[str, str]] = field(default_factory=Counter)
    pool: Callable[[], Mapping[str, tuple[int, int]]] = dict

    def called(self, kind: str, status: int, seconds: float) -> None:
        """A request has been answered, or has failed; to be given to `giestack.docker`."""
        self.calls[kind, status] += 1
        self.seconds[kind] += seconds

    def watch(
        self, warm: Counter[tuple[str, str]], pool: Callable[[], Mapping[str, tuple[int, int]]]
    ) -> None:
        """There is a warm pool, which counts by itself."""
        self.warm, self.pool = warm, pool

    def received(self, size: int) -> None:
        """So many bytes of an image have come."""
        self.pulled += size
