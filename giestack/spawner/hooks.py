"""What a site adds to the life of its sessions: entry points of the group ``giestack.hooks``.

An entry point leads to a module, or another object, that has any of these functions; or, where
the entry point is called like one of them, to that function itself:

``before_spawn(session)``
    Before a session is started. May return a mapping from text to text: variables for its
    environment. Where several hooks say one variable, the last counts.
``after_start(session)``
    The session has answered for the first time.
``before_stop(session)``
    It is about to be stopped, or has failed.
``after_stop(session)``
    Nothing of it runs any more.

All get one `HookedSession`. A hook is called in the reactor's thread, where it must not block;
what takes time returns a Deferred, or is an ``async def``. A hook that blocks all the same
blocks giestack: nothing can help against that.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from inspect import isawaitable
from types import MappingProxyType
from typing import Any, Literal, Protocol, get_args

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from giestack.address import Address
from giestack.spawner.owner import Owner
from giestack.spawner.words import on_one_line

GROUP = "giestack.hooks"
PATIENCE = 30.0
"""Seconds that one hook may take."""

Kind = Literal["before_spawn", "after_start", "before_stop", "after_stop"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_LONGEST_TEXT = 300
_LONGEST_VALUE = 32_768
_MOST_VARIABLES = 1000
_variable = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class HookedSession:
    """The session that a hook is called for.

    :ivar id: lower-case letters and digits.
    :ivar profile: the profile's name.
    :ivar name: what the owner calls it.
    :ivar options: what the owner chose; nobody can write to it.
    :ivar base_url: the path below which visitors see it, with a slash at the end.
    :ivar engine: name of the engine that runs it.
    :ivar address: where it listens; None where it has not been started, or could not be.
    """

    id: str
    owner: Owner
    profile: str
    name: str
    options: Mapping[str, object] = field(default_factory=dict)
    base_url: str = "/"
    engine: str = ""
    address: Address | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", MappingProxyType(dict(self.options)))


class HookFailed(Exception):
    """A hook has failed; the text names it and says why, on one line, for the session's owner."""


class FindEntryPoints(Protocol):
    """As `importlib.metadata.entry_points`."""

    def __call__(self, *, group: str) -> Iterable[EntryPoint]: ...


@dataclass(frozen=True, slots=True)
class Hook:
    """One function of one entry point.

    :ivar name: of the entry point, for people.
    """

    name: str
    kind: Kind
    function: Callable[[HookedSession], object]


class Hooks:
    """All hooks, called one after the other, in the order of their names.

    Each may take 30 seconds; then it is cancelled and has failed. What cancels a call of these
    methods cancels the hook.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, hooks: Iterable[Hook] = ()) -> None:
        self._clock = clock
        self._hooks = sorted(hooks, key=lambda hook: hook.name)

    @classmethod
    def load(cls, clock: IReactorTime, find: FindEntryPoints = entry_points) -> "Hooks":
        """Import the hooks that are installed.

        :raises ValueError: one cannot be imported or used; the text names it. It is not left
            out: a site's hook may be what keeps people from what they may not do.
        """
        found: dict[tuple[str, str], list[Hook]] = {}
        for entry_point in find(group=GROUP):
            key = (entry_point.name, entry_point.value)
            if key not in found:
                found[key] = _hooks_of(entry_point)
        return cls(clock, (hook for _, hooks in sorted(found.items()) for hook in hooks))

    @property
    def names(self) -> list[str]:
        """The entry points' names, for the log."""
        return list(dict.fromkeys(hook.name for hook in self._hooks))

    async def before_spawn(self, session: HookedSession) -> Mapping[str, str]:
        """Call the hooks until one fails; return the variables for the session's environment.

        :raises HookFailed: a hook failed, or returned something else.
        """
        env: dict[str, str] = {}
        for hook in self._of("before_spawn"):
            env.update(_variables(hook, await self._call(hook, session)))
        return env

    async def after_start(self, session: HookedSession) -> None:
        """Call the hooks until one fails (`HookFailed`)."""
        for hook in self._of("after_start"):
            await self._call(hook, session)

    async def before_stop(self, session: HookedSession) -> None:
        """Call all hooks; `HookFailed` afterwards where any of them failed."""
        await self._call_all("before_stop", session)

    async def after_stop(self, session: HookedSession) -> None:
        """Call all hooks; `HookFailed` afterwards where any of them failed."""
        await self._call_all("after_stop", session)

    def _of(self, kind: Kind) -> list[Hook]:
        return [hook for hook in self._hooks if hook.kind == kind]

    async def _call_all(self, kind: Kind, session: HookedSession) -> None:
        failed = []
        for hook in self._of(kind):
            try:
                await self._call(hook, session)
            except HookFailed as error:
                failed.append(str(error))
        if failed:
            raise HookFailed("; ".join(failed))

    async def _call(self, hook: Hook, session: HookedSession) -> object:
        under_way = Deferred.fromCoroutine(_run(hook, session))

        # A Deferred of our own, so that a hook that doesn't end when it is cancelled is left
        # behind, and one that was cancelled by itself is not taken for a cancelled call.
        def abandon(done: Deferred[object]) -> None:
            done.errback(CancelledError())
            under_way.cancel()

        done: Deferred[object] = Deferred(abandon)

        def failed(failure: Failure) -> None:
            if not done.called:
                self.log.failure("Hook {name} failed", failure, name=hook.name)
                done.errback(HookFailed(_told(hook, _words(failure.value))))

        def finished(result: object) -> None:
            if not done.called:
                done.callback(result)

        under_way.addCallbacks(finished, failed)
        done.addTimeout(PATIENCE, self._clock)
        try:
            return await done
        except TimeoutError:
            self.log.error("Hook {name} took too long", name=hook.name)
            raise HookFailed(_told(hook, f"it took more than {PATIENCE:g} seconds")) from None


async def _run(hook: Hook, session: HookedSession) -> object:
    answer = hook.function(session)
    if isawaitable(answer):
        awaited: Awaitable[object] = answer
        return await awaited
    return answer


def _hooks_of(entry_point: EntryPoint) -> list[Hook]:
    name, kinds = entry_point.name, ", ".join(KINDS)
    try:
        there: Any = entry_point.load()
    except Exception as error:
        raise _unusable(entry_point, f"cannot be imported: {_words(error)}") from error
    if name in KINDS:
        functions = {name: there}
        name = f"{name} ({entry_point.value})"
    elif isinstance(there, type):
        raise _unusable(entry_point, "is a class: name an object, or a module")
    else:
        functions = {kind: getattr(there, kind) for kind in KINDS if hasattr(there, kind)}
    if not functions:
        raise _unusable(entry_point, f"has none of {kinds}")
    for kind, function in functions.items():
        if not callable(function):
            raise _unusable(entry_point, f"{kind} is no function")
    return [Hook(name, kind, functions[kind]) for kind in KINDS if kind in functions]


def _unusable(entry_point: EntryPoint, why: str) -> ValueError:
    return ValueError(f"the hook {entry_point.name} ({entry_point.value}) of {GROUP} {why}")


def _variables(hook: Hook, answer: object) -> Mapping[str, str]:
    """Check what a hook returned; the values stay out of every text."""
    if answer is None:
        return {}
    if not isinstance(answer, Mapping) or len(answer) > _MOST_VARIABLES:
        shape = type(answer).__name__
        raise HookFailed(_told(hook, f"it must return a mapping from text to text, not a {shape}"))
    for name, value in answer.items():
        if not isinstance(name, str) or not _variable(name):
            raise HookFailed(_told(hook, f"{name!r} cannot be the name of a variable"))
        if not isinstance(value, str) or not _fits(value):
            raise HookFailed(
                _told(hook, f"{name} must be a text of {_LONGEST_VALUE} bytes at most")
            )
    return answer


def _fits(value: str) -> bool:
    """Whether an environment can hold it."""
    try:
        return len(value.encode()) <= _LONGEST_VALUE and "\0" not in value
    except UnicodeEncodeError:
        return False


def _told(hook: Hook, words: str) -> str:
    text = on_one_line(f"{hook.name}: {words}")
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"


def _words(error: object) -> str:
    """The exception's type and message on one line."""
    try:
        message = " ".join(str(error).split())
    except Exception:
        message = ""
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
