"""SIGHUP: another configuration while giestack runs, taken as a whole or not at all."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred, DeferredLock, succeed
from twisted.logger import Logger

from giestack.listening import CannotListen
from giestack.settings.load import Loaded
from giestack.settings.problems import Problem, SettingsError
from giestack.settings.schema import Settings
from giestack.settings.spawner_schema import Engine

T = TypeVar("T")

ON_OR_OFF = ("openbis", "spawner", "chat")
"""Sections that can't come or go while giestack runs."""

FIXED = (
    "instance",
    "secret",
    "data_dir",
    "galaxy.id_secret",
    "galaxy.database_connection",
    "openbis",
    "proxy.prefix",
    "proxy.session_cache",
    "spawner.domain",
    "spawner.gie_plugins_directory",
    "chat.database",
)
"""Keys that are read at start only."""


def needs_restart(old: Settings, new: Settings) -> tuple[Problem, ...]:
    """Every key that differs and can't be taken while giestack runs."""
    paths = [key for key in ON_OR_OFF if (getattr(old, key) is None) != (getattr(new, key) is None)]
    paths += [
        key
        for key in FIXED
        if key.partition(".")[0] not in paths and _value(old, key) != _value(new, key)
    ]
    if "spawner" not in paths and _engines(old) != _engines(new):
        paths.append("spawner.engines")
    return tuple(Problem(path, "needs a restart") for path in paths)


def _engines(settings: Settings) -> Sequence[Engine]:
    """The engines, but for what can change: whether they take new sessions."""
    engines = settings.spawner.engines if settings.spawner else ()
    return [replace(engine, drain=False) for engine in engines]


def _value(settings: object, path: str) -> object:
    for name in path.split("."):
        settings = getattr(settings, name, None)
    return settings


class Change(Protocol):
    """Something of a new configuration that is ready: all that could fail has been done."""

    def apply(self) -> None: ...
    def cancel(self) -> None: ...


class Changes:
    """What a new configuration changes and can fail: all of it is made ready, then applied.

    As a context it cancels what is ready but was not applied.
    """

    def __init__(self) -> None:
        self._ready: list[Change] = []
        self._problems: list[Problem] = []

    def prepare(self, key: str, make: Callable[[], Change]) -> None:
        """Make a change ready; trouble is a problem of this key."""
        change = self.attempt(key, make)
        if change is not None:
            self._ready.append(change)

    def attempt(self, key: str, make: Callable[[], T]) -> T | None:
        """Return what this makes; trouble is a problem of this key, and then it is None."""
        try:
            return make()
        except OSError as error:
            name = f"{error.filename}: " if error.filename else ""
            self._problems.append(Problem(key, f"{name}{error.strerror}"))
        except CannotListen as error:
            self._problems.append(Problem(key, str(error)))
        return None

    def apply(self) -> None:
        """Apply all; raises `SettingsError` and applies nothing where there was trouble."""
        if self._problems:
            raise SettingsError(tuple(self._problems))
        ready, self._ready = self._ready, []
        for change in ready:
            change.apply()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        for change in self._ready:
            change.cancel()


class Reload:
    """Reads the configuration again whenever it is called; one time after the other.

    ``load`` reads it, in a thread. ``configure`` takes it, or raises `SettingsError` and changes
    nothing. Both the problems and the warnings are said, a line each.
    """

    _log = Logger()

    def __init__(
        self,
        load: Callable[[], Loaded],
        configure: Callable[[Settings], Awaitable[None]],
        in_thread: Callable[..., Deferred[Any]],
    ) -> None:
        self._load = load
        self._configure = configure
        self._in_thread = in_thread
        self._one_at_a_time = DeferredLock()

    def __call__(self) -> Deferred[None]:
        """Fires when it is done or refused, at once where another call waits; it never fails."""
        if self._one_at_a_time.waiting:
            # That one will read what is there by then.
            return succeed(None)
        return self._one_at_a_time.run(lambda: Deferred.fromCoroutine(self._reload()))

    async def _reload(self) -> None:
        try:
            loaded: Loaded = await self._in_thread(self._load)
            await self._configure(loaded.settings)
        except SettingsError as refused:
            for problem in refused.problems:
                self._log.error("Reload refused: {problem}", problem=str(problem))
        except Exception:
            self._log.failure("Reload failed")
        else:
            for warning in loaded.warnings:
                self._log.warn("{problem}", problem=str(warning))
            self._log.info("The configuration was reloaded")
