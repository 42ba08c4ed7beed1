"""A real JupyterLab as Alice's interactive tool, started and ended with the demo."""

import os
import secrets
import site
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorProcess, IReactorTime
from twisted.logger import Logger
from twisted.web.iweb import IAgent

from giestack.demo.folder import DemoFolder
from giestack.demo.host import HostDatabase, Tool
from giestack.demo.jupyter_config import LabPlace, configure, environment, prepare
from giestack.demo.jupyter_probe import LabProbe, OpenToAll
from giestack.demo.lab import HOW_TO_INSTALL, lab_installed
from giestack.demo.session_map import SessionMap, new_token
from giestack.identity.cookie import CookieCodec
from giestack.spawner.process.family import listener_uid, sweep
from giestack.spawner.process.output import Output
from giestack.spawner.process.program import Program

OWNER = "alice"
NO_ISOLATION = (
    "It runs as a process of the user who started the demo, without any isolation: whoever may "
    "use the notebook may do what that user may. Good for trying out, and for nothing else."
)
"""To be said wherever the notebook is offered."""

_READY_SECONDS = 60.0
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
_LONGEST_BACKOFF = 30.0
_TRIES = 5
_LAST_LINES = 20


@dataclass(frozen=True, slots=True)
class LabStatus:
    """How the notebook is.

    :ivar state: ``missing`` where JupyterLab is not installed.
    :ivar text: the same in words.
    """

    state: Literal["stopped", "missing", "starting", "ready", "failed"]
    text: str


def lab_command() -> Sequence[str]:
    """Return the command that starts JupyterLab."""
    return (sys.executable, "-m", "jupyterlab")


class JupyterLab(Service):
    """Runs the server, and tells Galaxy's database and the session map about it.

    Galaxy's own order: the job is queued, it runs, its entry point is configured, and only
    then, when the server answers, it gets a row in the map. A server that ends loses its row
    and is started again, more and more slowly; after five short lives in a row that is all.
    ``prefix`` is where interactive tools by path begin.

    :ivar status: how the notebook is just now.
    """

    _log = Logger()

    def __init__(
        self,
        folder: DemoFolder,
        host: HostDatabase,
        session_map: SessionMap,
        codec: CookieCodec,
        reactor: IReactorProcess,
        clock: IReactorTime,
        agent: IAgent,
        defer_to_thread: Callable[..., Deferred[Any]],
        prefix: str = "/interactivetool/ep",
        *,
        command: Callable[[], Sequence[str]] = lab_command,
        installed: Callable[[], bool] = lab_installed,
    ) -> None:
        self.status = LabStatus("stopped", "JupyterLab is not running")
        self._folder = folder
        self._host = host
        self._map = session_map
        self._codec = codec
        self._reactor = reactor
        self._clock = clock
        self._probe = LabProbe(agent, clock)
        self._defer_to_thread = defer_to_thread
        self._prefix = prefix.rstrip("/")
        self._command = command
        self._installed = installed
        self._program: Program | None = None
        self._output = Output()
        self._pause: tuple[Deferred[None], IDelayedCall] | None = None
        self._life: Deferred[None] = succeed(None)

    def startService(self) -> None:
        """Begin; the notebook is there some seconds later."""
        super().startService()
        self._life = Deferred.fromCoroutine(self._live())

    def stopService(self) -> Deferred[None]:
        """End the server and its kernels; fires when nothing of them is left, in seconds."""
        super().stopService()
        if self._program is not None:
            self._program.stop()
        if self._pause is not None:
            wake, call = self._pause
            call.cancel()
            wake.callback(None)
        return self._life

    async def _live(self) -> None:
        end = "deleted"
        try:
            if not await self._defer_to_thread(self._installed):
                self._say("missing", HOW_TO_INSTALL)
                self._log.warn("{text}. The demo goes on without a notebook.", text=HOW_TO_INSTALL)
                return
            entry_url = await self._defer_to_thread(prepare, self._folder)
            tool: Tool = await self._defer_to_thread(
                self._host.request_tool, OWNER, "JupyterLab", new_token(), entry_url
            )
            if not await self._keep_running(tool):
                end = "error"
        except Exception:
            end = "error"
            self._say("failed", "JupyterLab could not be started")
            self._log.failure("The demo's JupyterLab could not be started")
        await self._clean_up(end)

    async def _keep_running(self, tool: Tool) -> bool:
        """Return when the service is stopped, or with False when trying again is no use."""
        key = self._codec.entry_point_key(tool.entry_point_id)
        backoff, failures = 1.0, 0
        while self.running:
            began = self._clock.seconds()
            if not await self._run_once(tool, key):
                return False
            if not self.running:
                break
            short = self._clock.seconds() - began < _READY_SECONDS
            backoff, failures = (backoff, failures + 1) if short else (1.0, 0)
            if failures >= _TRIES:
                self._say("failed", "JupyterLab ended again and again: see the log")
                self._log.error("JupyterLab is not started again: it ended {n} times", n=failures)
                return False
            await self._wait(backoff)
            backoff = min(2 * backoff, _LONGEST_BACKOFF)
        return True

    async def _run_once(self, tool: Tool, key: str) -> bool:
        """Start the server and wait for its end; False where it must not be started again."""
        place = LabPlace(
            _free_port(),
            f"{self._prefix}/{key}/{tool.token}/",
            f"X-Giestack-Demo-{secrets.token_hex(16)}",
        )
        self._say("starting", "JupyterLab is starting")
        await self._defer_to_thread(configure, self._folder, place, OWNER)
        await self._defer_to_thread(self._host.tool_started, tool)
        if not self.running:
            return True
        program = self._start(tool, place)
        usable = True
        try:
            if await self._until_ready(program, place):
                await self._publish(tool, key, place)
        except OpenToAll:
            usable = False
            self._say("failed", "JupyterLab would let every local user in: it was stopped")
            self._log.error(
                "JupyterLab would let every local user in, whatever its configuration says. "
                "It was stopped, and the demo goes on without it."
            )
            program.stop()
        except Exception:
            program.stop()
            await program.ended
            raise
        status = await program.ended
        self._program = None
        await self._withdraw(tool, key)
        if self.running and usable:
            self._say("failed", "JupyterLab has ended; it will be started again")
            self._log.error(
                "JupyterLab has ended with status {status}. Its last lines:\n{lines}",
                status=status,
                lines="\n".join(self._output.tail(_LAST_LINES)) or "(none)",
            )
        return usable

    def _start(self, tool: Tool, place: LabPlace) -> Program:
        def hide(line: str) -> str:
            return line.replace(tool.token, "…").replace(place.header, "…")

        self._output = Output(hide)
        program = Program(self._clock, self._output.received)
        in_environment = sys.prefix != sys.base_prefix
        program.start(
            self._reactor,
            self._command(),
            environment(
                self._folder,
                os.environ,
                Path(sys.executable),
                Path(sys.prefix) if in_environment else None,
                Path(site.getuserbase()) if site.ENABLE_USER_SITE else None,
            ),
            [f"--folder={self._folder.home}"],
        )
        self._program = program
        return program

    async def _until_ready(self, program: Program, place: LabPlace) -> bool:
        began, pause = self._clock.seconds(), _FIRST_PAUSE
        while program.running and self.running:
            if await self._probe.ready(place):
                uid = await self._defer_to_thread(listener_uid, place.port)
                if uid not in (None, os.geteuid()):
                    raise OpenToAll
                return program.running and bool(self.running)
            if self._clock.seconds() - began > _READY_SECONDS:
                self._log.error("JupyterLab does not answer after {n} s", n=_READY_SECONDS)
                program.stop()
                return False
            await self._wait(pause)
            pause = min(1.5 * pause, _LONGEST_PAUSE)
        return False

    async def _publish(self, tool: Tool, key: str, place: LabPlace) -> None:
        await self._defer_to_thread(
            self._host.tool_configured, tool, "127.0.0.1", place.port, place.header
        )
        await self._defer_to_thread(
            lambda: self._map.save(
                key,
                tool.token,
                "127.0.0.1",
                place.port,
                requires_path_in_url=True,
                requires_path_in_header_named=place.header,
            )
        )
        self._say("ready", f"JupyterLab is ready. {NO_ISOLATION}")
        self._log.info("{owner}'s JupyterLab is ready. {text}", owner=OWNER, text=NO_ISOLATION)

    async def _withdraw(self, tool: Tool, key: str) -> None:
        await self._defer_to_thread(self._map.remove, key)
        await self._defer_to_thread(self._host.tool_queued, tool)
        await self._defer_to_thread(sweep, self._folder.family)

    async def _clean_up(self, state: str) -> None:
        def clean_up() -> None:
            self._map.clear()
            self._host.end_tools(state)
            sweep(self._folder.family)

        try:
            await self._defer_to_thread(clean_up)
        except Exception:
            self._log.failure("What the demo's JupyterLab has left could not be cleaned up")
        if not self.running:
            self._say("stopped", "JupyterLab is not running")

    def _say(
        self, state: Literal["stopped", "missing", "starting", "ready", "failed"], text: str
    ) -> None:
        self.status = LabStatus(state, text)

    async def _wait(self, seconds: float) -> None:
        """Wait, or less when the service is stopped."""
        if not self.running:
            return
        wake: Deferred[None] = Deferred()
        self._pause = wake, self._clock.callLater(seconds, wake.callback, None)
        await wake
        self._pause = None


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
