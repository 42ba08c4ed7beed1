"""Sessions as local processes: the engine behind ``docker_host: "process:"``."""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredLock, succeed
from twisted.internet.interfaces import IReactorProcess, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from giestack.address import Address
from giestack.settings.spawner_schema import Profile
from giestack.spawner.engine import Ended, EngineError, Found, Launch, Progress, Room, Stats
from giestack.spawner.joint import apart
from giestack.spawner.process.ending import ended_of
from giestack.spawner.process.environment import SESSION_VARIABLE, secret_values, session_mark
from giestack.spawner.process.family import sweep
from giestack.spawner.process.folders import Folders
from giestack.spawner.process.limits import NICE
from giestack.spawner.process.output import Output, hiding
from giestack.spawner.process.ports import claim_port
from giestack.spawner.process.preparing import Prepared, Preparing, uses_socket
from giestack.spawner.process.program import Program
from giestack.spawner.process.usage import Usage

NOTE = (
    "Runs as a process of the user that runs giestack, without isolation: whoever may use it may "
    "do what that user may. For trying out only."
)

_CLOSE_GRACE = 2.0
_CLOSE_SECONDS = 7.0
_ID = re.compile(r"[a-z0-9]{1,64}")
T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Session:
    """A session that was asked for and not stopped yet.

    :ivar turn: what waits for the disk, one after the other.
    :ivar waiting: fire when nothing of it is left.
    """

    launch: Launch
    port: int | None
    output: Output
    turn: DeferredLock = field(default_factory=DeferredLock)
    program: Program | None = None
    address: Address | None = None
    stopping: bool = False
    removing: bool = False
    waiting: list[Deferred[None]] = field(default_factory=list)


class ProcessEngine:
    """Runs each session as a process with its family: `giestack.spawner.engine.Engine`.

    Sessions end with giestack, however it ends; homes are kept below ``data_dir``, one for
    each owner. Sessions get nothing of giestack's environment but what every program needs.
    ``mark`` names this giestack; by it, and the folder, processes that a killed one has left
    are found. ``environ`` is giestack's own environment.
    """

    _log = Logger()
    note = NOTE
    lives_on = False
    room = Room()

    def __init__(
        self,
        name: str,
        reactor: IReactorProcess,
        clock: IReactorTime,
        in_thread: Callable[..., Deferred[Any]],
        data_dir: Path,
        mark: str,
        environ: Mapping[str, str],
    ) -> None:
        self.name = name
        self._reactor = reactor
        self._clock = clock
        self._in_thread = in_thread
        self._folders = Folders(data_dir)
        self._family = f"{mark}@{self._folders.data_dir}"
        self._preparing = Preparing(self._folders, environ, Path(sys.executable), self._family)
        self._usage = Usage(in_thread, clock)
        self._turn = DeferredLock()
        # Many at once would keep the reactor's thread from its turn.
        self._preparation = DeferredLock()
        self._open = False
        self._trouble = ""
        self._ended: Callable[[str, Ended], None] = _nobody
        self._sessions: dict[str, _Session] = {}

    @property
    def trouble(self) -> str:
        """As Engine says."""
        return self._trouble

    def configure(self, profiles: Sequence[Profile]) -> None:
        """As Engine says; it is told with each launch what it needs."""

    def reserve(self, profile: Profile, options: Mapping[str, object]) -> str:
        """As Engine says: nothing is started beforehand."""
        return ""

    def open(self, ended: Callable[[str, Ended], None]) -> Deferred[Sequence[Found]]:
        """As Engine says. What a killed giestack has left is ended, so that there is nothing."""

        async def take_up() -> Sequence[Found]:
            if not self._open:
                try:
                    await self._in_thread(self._take_up)
                except EngineError as error:
                    self._trouble = str(error)
                    raise
            self._open, self._trouble, self._ended = True, "", ended
            return self._found()

        return apart(self._turn.run(lambda: Deferred.fromCoroutine(take_up())))

    def close(self) -> Deferred[None]:
        """As Engine says; takes about seven seconds at most."""

        async def give_up() -> None:
            self._open, self._ended = False, _nobody
            for stopped in [self.stop(one, _CLOSE_GRACE) for one in list(self._sessions)]:
                try:
                    await stopped
                except EngineError as error:
                    self._log.error("A session is not gone: {error}", error=error)
            await self._in_thread(self._folders.close)

        self._folders.hurry(_CLOSE_SECONDS)
        return apart(self._turn.run(lambda: Deferred.fromCoroutine(give_up())))

    def start(self, launch: Launch, progress: Callable[[Progress], None]) -> Deferred[Address]:
        """As Engine says. It waits while the engine is being opened."""

        async def start() -> Address:
            if not self._open:
                # A visitor is quicker than the end of what a killed giestack has left.
                await self._turn.run(_nothing)
            return await self._start(self._admit(launch), progress)

        return Deferred.fromCoroutine(start())

    def answered(self, session_id: str) -> None:
        """As Engine says: nobody waits here."""

    def stop(self, session_id: str, grace: float) -> Deferred[None]:
        """As Engine says; asked again, the shorter grace holds."""
        session = self._sessions.get(session_id)
        if session is None:
            return succeed(None)
        gone: Deferred[None] = Deferred()
        session.waiting.append(gone)
        session.stopping = True
        if session.program is not None and session.program.running:
            session.program.stop(grace)
        else:
            self._remove(session)
        return gone

    def sessions(self) -> Deferred[Sequence[Found]]:
        """As Engine says."""
        return succeed(self._found())

    def logs(self, session_id: str, tail: int) -> Deferred[Sequence[str]]:
        """As Engine says."""
        session = self._sessions.get(session_id)
        return succeed([] if session is None else session.output.tail(tail))

    def follow(
        self, session_id: str, tail: int, line: Callable[[str], None], end: Callable[[], None]
    ) -> Callable[[], None]:
        """As Engine says."""
        session = self._sessions.get(session_id)
        if session is None:
            end()
            return _nothing
        return session.output.follow(tail, line, end)

    def stats(self, session_id: str) -> Deferred[Stats | None]:
        """As Engine says. Memory that processes share is counted once."""
        session = self._sessions.get(session_id)
        if session is None or session.program is None or not session.program.running:
            return succeed(None)
        return self._usage.of(session.program.pid)

    def troubles(self, profiles: Sequence[Profile]) -> Deferred[Sequence[str]]:
        """As Engine says."""
        return self._in_thread(self._preparing.troubles, profiles)

    def _take_up(self) -> None:
        self._folders.open()
        try:
            sweep(self._family)
            self._folders.clear()
        except OSError as error:
            self._folders.close()
            raise EngineError(
                f"{error.filename} cannot be removed: {error.strerror}. Remove it by hand."
            ) from None

    def _found(self) -> list[Found]:
        return [Found(session.launch, session.address) for session in self._sessions.values()]

    def _admit(self, launch: Launch) -> _Session:
        if not self._open:
            raise EngineError(self._trouble or f"The engine “{self.name}” is not running.")
        if not _ID.fullmatch(launch.session_id):
            raise EngineError("The id of a session has lower-case letters and digits.")
        if launch.session_id in self._sessions:
            raise EngineError(f"There is a session {launch.session_id} already.")
        port = None
        if not uses_socket(launch.profile):
            taken = [one.port for one in self._sessions.values() if one.port is not None]
            port = claim_port(launch.profile.port, taken)
        session = _Session(launch, port, Output(hiding(secret_values(launch))))
        self._sessions[launch.session_id] = session
        return session

    async def _start(self, session: _Session, progress: Callable[[Progress], None]) -> Address:
        progress(Progress("creating", "Making the folders"))
        prepared: Prepared = await self._one_by_one(session, self._prepare, session)
        if session.stopping:
            raise EngineError("The session was stopped while it started.")
        progress(Progress("starting", "Starting the program"))
        program = Program(self._clock, session.output.received)
        try:
            program.start(
                self._reactor, prepared.command, prepared.environment, prepared.options, NICE
            )
        except OSError as error:
            raise EngineError(f"No process can be started: {error.strerror}.") from None
        session.program, session.address = program, prepared.address
        program.ended.addCallback(self._program_ended, session, program)
        return prepared.address

    def _program_ended(self, status: int, session: _Session, program: Program) -> None:
        session.address = None
        self._usage.forget(program.pid)
        # The reaper may have been killed, or not have been quick enough.
        mark = session_mark(self._family, session.launch.session_id)
        swept = self._one_by_one(session, self._in_thread, sweep, mark, SESSION_VARIABLE)
        swept.addErrback(self._unexpected)
        swept.addCallback(lambda _: self._session_ended(session, status))

    def _session_ended(self, session: _Session, status: int) -> None:
        session.output.close()
        if session.stopping:
            self._remove(session)
        else:
            session.port = None
            self._ended(session.launch.session_id, ended_of(status))

    def _remove(self, session: _Session) -> None:
        if session.removing:
            return
        session.removing = True
        remove, session_id = self._folders.remove, session.launch.session_id
        removed = self._one_by_one(session, self._in_thread, remove, session_id)
        removed.addBoth(self._removed, session)

    def _removed(self, result: Failure | None, session: _Session) -> None:
        waiting, session.waiting = session.waiting, []
        if isinstance(result, Failure):
            # It stays, and can be stopped again.
            session.removing = False
        else:
            session.output.close()
            del self._sessions[session.launch.session_id]
        for each in waiting:
            if not each.called:
                each.callback(result)

    def _prepare(self, session: _Session) -> Deferred[Prepared]:
        prepare = self._preparing.prepare
        return self._preparation.run(self._in_thread, prepare, session.launch, session.port)

    def _one_by_one(
        self, session: _Session, work: Callable[..., Deferred[T]], *args: Any
    ) -> Deferred[T]:
        """Do something for a session when what was asked before is done.

        It is done even if the Deferred is cancelled: a thread can't be.
        """
        return apart(session.turn.run(work, *args))

    def _unexpected(self, failure: Failure) -> None:
        self._log.failure("Processes that a session has left were not found", failure)


def _nobody(session_id: str, ended: Ended) -> None:
    """Nobody is told."""


def _nothing() -> None:
    """There is nothing to unsubscribe from."""
