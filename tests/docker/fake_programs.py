"""What runs in the fake engine's containers, and the ports where it is published.

The image `IMAGE` of the real engines has the same program, under the same name and arguments:
``program WHAT…``:

- ``listen``: answers each request with 200 at the container's port 8888, or that of the
  environment's ``PORT``;
- ``stubborn``: the same, and ends for SIGKILL alone; ``mute``: goes on, and never listens;
- ``exit STATUS [SECONDS]``; ``print LINE…``: prints them and ends; ``both``: ``out`` on standard
  output, ``err`` on standard error; ``environ``: prints the environment;
- ``tick SECONDS LINE…``: prints a line every so often, then goes on;
- ``eat``: takes memory until it is killed for it;
- ``fork``: begins processes until it may not, ``fill FILE``: writes until it may not; both print
  so, ``forked`` or ``filled``, and go on.

Anything else is a program that does not exist. Docker's init, where it is asked for, finds that
out only after the start. Without it a program is process 1 of its container, and ends for
SIGKILL alone, here as there.
"""

import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

IMAGE = "giestack-test/tools:1"
WHATS = (
    *("listen", "stubborn", "mute", "exit", "print", "both", "environ", "tick"),
    *("eat", "fork", "fill"),
)
SOON = 0.01


def exists(command: Sequence[str]) -> bool:
    """Whether the image has such a program."""
    return bool(command) and (
        command[0] in ("sleep", "true", "cat")
        or (command[0] == "program" and len(command) > 1 and command[1] in WHATS)
    )


class Program:
    """A program that runs.

    :ivar listens: whether it takes connections.
    :ivar paused: set by the container.
    """

    def __init__(
        self,
        reactor: Any,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        say: Callable[[str, int], None],
        ended: Callable[[int, bool], None],
        init: bool = True,
    ) -> None:
        """
        :param say: called with a line and 1 or 2, for standard output or error.
        :param ended: called with the status, and whether it was for want of memory.
        """
        self.listens = False
        self.running = True
        self._reactor = reactor
        self._say = say
        self._ended = ended
        self._init = init
        self._later: list[IDelayedCall] = []
        self._stubborn = False
        name, *arguments = command
        if not exists(command):
            what, arguments = "missing", [name]
        else:
            what = arguments.pop(0) if name == "program" else name
        getattr(self, f"_do_{what}")(arguments, environment)

    def send(self, number: int) -> None:
        """A signal comes."""
        if not self.running:
            return
        if number == signal.SIGKILL or (self._init and not self._stubborn):
            self.end(128 + number)

    def end(self, status: int, *, out_of_memory: bool = False) -> None:
        """It ends."""
        if self.running:
            self.running = self.listens = False
            for call in self._later:
                if call.active():
                    call.cancel()
            self._ended(status, out_of_memory)

    def _after(self, seconds: float, function: Callable[..., object], *given: Any) -> None:
        self._later.append(self._reactor.callLater(seconds, function, *given))

    def _do_listen(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self.listens = True

    def _do_stubborn(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self.listens = self._stubborn = True

    def _do_mute(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        pass

    def _do_sleep(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self._after(float(arguments[0]), self.end, 0)

    def _do_exit(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        seconds = float(arguments[1]) if len(arguments) > 1 else SOON
        self._after(seconds, self.end, int(arguments[0]))

    def _do_true(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self._after(SOON, self.end, 0)

    _do_cat = _do_true

    def _do_fork(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self._after(SOON, self._say, "forked", 1)

    def _do_fill(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self._after(SOON, self._say, "filled", 1)

    def _do_missing(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        # Docker's init has begun, and does not find it.
        text = f"[FATAL tini (7)] exec {arguments[0]} failed: No such file or directory"
        self._say(text, 2)
        self._after(SOON, self.end, 127)

    def _do_print(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        for line in arguments:
            self._say(line, 1)
        self._after(SOON, self.end, 0)

    def _do_both(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self._say("out", 1)
        self._say("err", 2)
        self._after(SOON, self.end, 0)

    def _do_environ(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        for name, value in sorted(environment.items()):
            self._say(f"{name}={value}", 1)
        self._after(SOON, self.end, 0)

    def _do_tick(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        for number, line in enumerate(arguments[1:], 1):
            self._after(number * float(arguments[0]), self._say, line, 1)

    def _do_eat(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self._after(SOON, lambda: self.end(137, out_of_memory=True))


class Page(Resource):
    """What listening programs answer: 200, with the request's path. While paused, nobody does."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.paused = False
        self._waiting: list[Request] = []

    def render(self, request: Request) -> Any:
        if self.paused:
            self._waiting.append(request)
            return NOT_DONE_YET
        request.setHeader("Content-Type", "text/plain")
        return b"here is " + request.path + b"\n"

    def resume(self) -> None:
        """Answer those who wait."""
        self.paused = False
        waiting, self._waiting = self._waiting, []
        for request in waiting:
            if not request._disconnected:
                request.write(self.render(request))
                request.finish()


class PublishedPort(Site):
    """A port of the host that leads to a program, as docker-proxy's.

    It takes connections as long as the container runs; where the program does not listen, it
    closes them.
    """

    def __init__(self, reactor: Any, program: Callable[[], Program | None]) -> None:
        self.page = Page()
        super().__init__(self.page, reactor=reactor)
        self._program = program
        self._connections: set[Any] = set()
        self._port: Any = None

    def listen(self, reactor: Any, host: str, port: int) -> int:
        """Take connections; the port's number. CannotListenError where it is taken."""
        self._port = reactor.listenTCP(port, self, interface=host)
        number: int = self._port.getHost().port
        return number

    def buildProtocol(self, addr: Any) -> Any:
        program = self._program()
        if program is None or not program.listens:
            return None
        protocol = super().buildProtocol(addr)
        self._connections.add(protocol)
        return protocol

    def close(self) -> Deferred[Any]:
        """Nobody answers any more."""
        for protocol in self._connections:
            if protocol._channel.transport is not None:
                protocol._channel.transport.abortConnection()
        self._connections.clear()
        port, self._port = self._port, None
        return succeed(None) if port is None else (port.stopListening() or succeed(None))

    def log(self, request: Any) -> None:
        """Not a word."""
