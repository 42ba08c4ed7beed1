"""Stands in for processes and for a Jupyter server that answers HTTP."""

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError, ProcessDone, ProcessTerminated
from twisted.internet.interfaces import IReactorProcess
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.iweb import IAgent
from zope.interface import implementer


@implementer(IReactorProcess)
class Processes:
    """A reactor that starts nothing; `started` has what it was asked for."""

    def __init__(self):
        self.started = []

    def spawnProcess(
        self,
        processProtocol,
        executable,
        args=(),
        env=None,
        path=None,
        uid=None,
        gid=None,
        usePTY=False,
        childFDs=None,
    ):
        process = Process(processProtocol, args, env, path)
        self.started.append(process)
        processProtocol.makeConnection(process)
        return process


class Process:
    """The transport of a process that does what the test says."""

    def __init__(self, protocol, arguments, environment, folder):
        self.protocol = protocol
        self.arguments = [argument.decode() for argument in arguments]
        self.environment = {name.decode(): value.decode() for name, value in environment.items()}
        self.folder = folder
        self.pid = 4321
        self.written: list[bytes] = []
        self.pipes: dict[int, Any] = {}
        self.asked_to_end = 0
        self.signals = []
        self.dies_of = None
        self.obedient = True
        self.lost = False

    def write(self, data):
        self.written.append(data)
        self.asked_to_end += 1
        if self.obedient:
            self.end(0)

    def signalProcess(self, name):
        self.signals.append(name)
        if self.dies_of is not None:
            raise self.dies_of
        self.end(None, 9)

    def loseConnection(self):
        self.lost = True

    def end(self, status, number=None):
        """The process exits, and nobody else holds its output."""
        self.exit_only(status, number)
        self.close_only(status, number)

    def exit_only(self, status, number=None):
        self.protocol.processExited(_reason(status, number))

    def close_only(self, status, number=None):
        self.protocol.processEnded(_reason(status, number))


def _reason(status, number):
    return Failure(ProcessTerminated(status, number) if status or number else ProcessDone(0))


class Response:
    phrase = b"-"

    def __init__(self, code):
        self.code = code

    def deliverBody(self, protocol):
        protocol.dataReceived(b"{}")
        protocol.connectionLost(Failure(ResponseDone()))


@implementer(IAgent)
class Lab:
    """A Jupyter server as an HTTP client sees it.

    `mood`: ``away`` (nobody listens), ``mute`` (no answer comes), ``ready``, ``open`` (lets
    everybody in), ``closed`` (lets nobody in).
    """

    def __init__(self):
        self.mood = "away"
        self.asked = []

    def request(self, method, uri, headers=None, bodyProducer=None):
        names = dict(headers.getAllRawHeaders())
        self.asked.append((method, uri.decode(), names))
        known = any(name.startswith(b"X-Giestack-Demo-") for name in names)
        if self.mood == "away":
            return fail(ConnectionRefusedError())
        if self.mood == "mute":
            return Deferred()
        allowed = self.mood == "open" or (self.mood == "ready" and known)
        return succeed(Response(200 if allowed else 403))
