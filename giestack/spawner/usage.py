"""When a session was last used by somebody, as far as its requests tell."""

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

_READING = (b"GET", b"HEAD")
_CHANNELS = b"/channels"


class Usage:
    """Is told of a session's requests; its `giestack.spawner.entrance.Use`.

    :ivar last: the clock's seconds at which it was last used; at first, when this was made.
    """

    __slots__ = ("_clock", "_polled", "_polling", "last")

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._polling: bytes | None = None
        self._polled: tuple[bytes, ...] = ()
        self.last = clock.seconds()

    @property
    def polling(self) -> bytes | None:
        """Where the session is known to be a Jupyter server, the path of its API: ``{base}api/``.

        As the server itself sees it. An open page asks there every few seconds for kernels,
        sessions, terminals and files, and at ``{base}lab/api/`` it reads and writes its own
        layout (``workspaces``) as often, with nobody in front of it. So that is no use, but for
        the channels of a kernel. None: everything is use.
        """
        return self._polling

    @polling.setter
    def polling(self, path: bytes | None) -> None:
        self._polling = path
        self._polled = () if path is None else (path, path.removesuffix(b"api/") + b"lab/api/")

    def __call__(self, method: bytes, target: bytes) -> Callable[[], None] | None:
        polled = self._polled
        if not polled or not target.startswith(polled):
            return self.touch
        if target.startswith(polled[1] + b"workspaces"):
            return None
        path = target.partition(b"?")[0]
        to_kernel = path.startswith(polled[0] + b"kernels/") and path.endswith(_CHANNELS)
        return None if method in _READING and not to_kernel else self.touch

    def touch(self) -> None:
        """It is used now."""
        self.last = self._clock.seconds()
