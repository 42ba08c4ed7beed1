"""The service tree: parts that start in order and stop one after the other."""

from collections.abc import Callable

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger


class Part(Service):
    """Something with a beginning and an end, as a service.

    ``stop`` may return a Deferred that fires when the end is reached.
    """

    def __init__(self, start: Callable[[], object], stop: Callable[[], object]) -> None:
        self._start = start
        self._stop = stop

    def startService(self) -> None:
        super().startService()
        self._start()

    def stopService(self) -> Deferred[object]:
        super().stopService()
        return maybeDeferred(self._stop)


class Giestack(MultiService):
    """All of giestack.

    Parts stop in the opposite order, each after the one before it has stopped: the doors close
    before what stands behind them goes away. A part that fails to stop keeps no other from it.

    :ivar reopen_logs: called on SIGHUP, so that logrotate can move log files away.
    :ivar reload: called on SIGHUP after that, to read the configuration anew.
    """

    log = Logger()

    def __init__(self) -> None:
        super().__init__()
        self.reopen_logs: Callable[[], None] = lambda: None
        self.reload: Callable[[], object] = lambda: None

    def hang_up(self) -> None:
        """Do what SIGHUP asks for; nothing while giestack starts or stops."""
        if self.running:
            self.reopen_logs()
            self.reload()

    def stopService(self) -> Deferred[None]:
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        for part in reversed(list(self)):
            try:
                await maybeDeferred(part.stopService)
            except Exception:
                self.log.failure("{part} did not stop as it should", part=part)
