"""Real programs for tests: started, watched, and ended with the test that started them."""

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

PATIENCE = 60.0
"""Seconds after which a test that waits gives up; the machine may be busy with other things."""

PAUSE, LONGEST_PAUSE = 0.02, 0.1
"""Seconds between two looks at whether something has come."""

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)

T = TypeVar("T")


class CleanUp(Protocol):
    """What is needed of a trial TestCase."""

    def addCleanup(self, function: Callable[[], object]) -> object: ...


def eventually(found: Callable[[], T], what: str, seconds: float = PATIENCE) -> T:
    """Ask again and again until the answer is true, and return it.

    An OSError counts as "not yet". AssertionError when ``seconds`` are over.
    """
    deadline = time.monotonic() + seconds
    pause = PAUSE
    while True:
        try:
            answer = found()
            last = repr(answer)
        except OSError as error:
            answer, last = None, repr(error)
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:g} s (last: {last[:500]})")
        time.sleep(pause)
        # What takes long is asked less often: to ask is work, too.
        pause = min(pause * 1.2, LONGEST_PAUSE)


def allowed(seconds: float) -> float:
    """What may take so many seconds where nobody else is at work takes longer elsewhere."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody else will be given for the next minute.

    A connection that has ended keeps it (TIME_WAIT): the system chooses it for nobody, and
    whoever names it with SO_REUSEADDR, as servers do, can have it.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        with socket.socket() as client:
            client.connect(listener.getsockname())
            accepted, _ = listener.accept()
            # The side that closes first is the one that waits.
            accepted.close()
            client.recv(1)
        port: int = listener.getsockname()[1]
        return port


def accepts(port: int) -> bool:
    """Tell whether somebody takes connections on a port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True


class Program:
    """A program with its output in a file. It and its session end with the test.

    :ivar pid: its process id.
    """

    def __init__(
        self,
        test: CleanUp,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str] | None = None,
        *,
        output: str = "output",
    ) -> None:
        self._output = folder / output
        with self._output.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        self.pid = self._process.pid
        test.addCleanup(self.end)

    @property
    def output(self) -> str:
        """What it has written so far."""
        return self._output.read_text(encoding="utf-8", errors="replace")

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def until(self, found: Callable[[], T], what: str, seconds: float = PATIENCE) -> T:
        """As `eventually`, but give up as soon as the program has ended."""

        def look() -> T:
            assert self.running, f"{what}: it ended: {self.output[-3000:]}"
            return found()

        return eventually(look, what, seconds)

    def until_it_accepts(self, port: int) -> None:
        """Wait until it takes connections."""
        self.until(lambda: accepts(port), f"a listener on port {port}")

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def wait(self, seconds: float = PATIENCE) -> int:
        """Wait until it has ended; return its exit status, negative for a signal's number."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"it has not ended within {seconds:g} s: {self.output[-3000:]}"
            ) from None

    def end(self) -> None:
        """Ask for its end, and see to it."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()

    def memory(self) -> int:
        """Bytes that it has in memory now (RSS)."""
        return self._status("VmRSS")

    def peak_memory(self) -> int:
        """The most bytes that it has had in memory since `forget_peak`."""
        return self._status("VmHWM")

    def forget_peak(self) -> None:
        """Begin to measure `peak_memory` anew (proc(5), clear_refs)."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="ascii")

    def _status(self, name: str) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no {name} of process {self.pid}")


def _die_with_parent() -> None:
    # Tests that are killed must leave nothing behind.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
