"""What the Go proxy (``gxproxy``) was to Galaxy: its REST API, its file, and the end of containers.

All of it is there only while ``proxy.go_api`` has a key, which may come and go.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.logger import Logger

from giestack.docker.docker import Docker
from giestack.docker.endpoint import agent_for
from giestack.docker.errors import Conflict, DockerError, NotFound
from giestack.docker.location import Location, LocationError, location_of
from giestack.engines import configured_or_default, location_for
from giestack.ops.audit_log import Audit
from giestack.proxy.decision import Decide, Decision, Local, Request
from giestack.questions import Locate
from giestack.routing.go_routes import GoRoute
from giestack.routing.go_source import CannotKill, GoSource
from giestack.routing.maps import SessionMap
from giestack.routing.places import HostEntryPoint, SpawnedSession
from giestack.settings.schema import ProxySettings, Settings
from giestack.site.go_api import GoApi
from giestack.spawner.docker.labels import INSTANCE

API = b"/api"
_MARK = "go-api:"
_SHORT_ID = 12
"""Letters of an id as Docker shows it."""


class GoProxy:
    """Holds the parts together.

    :ivar api: answers at `API`.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        utcnow: Callable[[], datetime],
        in_thread: Callable[..., Deferred[Any]],
        audit: Audit,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._reactor = reactor
        self._utcnow = utcnow
        self._in_thread = in_thread
        self._audit = audit
        self._environ = environ
        self._key: str | None = None
        self._source: GoSource | None = None
        self._locations: Sequence[Location] = ()
        self._engines: Sequence[Docker] = ()
        self._without_engines = "no engine is configured"
        self._closing: set[Deferred[None]] = set()
        self.api = GoApi(lambda: self._source, lambda: self._key)

    def configure(self, settings: Settings) -> None:
        """Go by these settings; to be called once the session maps know theirs."""
        go = settings.proxy.go_api
        self._key = go.api_key
        if go.api_key is None:
            self._source = None
            self._use(())
            return
        if self._source is not None:
            self._source.limit(go.noaccess, go.clean_interval)
        try:
            self._use(self._located(settings))
        except (LocationError, ValueError) as error:
            self._use(())
            self._without_engines = str(error)
            self._log.warn("Go API: containers can't be killed: {reason}", reason=str(error))

    def maps(self, proxy: ProxySettings, locations: Mapping[str, str]) -> Mapping[str, str]:
        """The session maps' locations with the one that the API keeps its routes in.

        That is the first that ends with ``.xml``, which then is no map to be watched; else the
        routes are in memory.
        """
        if proxy.go_api.api_key is None:
            return locations
        for place in proxy.session_maps:
            if place.kind == "xml":
                return {**locations, str(place): f"{_MARK}{place.path}"}
        return {**locations, "go_api": _MARK}

    def opening(self, open_map: Callable[[str], SessionMap]) -> Callable[[str], SessionMap]:
        """What opens a session map by its location, where the API's is one of them."""
        return lambda at: (
            self._open(at.removeprefix(_MARK)) if at.startswith(_MARK) else open_map(at)
        )

    def gate(self, proxy: ProxySettings, decide: Decide, locate: Locate) -> Decide:
        """What decides about requests: with a key the API stands in front of the other rules."""
        return decide if proxy.go_api.api_key is None else _Gate(decide, locate)

    def stop(self) -> Deferred[Any]:
        """Close what is open to engines; fires when all is."""
        self._use(())
        return gatherResults(list(self._closing))

    def _open(self, path: str) -> GoSource:
        before = self._source
        source = GoSource(
            path or None, self._reactor, self._utcnow, self._in_thread, self._kill, self._ended
        )
        if before is not None:
            # The same API with another file: what it was told of is still there.
            for route, _ in before.routes():
                source.add(route)
        self._source = source
        return source

    def _ended(self, route: GoRoute, idle: float) -> None:
        self._audit(
            "stopped",
            None,
            kind="environment",
            route=route.backend,
            containers=", ".join(route.containers) or None,
            reason=f"nobody has used it for {idle:.0f} s",
        )

    # Engines.

    def _located(self, settings: Settings) -> Sequence[Location]:
        given = settings.proxy.go_api.docker_host
        if given is not None:
            return [location_of(given)]
        spawner = settings.spawner
        engines = [one for one in spawner.engines if not one.is_process] if spawner else []
        found = configured_or_default(engines, self._environ, Path.home())
        return [location_for(engine) for engine in found]

    def _use(self, locations: Sequence[Location]) -> None:
        if list(locations) == list(self._locations):
            return
        fresh = [Docker(self._reactor, agent_for(self._reactor, one)) for one in locations]
        old, self._engines, self._locations = self._engines, fresh, locations
        for docker in old:
            closing = Deferred.fromCoroutine(docker.close())
            self._closing.add(closing)
            closing.addBoth(self._closed, closing)

    def _closed(self, result: object, closing: Deferred[None]) -> None:
        self._closing.discard(closing)

    async def _kill(self, containers: Sequence[str]) -> None:
        """A `giestack.routing.go_source.Kill`."""
        for container in containers:
            await self._kill_one(container)

    async def _kill_one(self, container: str) -> None:
        if not self._engines:
            raise CannotKill(self._without_engines)
        trouble: DockerError | None = None
        for docker in self._engines:
            try:
                found = await docker.containers.inspect(container)
                if not _is_named(container, found):
                    continue
                if _is_giestacks(found):
                    # Whoever may tell of environments has no say in those.
                    self._log.warn(
                        "Go API: {container} is a session that giestack has started: not killed",
                        container=container,
                    )
                    return
                await docker.containers.kill(str(found["Id"]))
            except NotFound:
                continue
            except Conflict:
                return  # it does not run
            except DockerError as error:
                trouble = error
            except CancelledError:
                raise CannotKill("this engine is not used any more") from None
            else:
                return
        if trouble is not None:
            raise CannotKill(str(trouble))


class _Gate:
    """Answers `API` and leaves all else to another."""

    def __init__(self, decide: Decide, locate: Locate) -> None:
        self._decide = decide
        self._locate = locate

    def __call__(self, request: Request) -> Decision | Deferred[Decision]:
        target = request.target
        if target.startswith(API) and target[len(API) : len(API) + 1] in (b"?", b""):
            # On hosts of their own nothing is ours; a notebook's API is at that path, too.
            place = self._locate(request.seen.host_name, API)
            if not isinstance(place, (HostEntryPoint, SpawnedSession)):
                return Local(None)
        return self._decide(request)


def _is_named(text: str, container: Mapping[str, Any]) -> bool:
    """Whether a container is the one with this id or name.

    The engine takes any beginning of an id for it that no other has; that short ones fit somebody
    is chance.
    """
    whole, name = str(container.get("Id")), container.get("Name")
    return name == f"/{text}" or (len(text) >= _SHORT_ID and whole.startswith(text))


def _is_giestacks(container: Mapping[str, Any]) -> bool:
    labels = (container.get("Config") or {}).get("Labels") or {}
    return INSTANCE in labels
