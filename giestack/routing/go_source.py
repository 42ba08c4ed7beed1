"""Routes that the Go proxy's REST API was told of: kept in its file, and ended when unused.

Galaxy tells of an environment once, and never that it has ended: that is found out by nobody
using it. Then its containers are killed, and the route is gone.
"""

import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.defer import Deferred, DeferredLock, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from giestack.routing.environments import EnvironmentRoute, newest_at_each_address
from giestack.routing.files import parsed_text, read_file, trouble_of
from giestack.routing.go_routes import GoRoute, read_xml, to_xml
from giestack.routing.source import MapTrouble, Publish, SourceRoutes

_BAD_ROUTES_TOLD = 10


class CannotKill(Exception):
    """Containers may still run; the text says why."""


class Kill(Protocol):
    """Ends containers by force; one that does not run, or is not there, is fine.

    Raises `CannotKill`.
    """

    def __call__(self, containers: Sequence[str]) -> Awaitable[None]: ...


Ended = Callable[[GoRoute, float], None]
"""Is told of a route that has ended, and for how many seconds nobody had used it."""


class _Kept:
    """A route, and when it was used last; it is the `Use` of its own environment."""

    __slots__ = ("_seconds", "environment", "last", "route")

    def __init__(self, route: GoRoute, seconds: Callable[[], float]) -> None:
        self.route = route
        self.last = seconds()
        self._seconds = seconds
        self.environment: EnvironmentRoute = route.environment(self)

    def __call__(self, method: bytes, target: bytes) -> Callable[[], None]:
        self._touch()
        return self._touch

    def _touch(self) -> None:
        self.last = self._seconds()


class GoSource:
    """A `giestack.routing.source.Source` of the routes that `add` is told of.

    They are in the file at ``path``, where there is one, which is read at the start and belongs
    to this source from then on. A file that can't be read is left as it is, and tried again;
    routes are in memory until then. When somebody was there last is written with the next
    change, and at the end; after a start everybody has the whole time again.

    :ivar rows: how many routes there are.
    :ivar errors: how often the file could not be read or written, or containers not be killed.
    :ivar reads: how often the file was read.
    """

    _log = Logger()

    def __init__(
        self,
        path: str | None,
        clock: IReactorTime,
        utcnow: Callable[[], datetime],
        defer_to_thread: Callable[..., Deferred[Any]],
        kill: Kill,
        ended: Ended,
    ) -> None:
        """
        :param utcnow: the wall clock, naive UTC.
        """
        self.path = path
        self.rows = 0
        self.errors = 0
        self.reads = 0
        self._clock = clock
        self._utcnow = utcnow
        self._in_thread = defer_to_thread
        self._kill = kill
        self._tell = ended
        self._kept: list[_Kept] = []
        self._publish: Publish = lambda routes: None
        self._noaccess = 60.0
        self._loop = LoopingCall(lambda: Deferred.fromCoroutine(self._look()))
        self._loop.clock = clock
        self._pause = 10.0
        self._ended: Deferred[Any] = succeed(None)
        self._loaded = path is None
        self._unsaved = False
        self._one_at_a_time = DeferredLock()
        self._troubles: dict[str, str] = {}

    @property
    def known(self) -> bool:
        """Whether the file was read, or is known to be missing."""
        return self._loaded

    def configure(self, polling_interval: float) -> None:
        """Nothing is polled here; see `giestack.routing.maps.SessionMap`."""

    def limit(self, noaccess: float, clean_interval: float) -> None:
        """End what nobody uses for ``noaccess`` seconds; look every ``clean_interval`` seconds."""
        self._noaccess = noaccess
        if clean_interval != self._pause:
            self._pause = clean_interval
            if self._loop.running:
                self._loop.interval = clean_interval
                self._loop.reset()

    def start(self, publish: Publish) -> None:
        """See `giestack.routing.source.Source`."""
        self._publish = publish
        if self._loaded:
            self._tell_all()
        self._ended = self._loop.start(self._pause)

    def stop(self) -> Deferred[None]:
        """Stop; fires when all is written."""
        if self._loop.running:
            self._loop.stop()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await self._ended
        self._publish = lambda routes: None
        self._unsaved = self._unsaved or bool(self._kept)
        await self._save()

    def health(self) -> tuple[bool, str]:
        """Return whether the routes are all there are, and how things stand."""
        text = f"{self.rows} environments of the Go API"
        if self._troubles:
            # Where containers can't be killed, or the disk is full, visitors do not notice.
            troubles = dict.fromkeys(self._troubles.values())
            return "file" not in self._troubles, "; ".join([text, *troubles])
        return True, f"{text}, in memory only" if self.path is None else f"{self.path}: {text}"

    def add(self, route: GoRoute) -> None:
        """Have one more route; of several for the same cookie and path the last one counts.

        Told of one again, that is the last one.
        """
        self._kept = [kept for kept in self._kept if kept.route != route]
        self._kept.append(_Kept(route, self._clock.seconds))
        self._changed()

    def routes(self) -> Sequence[tuple[GoRoute, datetime]]:
        """All routes, each with the time (naive UTC) when it was used last."""
        now, seconds = self._utcnow(), self._clock.seconds()
        return [(kept.route, now - timedelta(seconds=seconds - kept.last)) for kept in self._kept]

    def _changed(self) -> None:
        self._tell_all()
        self._unsaved = True
        self._save()

    def _tell_all(self) -> None:
        self.rows = len(self._kept)
        # One whose address is another's now has containers to be ended, but leads nowhere.
        environments = newest_at_each_address(kept.environment for kept in self._kept)
        self._publish(SourceRoutes({}, environments))

    # Every few seconds.

    async def _look(self) -> None:
        try:
            if not self._loaded:
                await self._load()
            for kept in tuple(self._kept):
                # Asked for each anew: to end one may take long, and somebody comes meanwhile.
                if self._is_idle(kept):
                    await self._end(kept)
                else:
                    self._well(_killing(kept))
            if self._unsaved:
                await self._save()
        except Exception:
            # It must not end the loop.
            self._log.failure("Looking for environments that nobody uses failed")

    def _is_idle(self, kept: _Kept) -> bool:
        return self._clock.seconds() - kept.last > self._noaccess

    async def _end(self, kept: _Kept) -> None:
        route, idle = kept.route, self._clock.seconds() - kept.last
        others = [other.route for other in self._kept if not self._is_idle(other)]
        used = {one for other in others for one in other.containers}
        route = replace(route, containers=tuple(one for one in route.containers if one not in used))
        try:
            await self._kill(route.containers)
        except CannotKill as error:
            # Each has a trouble of its own: two that differ would be said in turns, for ever.
            text = f"containers cannot be killed, which is tried again: {error}"
            self._trouble(_killing(kept), text)
            return
        self._well(_killing(kept))
        self._kept = [one for one in self._kept if one is not kept]
        self._changed()
        self._log.info(
            "Nobody has used {path} at {backend} for {idle:.0f} s: killed {containers}",
            path=route.path,
            backend=route.backend,
            idle=idle,
            containers=", ".join(route.containers) or "nothing, as it has no containers of its own",
        )
        self._tell(route, idle)

    # The file.

    async def _load(self) -> None:
        assert self.path is not None
        try:
            routes, bad = await self._in_thread(_load, self.path)
        except MapTrouble as trouble:
            if not trouble.missing:
                text = f"{self.path} {trouble}; until that is mended routes are in memory only"
                self._trouble("file", text)
                return
            routes, bad = (), {}
        self._well("file")
        self.reads += 1
        self._loaded = True
        for name, reason in islice(bad.items(), _BAD_ROUTES_TOLD):
            self._log.warn(
                "{path}: route {name} left out: {reason}", path=self.path, name=name, reason=reason
            )
        if len(bad) > _BAD_ROUTES_TOLD:
            more = len(bad) - _BAD_ROUTES_TOLD
            self._log.warn("{path}: {more} more routes left out", path=self.path, more=more)
        known = {kept.route for kept in self._kept}
        before = [_Kept(route, self._clock.seconds) for route in routes if route not in known]
        told = bool(self._kept)
        self._kept = before + self._kept
        self._tell_all()
        self._unsaved = told

    def _save(self) -> Deferred[None]:
        """Write the file; fires when all changes so far are written, or can't be."""
        return self._one_at_a_time.run(lambda: Deferred.fromCoroutine(self._save_once()))

    async def _save_once(self) -> None:
        if not self._unsaved or not self._loaded or self.path is None:
            return
        self._unsaved = False
        try:
            await self._in_thread(_write, self.path, to_xml(self.routes()))
        except Exception as error:
            self._unsaved = True
            reason = error.strerror if isinstance(error, OSError) else type(error).__name__
            self._trouble("save", f"{self.path} cannot be written, which is tried again: {reason}")
        else:
            self._well("save")

    def _trouble(self, kind: str, text: str) -> None:
        self.errors += 1
        if self._troubles.get(kind) != text:
            self._troubles[kind] = text
            self._log.warn("Go API: {text}", text=text)

    def _well(self, kind: str) -> None:
        if self._troubles.pop(kind, None) is not None:
            self._log.info("Go API: all is well again ({kind})", kind=kind)


def _killing(kept: _Kept) -> str:
    return f"kill {', '.join(kept.route.containers)}"


def _load(path: str) -> tuple[Sequence[GoRoute], dict[str, str]]:
    """Read the file, in a thread; raise `MapTrouble`."""
    try:
        content = read_file(path)
    except OSError as error:
        raise trouble_of(error) from None
    return read_xml(parsed_text(content, "xml"))


def _write(path: str, content: bytes) -> None:
    """Put a file in the place of the old one, for nobody else to read; raise OSError."""
    # Always by one name, so that what a sudden end leaves behind is gone with the next write.
    fresh = Path(f"{path}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
