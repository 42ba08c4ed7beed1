"""Fetches images: each once for all who wait for it, with how far it has come."""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from giestack.docker.errors import DockerError, NotFound, Unreachable
from giestack.docker.pull_progress import Pulled
from giestack.spawner.docker.words import said, size_shown
from giestack.spawner.engine import EngineError, Progress
from giestack.spawner.joint import Joint

REMEMBERED = 600.0
"""Seconds for which it is remembered that an image could not be had."""

_TOLD_EVERY = 0.25
_WINDOW = 15.0
_SHORTEST = 1.0
"""Seconds over which the speed is measured, at most and at least."""


class Images(Protocol):
    """What is asked of `giestack.docker.images.Images`."""

    async def inspect(self, reference: str) -> dict[str, object]: ...
    async def pull(self, reference: str, heard: Callable[[Pulled], None]) -> None: ...


class Pulls:
    """All images that are being fetched."""

    def __init__(
        self, clock: IReactorTime, images: Images, received: Callable[[int], None]
    ) -> None:
        """``received`` is told how many more bytes have come."""
        self._clock = clock
        self._images = images
        self._received = received
        self._pulls: dict[str, _Pull] = {}
        self._refused: dict[str, tuple[float, str]] = {}

    async def has(self, image: str) -> bool:
        """Whether the engine has an image.

        :raises DockerError: it can't tell.
        """
        try:
            await self._images.inspect(image)
        except NotFound:
            return False
        return True

    async def fetch(self, image: str, progress: Callable[[Progress], None]) -> None:
        """Fetch an image, or wait with others who do; cancelled when nobody waits any more.

        :raises EngineError: it is not to be had; in the registry's words.
        """
        pull = self._pulls.get(image)
        if pull is None:
            pull = _Pull(self._clock, self._images, image, self._received, self._over)
            self._pulls[image] = pull
        pull.listeners.append(progress)
        progress(pull.progress)
        try:
            await pull.joint.wait()
        except _Refused as error:
            self._refused[image] = (self._clock.seconds(), str(error))
            raise
        else:
            self._refused.pop(image, None)
        finally:
            pull.listeners.remove(progress)

    def _over(self, pull: "_Pull") -> None:
        if self._pulls.get(pull.image) is pull:
            del self._pulls[pull.image]

    def refused(self) -> dict[str, str]:
        """The images that could not be fetched of late, and why, by their names."""
        now = self._clock.seconds()
        for image, (when, _) in list(self._refused.items()):
            if now - when > REMEMBERED:
                del self._refused[image]
        return {image: words for image, (_, words) in self._refused.items()}


class _Refused(EngineError):
    """An image is not to be had, though its engine works."""


class _Pull:
    """One image that is being fetched.

    :ivar image: its name.
    :ivar progress: how far it is.
    :ivar listeners: are told when that changes.
    """

    def __init__(
        self,
        clock: IReactorTime,
        images: Images,
        image: str,
        received: Callable[[int], None],
        over: Callable[["_Pull"], None],
    ) -> None:
        self.listeners: list[Callable[[Progress], None]] = []
        self.joint: Joint[None] = Joint(lambda: Deferred.fromCoroutine(self._pull()))
        self._over = over
        self.progress = Progress("pulling", f"Fetching the image {image}")
        self._clock = clock
        self._images = images
        self.image = image
        self._received = received
        self._bytes = 0
        self._told = -_TOLD_EVERY
        self._seen: deque[tuple[float, float]] = deque()

    async def _pull(self) -> None:
        try:
            await self._images.pull(self.image, self._heard)
        except DockerError as error:
            kind = EngineError if isinstance(error, Unreachable) else _Refused
            raise kind(f"The image {self.image} cannot be fetched: {said(error)}") from None
        finally:
            self._over(self)

    def _heard(self, pulled: Pulled) -> None:
        if pulled.bytes > self._bytes:
            self._received(pulled.bytes - self._bytes)
            self._bytes = pulled.bytes
        now = self._clock.seconds()
        if now - self._told < _TOLD_EVERY:
            return
        self._told = now
        self.progress = Progress(
            "pulling",
            f"Fetching the image {self.image}: {_amount(pulled)}",
            pulled.percent,
            self._eta(now, pulled.percent),
        )
        for each in list(self.listeners):
            each(self.progress)

    def _eta(self, now: float, percent: float | None) -> float | None:
        """Seconds that it takes yet, from the speed of late."""
        if percent is None:
            return None
        self._seen.append((now, percent))
        while now - self._seen[0][0] > _WINDOW:
            self._seen.popleft()
        then, before = self._seen[0]
        if now - then < _SHORTEST or percent <= before:
            return None
        return (100 - percent) * (now - then) / (percent - before)


def _amount(pulled: Pulled) -> str:
    if not pulled.total:
        return "asking its registry"
    return f"{size_shown(pulled.bytes)} of {size_shown(pulled.total)}"
