"""What can be started: the profiles, and whether there is an engine for them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from giestack.settings.spawner_schema import Profile, SpawnerSettings
from giestack.spawner.admission import Lack, Need, too_large
from giestack.spawner.engine import Engine
from giestack.spawner.view import SpawnRefused
from giestack.visitor import Identity

_TOO_LARGE: Mapping[Lack, str] = {
    "memory": "No engine has as much memory as it may use.",
    "gpus": "No engine has as many GPUs as it wants.",
}


class Catalogue:
    """The profiles and the engines.

    :ivar engines: all of them.
    """

    def __init__(self, engines: Sequence[Engine]) -> None:
        self.engines = engines
        self._profiles: dict[str, Profile] = {}
        self._drained: frozenset[str] = frozenset()

    def configure(self, settings: SpawnerSettings) -> None:
        """Offer other profiles from now on, and start nothing on engines that are drained."""
        self._profiles = {profile.name: _titled(profile) for profile in settings.profiles}
        self._drained = frozenset(engine.name for engine in settings.engines if engine.drain)
        for engine in self.engines:
            engine.configure(self.all())

    def all(self) -> Sequence[Profile]:
        """Every profile, in the configured order."""
        return list(self._profiles.values())

    def of(self, visitor: Identity) -> Sequence[Profile]:
        """What a visitor may start."""
        return [p for p in self._profiles.values() if visitor.is_admin or not p.admin_only]

    def offered(self, visitor: Identity, name: str) -> Profile | None:
        """A profile that a visitor may start; None where there is none of that name for them."""
        return next((p for p in self.of(visitor) if p.name == name), None)

    def able(self) -> Sequence[Engine]:
        """The engines that take new sessions now."""
        return [engine for engine in self._undrained() if not engine.trouble]

    def note(self, profile: Profile) -> str:
        """What people should know before they start a profile; "" for nothing."""
        notes = {engine.note for engine in self._undrained()}
        return notes.pop() if len(notes) == 1 else ""

    def closed(self, profile: Profile) -> str:
        """Why no session of a profile can be started just now; "" if one can."""
        able = self.able()
        if able:
            lack = too_large(need_of(profile, ""), {engine.name: engine.room for engine in able})
            return _TOO_LARGE[lack] if lack else ""
        troubles = [engine.trouble for engine in self._undrained()]
        return troubles[0] if troubles else "All engines are draining."

    def check_open(self, profile: Profile) -> None:
        """Raise `SpawnRefused` (503) where a profile is closed."""
        reason = self.closed(profile)
        if reason:
            raise SpawnRefused(503, "no-engine", f"No session can be started just now. {reason}")

    def _undrained(self) -> Sequence[Engine]:
        return [engine for engine in self.engines if engine.name not in self._drained]


def need_of(profile: Profile, owner: str, engine: str = "") -> Need:
    """What a session of a profile takes up; ``owner`` is their key."""
    return Need(owner=owner, memory=profile.memory, gpus=profile.gpus, engine=engine)


def _titled(profile: Profile) -> Profile:
    return profile if profile.title else replace(profile, title=profile.name)
