"""The warm pool: containers that are started before anybody wants them."""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from giestack.address import Address
from giestack.settings.spawner_schema import Profile
from giestack.spawner.docker.claims import Claims, Paused, Unfit
from giestack.spawner.docker.labels import Names
from giestack.spawner.docker.making import Making
from giestack.spawner.docker.slots import shape_of, slot_launch
from giestack.spawner.docker.wishes import Wish, Wishes
from giestack.spawner.engine import EngineError, Launch, Progress, base_url_of
from giestack.spawner.readiness import NotReady
from giestack.spawner.surroundings import WaitUntilReady

_PATIENCE = 60.0
"""Seconds between two starts on a machine that has enough to do: some have for days."""

_TICK = 1.0
_CLOSE_SECONDS = 4.0
_UNCLAIMED = ("making", "ready")


def is_busy() -> bool:
    """Whether this machine has as much to do as it has processors, or more."""
    return os.getloadavg()[0] >= (os.cpu_count() or 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSurroundings:
    """What a pool is given.

    :ivar prefix: that of giestack's own pages.
    :ivar own_hosts: whether each session has a host of its own.
    :ivar galaxy_url: tells it, with a slash at the end, or "".
    :ivar wait_until_ready: returns when a program answers.
    :ivar starting: whether a session is being started just now, which goes first.
    :ivar busy: whether the engine's machine has enough to do; see `is_busy`.
    :ivar new_id: makes ids as those of sessions.
    :ivar hidden: as `giestack.spawner.docker.volume_names.mounts_of` wants it.
    """

    prefix: str
    galaxy_url: Callable[[], str]
    wait_until_ready: WaitUntilReady
    starting: Callable[[], bool]
    busy: Callable[[], bool]
    new_id: Callable[[], str]
    hidden: Sequence[str] = field(default=())
    own_hosts: bool = False


@dataclass(slots=True, eq=False)
class _Slot:
    """A container that is nobody's.

    :ivar work: what is being done with it.
    """

    launch: Launch
    substance: object
    state: Literal["making", "ready", "reserved", "claiming"] = "making"
    address: Address | None = None
    paused: Paused | None = None
    work: Deferred[None] | None = None

    @property
    def profile(self) -> str:
        return self.launch.profile.name


class Pool:
    """The slots of one engine: `giestack.spawner.docker.engine.WarmPool`."""

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        making: Making,
        claims: Claims,
        names: Names,
        around: PoolSurroundings,
    ) -> None:
        self.hits: Counter[tuple[str, str]] = Counter()
        self._clock = clock
        self._making = making
        self._claims = claims
        self._names = names
        self._around = around
        self._slots: dict[str, _Slot] = {}
        self._wishes = Wishes(clock, names, around.hidden, claims.mounting)
        self._begun = clock.seconds()
        self._ticker = LoopingCall(self._tick)
        self._ticker.clock = clock

    @property
    def slots(self) -> Mapping[str, tuple[int, int]]:
        """As WarmPool says."""
        ready = Counter(slot.profile for slot in self._slots.values() if slot.state == "ready")
        return {
            wish.profile.name: (ready[wish.profile.name], wish.profile.warm)
            for wish in self._wishes
        }

    def configure(self, profiles: Sequence[Profile]) -> None:
        """As WarmPool says."""
        self._wishes.configure(profiles)
        kept: Counter[str] = Counter()
        for slot in list(self._slots.values()):
            # Others are sessions already, or will not be.
            if slot.state in _UNCLAIMED:
                kept[slot.profile] += 1
                wish = self._wishes.of(slot.profile)
                if (
                    wish is None
                    or wish.substance != slot.substance
                    or kept[slot.profile] > wish.profile.warm
                ):
                    self._remove(slot)

    async def open(self) -> None:
        """As WarmPool says."""
        if not self._ticker.running:
            self._ticker.start(_TICK)

    async def close(self) -> None:
        """As WarmPool says; takes four seconds at most."""
        if self._ticker.running:
            self._ticker.stop()
        endings = [self._remove(slot) for slot in list(self._slots.values())]
        endings.append(self._claims.mounting.close())
        for ending in endings:
            ending.addTimeout(_CLOSE_SECONDS, self._clock)
        for ending in endings:
            try:
                await ending
            except Exception as error:
                self.log.error("A slot is left behind: {error}", error=error)

    def reserve(self, profile: Profile, options: Mapping[str, object]) -> str:
        """As WarmPool says."""
        if self._wishes.of(profile.name) is None:
            return ""
        for session_id, slot in self._slots.items():
            wanted = replace(slot.launch, profile=profile, options=options)
            if slot.state == "ready" and self._becomes(slot, wanted):
                slot.state = "reserved"
                return session_id
        self.hits[profile.name, "miss"] += 1
        return ""

    def has(self, session_id: str) -> bool:
        """As WarmPool says."""
        return session_id in self._slots

    async def claim(self, launch: Launch, progress: Callable[[Progress], None]) -> Address:
        """As WarmPool says."""
        slot = self._slots.get(launch.session_id)
        if slot is None or slot.state not in ("ready", "reserved"):
            raise EngineError("What was started ahead is gone.")
        assert slot.paused is not None and slot.address is not None
        slot.state = "claiming"
        well = False
        try:
            if not self._becomes(slot, launch):
                raise EngineError("What was started ahead is not what is wanted.")
            progress(Progress("starting", "Waking the container"))
            slot.work = Deferred.fromCoroutine(self._claims.claim(launch, slot.paused))
            await slot.work
            well = True
        except CancelledError:
            if self.has(launch.session_id):
                raise
            raise EngineError("What was started ahead has ended.") from None
        finally:
            self.hits[slot.profile, "hit" if well else "miss"] += 1
            self._wishes.claimed(slot.profile, well)
        if self._slots.pop(launch.session_id, None) is None:
            raise EngineError("What was started ahead has ended.")
        return slot.address

    async def drop(self, session_id: str) -> None:
        """As WarmPool says."""
        self._forget(session_id)

    def died(self, session_id: str) -> None:
        """As WarmPool says."""
        slot = self._slots.get(session_id)
        if slot is not None:
            self._forget(session_id)
            self._wishes.put_off(slot.profile, "What was started ahead has ended")

    # Filling it.

    def _tick(self) -> None:
        if any(slot.state == "making" for slot in self._slots.values()):
            return
        ready = Counter(slot.profile for slot in self._slots.values() if slot.state == "ready")
        lacking = [
            wish for wish in self._wishes.due() if ready[wish.profile.name] < wish.profile.warm
        ]
        if not lacking or self._around.starting():
            return
        now = self._clock.seconds()
        if self._around.busy() and now - self._begun < _PATIENCE:
            return
        self._begun = now
        self._begin(min(lacking, key=lambda wish: ready[wish.profile.name]))

    def _begin(self, wish: Wish) -> None:
        session_id = self._around.new_id()
        base_url = base_url_of(self._around.prefix, session_id, self._around.own_hosts)
        launch = slot_launch(wish.profile, session_id, base_url, self._around.galaxy_url())
        slot = self._slots[session_id] = _Slot(launch, wish.substance)
        slot.work = Deferred.fromCoroutine(self._make(slot))

    async def _make(self, slot: _Slot) -> None:
        try:
            await self._make_ready(slot)
        except CancelledError:
            return  # whoever has cancelled it sees to the rest
        except Unfit as unfit:
            self._wishes.give_up(slot.profile, str(unfit))
        except (EngineError, NotReady) as error:
            self._wishes.put_off(slot.profile, f"Nothing can be started ahead: {error}")
        except Exception:
            self.log.failure("A container that was to be started ahead went wrong")
            self._wishes.put_off(slot.profile, "Nothing can be started ahead")
        else:
            self._wishes.started(slot.profile)
            slot.state = "ready"
            return
        slot.work = None
        self._remove(slot)

    async def _make_ready(self, slot: _Slot) -> None:
        launch = slot.launch
        readiness, base = launch.profile.readiness, launch.base_url.rstrip("/")
        path = readiness.path if launch.profile.strip_path else base + readiness.path
        made = await self._making.make(launch, lambda progress: None, slot=True)
        slot.address = made.address
        await self._around.wait_until_ready(made.address, path, readiness.timeout)
        self._making.turns.give_back(launch.session_id)
        slot.paused = await self._claims.prepare(launch, made)

    # Emptying it.

    def _forget(self, session_id: str) -> None:
        slot = self._slots.pop(session_id, None)
        if slot is not None and slot.work is not None:
            slot.work.cancel()

    def _remove(self, slot: _Slot) -> Deferred[None]:
        """Forget a slot, and have it removed."""
        session_id = slot.launch.session_id
        self._forget(session_id)
        removal: Deferred[None] = Deferred.fromCoroutine(self._removed(session_id))
        return removal

    async def _removed(self, session_id: str) -> None:
        try:
            await self._making.remove(session_id, 0)
        except EngineError as error:
            # It is not the pool's any more: the engine will find it.
            self.log.warn("A container that was started ahead is left: {error}", error=error)

    def _becomes(self, slot: _Slot, wanted: Launch) -> bool:
        """Whether a slot can become what is wanted."""
        names, hidden = self._names, self._around.hidden
        try:
            return (
                slot.profile == wanted.profile.name
                and slot.launch.base_url == wanted.base_url
                and shape_of(slot.launch, names=names, hidden=hidden)
                == shape_of(wanted, names=names, hidden=hidden)
            )
        except EngineError:
            return False
