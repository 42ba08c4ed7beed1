"""The load on a chat: a C program (``bench/chat_load``) that is told what to do line by line."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.processes import LOOPBACK, Failed

SERVER_CORE, LOAD_CORE = 0, 1

_SOURCES = Path(__file__).parent / "chat_load"


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """What is started in a ``with`` block runs on this core only, on machines with several."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core} & before or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def build(folder: Path) -> Path:
    """Compile the program; where it is.

    :raises Failed: where there is no compiler, or it fails.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        raise Failed("there is no C compiler (Debian: apt install gcc libc6-dev)")
    program = folder / "load"
    sources = [str(path) for path in sorted(_SOURCES.glob("*.c"))]
    done = subprocess.run(
        [compiler, "-std=gnu11", "-O2", "-o", str(program), *sources],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Failed(f"{compiler} failed: {done.stderr[-2000:]}")
    return program


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a chat is reached.

    :ivar dialect: ``giechat`` or ``socket.io``.
    :ivar path: of its WebSocket.
    """

    dialect: str
    port: int
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """What became of messages that were said at a rate; each goes to everybody in the room.

    :ivar rate: messages said per second.
    :ivar deliveries: all of them, those of the first half second too.
    :ivar part: which part of the deliveries came before 0.25 s were over after the last message.
    :ivar per_second: deliveries per second.
    :ivar p50: half of the deliveries were made within these ms.
    :ivar p99: 99 of 100 were.
    :ivar stored_p50: half of the messages were acknowledged within these ms; 0: none was.
    :ivar stored_p99: 99 of 100 were.
    :ivar missing: deliveries that have never come, or negative: that have come twice.
    :ivar refused: requests that were refused.
    :ivar gaps: how often somebody was told instead that there is too much to be sent.
    :ivar cpu: part of its core that the load itself has used.
    :ivar late: the latest that a message was said after it was due, ms.
    """

    rate: float
    deliveries: int
    part: float
    per_second: float
    p50: float
    p99: float
    stored_p50: float
    stored_p99: float
    missing: int
    refused: int
    gaps: int
    cpu: float
    late: float


class Load:
    """Clients of one chat, each with another person's cookie; end it with its ``with`` block."""

    def __init__(self, program: Path, target: Target, room: str, cookies: Path) -> None:
        where = (str(target.port), target.path, f"{LOOPBACK}:{target.port}")
        with on_core(LOAD_CORE):
            self._process = subprocess.Popen(
                [str(program), target.dialect, *where, room, str(cookies)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                bufsize=1,
            )

    def __enter__(self) -> "Load":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def open(self, count: int) -> float:
        """Open so many more; the seconds until the chat knew them all."""
        seconds: float = self._tell(f"open {count}")["seconds"]
        return seconds

    def join(self) -> float:
        """Join the room with all of them; the seconds that took."""
        seconds: float = self._tell("join")["seconds"]
        return seconds

    def speak(self, rate: float, seconds: float) -> Spoken:
        """Say so many messages a second for so long, and half a second more before.

        :raises Failed: where a client is closed.
        """
        found = self._tell(f"run {rate:.2f} {seconds}")
        if found["ended"]:
            closed = f"{found['ended']} clients were closed at {rate:.0f} messages/s"
            raise Failed(f"{closed}: {self._last_words()}")
        return Spoken(
            rate=rate,
            deliveries=found["all"],
            part=found["delivered"] / found["expected"],
            per_second=found["delivered"] / seconds,
            p50=found["p50"] / 1e3,
            p99=found["p99"] / 1e3,
            stored_p50=found["stored_p50"] / 1e3,
            stored_p99=found["stored_p99"] / 1e3,
            missing=found["missing"],
            refused=found["refused"],
            gaps=found["gaps"],
            cpu=found["cpu"],
            late=found["late"] / 1e3,
        )

    def ping(self) -> int:
        """Ask every client's connection for a pong; how many were answered."""
        answered: int = self._tell("ping")["answered"]
        return answered

    def close(self) -> None:
        """Close all clients."""
        self._tell("close")

    def _tell(self, line: str) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(f"{line}\n")
            said = self._process.stdout.readline()
        except BrokenPipeError:
            said = ""
        if not said:
            raise Failed(f"the load has ended ({line}): {self._last_words()}")
        answer: dict[str, Any] = json.loads(said)
        return answer

    def _last_words(self) -> str:
        self._process.kill()
        return self._process.communicate()[1][-1000:].strip()
