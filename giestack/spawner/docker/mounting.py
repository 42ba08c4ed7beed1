"""Asks the program that puts folders of the host into running containers."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IProcessTransport, IReactorProcess, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from giestack.docker.location import Location

PATIENCE = 5.0
"""Seconds that one request may take; a millisecond or two is usual."""

Made = Sequence[Sequence[object]]
"""What a program has made in its home, as the program that mounts tells it."""

_PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from giestack.spawner.docker.mounter import main; sys.exit(main())"
)
_ROOT = str(Path(__file__).parents[3])
_CLOSE_SECONDS = 2.0


class MountingError(Exception):
    """Something was not mounted; the text is for the administrator.

    :ivar reason: ``gone``: the container is; ``foreign``: the engine's paths or processes are
        not this host's; ``empty``: a source is; ``busy``: files are open where another folder
        should be; ``unfit``: the container is not made for it; ``failed``: anything else.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Placed:
    """A folder of the host that is to be somewhere in a container, in place of what is there.

    :ivar filled: whether an empty source is refused.
    :ivar made: what to make in it, as `Mounting.rehearse` has told.
    """

    source: str
    target: str
    read_only: bool = False
    filled: bool = False
    made: Made = field(default=())


def why_not(location: Location, uid: int) -> str:
    """What keeps this user from mounting anything for this engine, in words; "" for nothing.

    A rehearsal tells the rest.
    """
    if not location.is_socket:
        return "the engine is on another machine, as far as its address tells"
    if uid:
        return "giestack is not run by root"
    if not sys.platform.startswith("linux"):
        return "this is not Linux"
    return ""


class Mounting:
    """The program, which is started for the first request and ends with giestack.

    :ivar why_not: what keeps it from anything; "" for nothing.
    """

    def __init__(self, reactor: IReactorProcess, clock: IReactorTime, why_not: str) -> None:
        self.why_not = why_not
        self._reactor = reactor
        self._clock = clock
        self._program: _Program | None = None

    async def rehearse(
        self, pid: int, container: str, mounts: Sequence[Placed], folder: str, secrets: str
    ) -> Sequence[Made]:
        """See whether folders could be mounted, where the same ones are mounted already.

        :param folder: the folder of the host that is at the path ``secrets`` inside.
        :returns: for each mount what is there beyond the image.
        :raises MountingError:
        """
        answer = await self._ask(
            pid, container, mounts, folder=folder, secrets=secrets, rehearse=True
        )
        made: Sequence[Made] = answer.get("made", [])
        return made

    async def put(
        self,
        pid: int,
        container: str,
        mounts: Sequence[Placed],
        folder: str,
        files: Mapping[str, str],
    ) -> None:
        """Mount folders, and put files into a folder of the host, readable for all.

        :raises MountingError: the container may have got some of it.
        """
        await self._ask(pid, container, mounts, folder=folder, files=dict(files))

    def close(self) -> Deferred[None]:
        """End the program; fires when it has ended."""
        program, self._program = self._program, None
        if program is None:
            return succeed(None)
        program.close(self._clock)
        return program.ended

    async def _ask(
        self, pid: int, container: str, mounts: Sequence[Placed], **more: object
    ) -> Mapping[str, Any]:
        if self.why_not:
            raise MountingError("failed", f"Nothing can be mounted: {self.why_not}.")
        if self._program is None or self._program.ended.called:
            self._program = _started(self._reactor)
        described = [asdict(mount) for mount in mounts]
        request = {"pid": pid, "container": container, "mounts": described, **more}
        try:
            answer = await self._program.ask(request).addTimeout(PATIENCE, self._clock)
        except TimeoutError:
            raise MountingError("failed", f"It was not mounted within {PATIENCE:g} s.") from None
        if "error" in answer:
            raise MountingError(str(answer.get("reason")), str(answer["error"]))
        return answer


class _Program(ProcessProtocol):
    """The running program, or one that has ended.

    :ivar ended: fires when it has.
    """

    transport: IProcessTransport

    def __init__(self) -> None:
        self.ended: Deferred[None] = Deferred()
        self._last = 0
        self._rest = b""
        self._waiting: dict[int, Deferred[Mapping[str, Any]]] = {}

    def ask(self, request: Mapping[str, object]) -> Deferred[Mapping[str, Any]]:
        """Send a request; fires with the answer. May be cancelled, which does not end the work."""
        self._last += 1
        number = self._last
        waiting: Deferred[Mapping[str, Any]] = Deferred(lambda _: self._forget(number))
        self._waiting[number] = waiting
        line = json.dumps({"id": number, **request}).encode() + b"\n"
        self.transport.writeToChild(0, line)
        return waiting

    def _forget(self, number: int) -> None:
        del self._waiting[number]

    def close(self, clock: IReactorTime) -> None:
        """End it, by force if need be."""
        self.transport.closeStdin()
        killing = clock.callLater(_CLOSE_SECONDS, self._kill)
        self.ended.addCallback(lambda _: killing.cancel() if killing.active() else None)

    def _kill(self) -> None:
        try:
            self.transport.signalProcess("KILL")
        except ProcessExitedAlready:
            pass

    def outReceived(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            answer = json.loads(line)
            waiting = self._waiting.pop(answer["id"], None)
            if waiting is not None:
                waiting.callback(answer)

    def processEnded(self, reason: Failure) -> None:
        waiting, self._waiting = self._waiting, {}
        self.ended.callback(None)
        for each in waiting.values():
            each.errback(MountingError("failed", "The program that mounts has ended."))


def _started(reactor: IReactorProcess) -> _Program:
    program = _Program()
    command = [sys.executable, "-I", "-S", "-c", _PROGRAM, _ROOT]
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        # Without our environment: neither its secrets nor its languages are for this program.
        reactor.spawnProcess(
            program, sys.executable, command, env={}, childFDs={0: "w", 1: "r", 2: null}
        )
    except OSError as error:
        raise MountingError("failed", f"It can't be started: {error.strerror}.") from None
    finally:
        os.close(null)
    return program
