"""What there should be in the warm pool, and how soon."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from giestack.settings.spawner_schema import Profile
from giestack.spawner.docker.labels import Names
from giestack.spawner.docker.mounting import Mounting
from giestack.spawner.docker.slots import substance_of, why_cold

_FIRST_PAUSE = 2.0
_LONGEST_PAUSE = 300.0
_FAILED_CLAIMS = 3
"""So many claims one after the other that fail are no accident."""


@dataclass(slots=True, eq=False)
class Wish:
    """What there should be of one profile.

    :ivar substance: slots of an equal one are what is wished for.
    :ivar cold: why there can be nothing; "".
    :ivar not_before: when the next one may be started.
    :ivar pause: seconds to wait after the next failure.
    :ivar failed: claims that failed since the last one that did not.
    """

    profile: Profile
    substance: object
    cold: str = ""
    not_before: float = 0.0
    pause: float = _FIRST_PAUSE
    failed: int = 0


class Wishes:
    """The profiles that have slots, as configured."""

    log = Logger()

    def __init__(
        self, clock: IReactorTime, names: Names, hidden: Sequence[str], mounting: Mounting
    ) -> None:
        self._clock = clock
        self._names = names
        self._hidden = hidden
        self._mounting = mounting
        self._wishes: Mapping[str, Wish] = {}
        self._said: set[str] = set()

    def __iter__(self) -> Iterator[Wish]:
        return iter(self._wishes.values())

    def of(self, profile: str) -> Wish | None:
        """What is wished for of a profile; None: nothing."""
        return self._wishes.get(profile)

    def configure(self, profiles: Sequence[Profile]) -> None:
        """Wish for what these say; what has turned out about those that are the same holds."""
        self._wishes = {one.name: self._wish(one) for one in profiles if one.warm}

    def _wish(self, profile: Profile) -> Wish:
        substance = substance_of(profile, names=self._names, hidden=self._hidden)
        known = self._wishes.get(profile.name)
        if known is not None and known.substance == substance:
            known.profile = profile
            return known
        wish = Wish(profile, substance)
        mounting = self._mounting.why_not
        reason = why_cold(profile, names=self._names, hidden=self._hidden, mounting=mounting)
        if reason:
            self.give_up(profile.name, reason, wish)
        return wish

    def due(self) -> list[Wish]:
        """Those of which something may be started now."""
        now = self._clock.seconds()
        return [one for one in self if not one.cold and one.not_before <= now]

    def give_up(self, profile: str, reason: str, wish: Wish | None = None) -> None:
        """There can be nothing of a profile until it is configured differently."""
        wish = wish or self.of(profile)
        if wish is not None:
            wish.cold = reason
        text = f"Profile {profile}: nothing is started ahead: {reason.rstrip('.')}."
        if text not in self._said:
            self._said.add(text)
            self.log.warn("{text}", text=text)

    def put_off(self, profile: str, reason: str) -> None:
        """Something went wrong: try it again later, and then less often."""
        wish = self.of(profile)
        if wish is None:
            return
        self.log.warn(
            "Profile {profile}: {reason}. It is tried again in {pause:g} s.",
            profile=profile,
            reason=reason.rstrip("."),
            pause=wish.pause,
        )
        wish.not_before = self._clock.seconds() + wish.pause
        wish.pause = min(2 * wish.pause, _LONGEST_PAUSE)

    def started(self, profile: str) -> None:
        """Something of a profile was started."""
        wish = self.of(profile)
        if wish is not None:
            wish.pause = _FIRST_PAUSE

    def claimed(self, profile: str, well: bool) -> None:
        """Something of a profile was made a session, or could not be."""
        wish = self.of(profile)
        if wish is None:
            return
        wish.failed = 0 if well else wish.failed + 1
        if wish.failed >= _FAILED_CLAIMS:
            self.give_up(profile, "it could not be made a session, again and again")
