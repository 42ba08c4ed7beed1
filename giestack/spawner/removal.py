"""Gets rid of what an engine has of a session, however long that takes."""

from collections.abc import Awaitable, Callable

from twisted.internet.defer import CancelledError, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from giestack.spawner.engine import Engine, EngineError, Launch
from giestack.spawner.hooks import HookedSession, HookFailed, Hooks

LAST_WORDS = 50
"""Lines of its log that are kept of a session that failed."""

_LOG_PATIENCE = 0.5
_STOP_PATIENCE = 30.0
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0


class Removal:
    """Removes sessions from an engine; may be cancelled, and raises nothing else."""

    log = Logger()

    def __init__(self, engine: Engine, hooks: Hooks, clock: IReactorTime) -> None:
        self._engine = engine
        self._hooks = hooks
        self._clock = clock

    async def last_words(self, session_id: str) -> tuple[str, ...]:
        """The last lines of a session's log; none where the engine does not tell them soon."""
        try:
            asked = self._engine.logs(session_id, LAST_WORDS)
            return tuple(await asked.addTimeout(_LOG_PATIENCE, self._clock))
        except CancelledError:
            raise
        except Exception as error:
            self.log.info("No log of session {id}: {error!r}", id=session_id, error=error)
            return ()

    async def remove(
        self, launch: Launch, hooked: HookedSession | None, say: Callable[[str], None]
    ) -> None:
        """Return when nothing of a session is left.

        :param hooked: what the hooks for its end are told; None: it never ran, they are not
            called.
        :param say: is told for people what keeps it from ending.
        """
        if hooked is not None:
            await self._call(self._hooks.before_stop, hooked)
        pause = _FIRST_PAUSE
        while True:
            try:
                stopping = self._engine.stop(launch.session_id, launch.profile.stop_timeout)
                await stopping.addTimeout(launch.profile.stop_timeout + _STOP_PATIENCE, self._clock)
                break
            except CancelledError:
                raise
            except Exception as error:
                say(self._not_stopped(launch, error, pause))
            await deferLater(self._clock, pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        if hooked is not None:
            await self._call(self._hooks.after_stop, hooked)

    def _not_stopped(self, launch: Launch, error: Exception, pause: float) -> str:
        if not isinstance(error, (EngineError, TimeoutError)):
            self.log.failure("An engine went wrong while it stopped a session")
        text = str(error) if isinstance(error, EngineError) else "its engine does not answer."
        self.log.warn(
            "Session {id} could not be stopped: {text} Trying again in {pause:g} s",
            id=launch.session_id,
            text=text,
            pause=pause,
        )
        return f"It could not be stopped yet: {text}"

    async def _call(
        self, hook: Callable[[HookedSession], Awaitable[None]], hooked: HookedSession
    ) -> None:
        """Call one of the last hooks; whatever it does, the end goes on."""
        try:
            await hook(hooked)
        except HookFailed as error:
            self.log.warn("{error}", error=error)
