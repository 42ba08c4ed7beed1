"""Programs that a run starts: their ports, their ends, and what they cost."""

import ctypes
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import FrameType, TracebackType

LOOPBACK = "127.0.0.1"

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class Failed(Exception):
    """The run can't go on; the text says why, in words for a person."""


class Program:
    """A program under way, with the family that it has started itself.

    :ivar name: what to call it in messages.
    :ivar pid: its process id; also the id of its family's session.
    """

    def __init__(self, name: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.name = name
        self.pid = process.pid
        self._process = process
        self._log = log
        self._ended = False

    def cpu(self) -> float:
        """Seconds of CPU, user and system, that the family has used so far."""
        return sum(int(stat[11]) + int(stat[12]) for stat in self._stats()) / _TICK

    def memory(self) -> int:
        """Bytes of the family in memory (RSS)."""
        return sum(int(stat[21]) for stat in self._stats()) * _PAGE

    def descriptors(self) -> Counter[str]:
        """What the program itself has open, by kind: ``socket``, ``file``, ``pipe``, …"""
        kinds: Counter[str] = Counter()
        folder = f"/proc/{self.pid}/fd"
        for number in os.listdir(folder):
            try:
                target = os.readlink(f"{folder}/{number}")
            except FileNotFoundError:
                continue
            kinds["file" if target.startswith("/") else target.partition(":")[0]] += 1
        return kinds

    def must_run(self) -> None:
        """Make sure that the program has not ended by itself.

        :raises Failed: with its last words.
        """
        if self._process.poll() is not None:
            raise Failed(f"{self.name} has ended ({self._process.returncode}): {self.last_words()}")

    def last_words(self) -> str:
        """The end of what the program has said."""
        return self._log.read_text(errors="replace")[-2000:].strip()

    def kill(self) -> None:
        """End the family at once, as an accident would."""
        self._kill_family()
        self._process.wait()

    def end(self, seconds: float = 10) -> int:
        """Ask the program to end, and make it end when ``seconds`` are over; its exit status."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                pass
        self._kill_family()
        return self._process.wait()

    def _kill_family(self) -> None:
        # Only once: later the number may be somebody else's.
        if not self._ended:
            self._ended = True
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def _stats(self) -> list[list[bytes]]:
        """Fields 3 and later of /proc/PID/stat (proc(5)) of everybody in the session."""
        self.must_run()
        stats = []
        for process in os.listdir("/proc"):
            if process.isdigit():
                try:
                    with open(f"/proc/{process}/stat", "rb") as file:
                        stat = file.read().rpartition(b")")[2].split()
                except (FileNotFoundError, ProcessLookupError):
                    continue
                if int(stat[3]) == self.pid:
                    stats.append(stat)
        return stats


class Programs:
    """Starts programs; all of them end with the ``with`` block, however that ends.

    :ivar folder: for their files; it goes with them.
    """

    def __init__(self) -> None:
        self.folder = Path()
        self._running: list[Program] = []

    def __enter__(self) -> "Programs":
        for number in _ENDINGS:
            signal.signal(number, _end)
        # Thousands of tunnels need two descriptors each; programs inherit the limit.
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.folder = Path(tempfile.mkdtemp(prefix="giestack-bench-"))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number in (signal.SIGINT, *_ENDINGS):
            signal.signal(number, signal.SIG_IGN)
        for program in reversed(self._running):
            program.end()
        shutil.rmtree(self.folder, ignore_errors=True)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in _ENDINGS:
            signal.signal(number, signal.SIG_DFL)

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        ports: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
    ) -> Program:
        """Start a program and wait until all its ports can be connected to.

        :raises Failed: where it ends instead, or takes more than 30 s.
        """
        log = self.folder / f"{name}.log"
        with open(log, "ab") as out:
            try:
                process = subprocess.Popen(
                    [str(word) for word in command],
                    cwd=self.folder,
                    env={**_environment(), **(environment or {})},
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,
                    preexec_fn=_die_with_parent,
                )
            except FileNotFoundError as error:
                raise Failed(f"{command[0]} is not installed") from error
        program = Program(name, process, log)
        self._running.append(program)
        for port in ports:
            wait_for(partial(_listens, port), f"{name} to listen", 30, program)
        return program

    def start_module(self, module: str, *arguments: str, ports: Sequence[int] = ()) -> Program:
        """Start a Python module of this repository, as `start` does."""
        command = (sys.executable, "-m", module, *arguments)
        return self.start(module, command, ports=ports)

    def new_folder(self, name: str) -> Path:
        """An empty folder with a name of its own that begins with ``name``."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nobody listens on."""
    sockets = [socket.create_server((LOOPBACK, 0)) for _ in range(count)]
    ports: list[int] = [taken.getsockname()[1] for taken in sockets]
    for taken in sockets:
        taken.close()
    return ports


def wait_for(
    ready: Callable[[], bool], what: str, seconds: float, program: Program | None = None
) -> None:
    """Look every 20 ms whether something has come true.

    :raises Failed: when ``seconds`` are over, or ``program`` has ended.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if program is not None:
            program.must_run()
        if time.monotonic() > deadline:
            said = f": {program.last_words()}" if program is not None else ""
            raise Failed(f"waited {seconds} s for {what}{said}")
        time.sleep(0.02)


def settle(program: Program, seconds: float) -> int:
    """Wait until the program's memory has not changed for 2 s; bytes of it then.

    ``seconds`` is the longest wait.
    """
    deadline = time.monotonic() + seconds
    since, memory = time.monotonic(), program.memory()
    while time.monotonic() < min(since + 2, deadline):
        time.sleep(0.1)
        now = program.memory()
        if now != memory:
            since, memory = time.monotonic(), now
    return memory


def busy(seconds: float) -> float:
    """The part of the machine's CPU, 0 to 1, that is used by whomever during so many seconds."""
    before = _cpu_times()
    time.sleep(seconds)
    spent = [after - then for after, then in zip(_cpu_times(), before, strict=True)]
    # Fields 4 and 5 of proc(5)'s /proc/stat: nothing to do, and waiting for disks.
    return 1 - sum(spent[3:5]) / max(sum(spent), 1)


def _cpu_times() -> list[int]:
    with open("/proc/stat", encoding="ascii") as file:
        # Those of guests are part of the others.
        return [int(field) for field in file.readline().split()[1:9]]


def beside_python(name: str) -> Path:
    """A program that came with the Python environment that runs this."""
    return Path(sys.executable).with_name(name)


def said_by(*command: str | Path) -> str:
    """Run a short program to its end, and return what it has printed.

    :raises Failed: where it is not installed.
    """
    try:
        done = subprocess.run(
            command, env=_environment(), capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise Failed(f"{command[0]} is not installed") from error
    return (done.stdout or done.stderr).strip()


def _listens(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), 1).close()
    except OSError:
        return False
    return True


def _environment() -> dict[str, str]:
    """The environment, without what would configure giestack behind our back."""
    foreign = ("GIESTACK_", "GALAXY_CONFIG", "CONFIGPROXY_", "NODE_OPTIONS", "PYTHON")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    # Where Debian has nginx; it is not on everybody's path.
    kept["PATH"] = kept.get("PATH", os.defpath) + ":/usr/sbin"
    return {**kept, "PYTHONPATH": str(Path(__file__).parents[1])}


def _die_with_parent() -> None:
    # A run that is killed must not leave servers behind.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
