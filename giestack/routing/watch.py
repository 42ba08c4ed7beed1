"""A session map, watched: looked at again and again, in a thread."""

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from giestack.routing.source import MapTrouble, Publish, Reader, Reading, SourceRoutes

# A commit to a slow disk, or a file that is just being written, is no trouble to speak of.
_PATIENCE = 5.0
_MAY_PASS = ("locked", "half-written")
# Nor is one that comes and goes all the time, once it was said so often in so many seconds.
_OFTEN, _LATELY = 5, 600.0
_BAD_ROWS_TOLD = 10
_SHORTEST_PAUSE = 0.2
_NO_ROUTES = SourceRoutes({})


class WatchedMap:
    """A `giestack.routing.source.Source`: one session map in a file or in a database.

    While the map cannot be read, what was read last stays published. That holds for a file
    that was deleted, too: its containers go on, and a Galaxy that ends a tool says so in the
    table. Before the first good look, a missing file or table is an empty map: Galaxy makes
    both with the first interactive tool.

    :ivar path: what it is called: the absolute path of a file; no secret.
    :ivar reads: how often the whole map was read.
    :ivar errors: how many looks failed, other than by a missing file or table.
    :ivar rows: how many entry points and environments are published.
    :ivar last_change: the clock's seconds when they last changed; 0.0 before the first.
    """

    _log = Logger()

    def __init__(
        self,
        path: str,
        reader: Reader,
        clock: IReactorTime,
        defer_to_thread: Callable[..., Deferred[Any]],
        interval: float = 0.2,
    ) -> None:
        """Watch the map at ``path``, which is ``reader``'s: a pause of ``interval`` seconds
        between two looks.

        ``defer_to_thread(f)`` runs ``f`` in a bounded pool, as `twisted.internet.threads` does,
        with what the reader needs there.
        """
        self.path = path
        self.errors = 0
        self.rows = 0
        self.last_change = 0.0
        self._clock = clock
        self._defer_to_thread = defer_to_thread
        self._interval = interval
        self._reader = reader
        self._next: IDelayedCall | None = None
        self._looked = 0.0
        self._hinted = False
        self._ended: Deferred[None] = succeed(None)
        self._stopped = False
        self._publish: Publish = lambda routes: None
        self._published: SourceRoutes | None = None
        self._reading: Reading | None = None
        self._trouble: MapTrouble | None = None
        self._trouble_since = 0.0
        self._told = ""
        self._tellings: list[float] = []

    @property
    def reads(self) -> int:
        return self._reader.reads

    @property
    def known(self) -> bool:
        """Whether anything was published yet: before, nobody can tell what the map holds."""
        return self._published is not None

    def start(self, publish: Publish) -> None:
        """Look at once, then again and again; see `giestack.routing.source.Source`."""
        self._publish = publish
        self._begin()

    def configure(self, polling_interval: float) -> None:
        """Take another ``proxy.polling_interval``, which a file has no use for."""

    def hint(self) -> None:
        """Look soon: something may have changed. Many hints are at most five looks a second."""
        self._hinted = True
        if self._next is not None:
            self._next.reset(self._pause())

    def stop(self) -> Deferred[None]:
        """Stop looking; fires when the map is closed, once a look under way has ended."""
        self._stopped = True
        if self._next is not None:
            self._next.cancel()
            self._next = None
        return Deferred.fromCoroutine(self._close())

    def _begin(self) -> None:
        self._next, self._hinted = None, False
        self._ended = Deferred.fromCoroutine(self._turn())

    async def _turn(self) -> None:
        await self._look()
        self._looked = self._clock.seconds()
        if not self._stopped:
            self._next = self._clock.callLater(self._pause(), self._begin)

    def _pause(self) -> float:
        """Seconds until the next look is due."""
        pause = min(self._interval, _SHORTEST_PAUSE) if self._hinted else self._interval
        return max(0.0, self._looked + pause - self._clock.seconds())

    async def _close(self) -> None:
        await self._ended
        await self._close_reader()

    async def _close_reader(self) -> None:
        try:
            await self._defer_to_thread(self._reader.close)
        except Exception:
            # The pool may have ended before us.
            self._reader.close()

    def health(self) -> tuple[bool, str]:
        """Return whether what is published is what the file holds, and how things stand."""
        trouble, reading = self._trouble, self._reading
        if reading is not None and (trouble is None or not self._told):
            bad = f", {len(reading.bad)} bad rows left out" if reading.bad else ""
            return True, f"{self.path}: {self._served()}{bad}"
        if reading is not None:
            return False, f"{self.path} {trouble}; {self._served()} read before are served"
        if trouble is None:
            return False, f"{self.path}: not read yet"
        if trouble.missing:
            return True, f"{self.path} {trouble}: Galaxy makes it with the first interactive tool"
        return False, f"{self.path} {trouble}"

    def _served(self) -> str:
        """What is published, in words."""
        routes = self._published or _NO_ROUTES
        text = f"{len(routes.entry_points)} entry points"
        if routes.environments is None:
            return text
        count = f"{len(routes.environments)} environments"
        return f"{text}, {count}" if routes.entry_points else count

    async def _look(self) -> None:
        trouble: MapTrouble | None = None
        try:
            reading: Reading = await self._defer_to_thread(self._reader.look)
            if not self._stopped:
                self._in_order(reading)
        except MapTrouble as error:
            trouble = error
        except Exception as error:
            # It must not end the loop.
            trouble = MapTrouble("failure", f"cannot be read: {type(error).__name__}")
            if self._told != trouble.kind:
                self._log.failure("Looking at the session map {path} failed", path=self.path)
        if trouble is not None and not self._stopped:
            self._in_trouble(trouble)

    def _in_order(self, reading: Reading) -> None:
        if reading is not self._reading:
            self._take(reading.routes)
            self._tell_bad_rows(reading.bad)
            self._reading = reading
        if self._told:
            self._log.info("Session map {path} is read again", path=self.path)
        self._trouble, self._told = None, ""

    def _take(self, routes: SourceRoutes) -> None:
        if routes is self._published or (routes == _NO_ROUTES == self._published):
            return
        self._publish(routes)
        self._published = routes
        self.rows = len(routes.entry_points) + len(routes.environments or ())
        self.last_change = self._clock.seconds()

    def _in_trouble(self, trouble: MapTrouble) -> None:
        now = self._clock.seconds()
        if self._trouble is None or self._trouble.kind != trouble.kind:
            self._trouble_since = now
        self._trouble = trouble
        if not trouble.missing:
            self.errors += 1
        if self._reading is None and trouble.missing:
            self._take(_NO_ROUTES)
        if self._told == trouble.kind:
            return
        self._tellings = [time for time in self._tellings if now - time < _LATELY]
        patient = trouble.kind in _MAY_PASS or len(self._tellings) >= _OFTEN
        if patient and now - self._trouble_since < _PATIENCE:
            return
        self._tellings.append(now)
        self._told = trouble.kind
        tell = self._log.info if self._reading is None and trouble.missing else self._log.warn
        tell("Session map {path} {trouble}", path=self.path, trouble=str(trouble))

    def _tell_bad_rows(self, bad: Mapping[str, str]) -> None:
        before = self._reading.bad if self._reading is not None else {}
        new = [(key, reason) for key, reason in bad.items() if before.get(key) != reason]
        for key, reason in new[:_BAD_ROWS_TOLD]:
            self._log.warn(
                "Session map {path}: row {key!r} left out: {reason}",
                path=self.path,
                key=key,
                reason=reason,
            )
        if len(new) > _BAD_ROWS_TOLD:
            self._log.warn(
                "Session map {path}: {count} more rows left out",
                path=self.path,
                count=len(new) - _BAD_ROWS_TOLD,
            )
