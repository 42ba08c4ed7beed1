"""Opens an engine, however long it takes until it is there."""

from collections.abc import Callable, Sequence

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from giestack.spawner.engine import Ended, Engine, Found

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
_log = Logger()


async def until_open(
    engine: Engine, ended: Callable[[str, Ended], None], clock: IReactorTime
) -> Sequence[Found]:
    """Return what an open engine has; say once that it is not there, and once that it is.

    May be cancelled; raises nothing else.
    """
    if engine.note:
        _log.warn("Engine {name}: {note}", name=engine.name, note=engine.note)
    pause, said = _FIRST_PAUSE, ""
    while True:
        try:
            found = await engine.open(ended)
        except CancelledError:
            raise
        except Exception as error:
            if str(error) != said:
                _log.error(
                    "Engine {name} cannot be used: {error} It is tried again and again.",
                    name=engine.name,
                    error=error,
                )
            said = str(error)
        else:
            if said:
                _log.info("Engine {name} can be used now", name=engine.name)
            return found
        await deferLater(clock, pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
