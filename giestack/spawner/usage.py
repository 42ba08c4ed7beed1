"""When a session was last used by somebody, as far as its requests tell."""

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

_READING = (b"GET", b"HEAD")
_CHANNELS = b"/channels"


class Usage:
    """Is told of a session's requests; its `giestack.spawner.entrance.Use`.

    :ivar last: the clock's seconds at which it was last used; at first, when this was made.
    :ivar polling: where the session is known to be a Jupyter server, the path of its API with a
        slash at the end, as the server itself sees it: ``{base}api/``. An open page asks there
        every few seconds for kernels, sessions, terminals and files, with nobody in front of
        it, so to read there is no use. Its kernels' channels are the exception. None:
        everything is use.
    """

    __slots__ = ("_clock", "last", "polling")

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self.last = clock.seconds()
        self.polling: bytes | None = None

    def __call__(self, method: bytes, target: bytes) -> Callable[[], None] | None:
        polling = self.polling
        if polling is not None and method in _READING and target.startswith(polling):
            path = target[len(polling) :].partition(b"?")[0]
            if not (path.startswith(b"kernels/") and path.endswith(_CHANNELS)):
                return None
        return self.touch

    def touch(self) -> None:
        """It is used now."""
        self.last = self._clock.seconds()
