"""Real Docker engines for tests.

`docker` is the one that a whole test process shares. It is started when the first test asks for
it and ends with the process. It has its folders, its bridge, its addresses and its control group
for itself; where another engine runs on this machine, it leaves the packet filter to that one.
With ``GIESTACK_TEST_DOCKER_HOST=unix:///…`` the engine there is used instead.

A `Dockerd` of one's own may be stopped, killed and started again.
"""

import atexit
import ctypes
import fcntl
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.neighbours import docker_traces
from tests.neighbours.certificates import certificate
from tests.neighbours.docker_api import DockerApi
from tests.neighbours.docker_traces import (
    PREFIX,
    Filter,
    free_network,
    mark,
    other_engines,
    remove_traces,
    run,
    sweep,
    traces,
)
from tests.neighbours.program import accepts, eventually, free_port
from tests.neighbours.tools_image import have_tools_image

VARIABLE = "GIESTACK_TEST_DOCKER_HOST"
PATIENCE = 60.0
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class Tls:
    """An engine behind mutual TLS.

    :ivar url: as DOCKER_HOST.
    :ivar ca: who has signed the engine's certificate, and must have signed its clients'.
    """

    url: str
    ca: Path
    cert: Path
    key: Path


class Engine:
    """An engine that runs.

    :ivar api: to look at it, and to put things there.
    :ivar isolates: whether its networks can keep containers apart; where the packet filter is
        another engine's they can not.
    """

    def __init__(self, socket: Path, *, isolates: bool = True) -> None:
        self.api = DockerApi(socket)
        self.socket = socket
        self.url = f"unix://{socket}"
        self.isolates = isolates

    @cached_property
    def tools(self) -> str:
        """The tag of the image with the program of `tests.docker.fake_programs`."""
        return have_tools_image(self.api)

    @property
    def tls(self) -> Tls:
        """The same engine through mutual TLS."""
        raise NotImplementedError


class Dockerd(Engine):
    """An engine of one's own. `start` it, and `end` it in any case."""

    def __init__(self, **settings: object) -> None:
        """``settings`` are those of its ``daemon.json``, with _ for -."""
        self._settings = {name.replace("_", "-"): value for name, value in settings.items()}
        # Its name becomes that of a namespace of containerd, which may not have every character.
        self.folder = Path(tempfile.gettempdir(), f"{PREFIX}{secrets.token_hex(4)}")
        self.folder.mkdir(0o700)
        with _alone():
            self._filter = None if other_engines() else Filter()
            self._network = free_network()
            self._bridge = f"gst{os.getpid()}-{self._network.network_address.packed[1]}"[:15]
            run("ip", "link", "add", "name", self._bridge, "type", "bridge")
            first = next(self._network.hosts())
            run("ip", "address", "add", f"{first}/24", "dev", self._bridge)
            run("ip", "link", "set", self._bridge, "up")
        super().__init__(self.folder / "d.sock", isolates=self._filter is not None)
        mark(self.folder, self._network)
        ca, _, signer = certificate(self.folder, "ca")
        cert, key, _ = certificate(self.folder, "cert", signer)
        self._port = free_port()
        self._tls = Tls(f"tcp://127.0.0.1:{self._port}", ca, cert, key)
        self._process: subprocess.Popen[bytes] | None = None
        self._log = self.folder / "log"

    @property
    def tls(self) -> Tls:
        return self._tls

    @property
    def pid(self) -> int:
        """Of dockerd, while it runs."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> "Dockerd":
        """Start it, and wait until it answers."""
        folder, tls = self.folder, self._tls
        (folder / "daemon.json").write_text(json.dumps(self._settings), encoding="ascii")
        # Another engine on this machine may share its containerd with this one, which takes
        # letters and digits, with single marks between them.
        namespace = folder.name.replace("_", "0")
        # Never --default-address-pool: with it, each further start deletes docker0, whosever it is.
        command = [
            "dockerd",
            f"--config-file={folder}/daemon.json",
            f"--data-root={folder}/data",
            f"--exec-root={folder}/exec",
            f"--pidfile={folder}/pid",
            f"--host=unix://{self.socket}",
            f"--host={tls.url}",
            "--tlsverify",
            f"--tlscacert={tls.ca}",
            f"--tlscert={tls.cert}",
            f"--tlskey={tls.key}",
            f"--bridge={self._bridge}",
            f"--cgroup-parent={self.folder.name}",
            "--exec-opt=native.cgroupdriver=cgroupfs",
            # Another engine on this machine may share its containerd with this one.
            f"--containerd-namespace={namespace}",
            f"--containerd-plugins-namespace={namespace}-plugins",
            f"--iptables={'true' if self.isolates else 'false'}",
            "--shutdown-timeout=2",
        ]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, docker_traces.VARIABLE: folder.name},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        eventually(self._is_ready, "a Docker engine that answers", PATIENCE)
        return self

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"dockerd has ended: {self.log[-3000:]}"
        return self.api.answers() and accepts(self._port)

    @property
    def log(self) -> str:
        """What it has written so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def stop(self) -> None:
        """End it as a system does; its containers end, too."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once; its containers go on, as orphans."""
        self._signal(signal.SIGKILL)
        # Its containerd dies with it, but an idle init may leave it about as a zombie, which
        # the next dockerd would take for one that lives.
        number = self.folder / "exec" / "containerd" / "containerd.pid"
        if number.exists():
            stat = Path(f"/proc/{number.read_text(encoding='ascii')}/stat")
            eventually(lambda: _is_dead(stat), "containerd's end")
            number.unlink()

    def _signal(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def end(self) -> None:
        """Stop it, and remove all that it has left on this machine."""
        if self._process is not None and self.api.answers():
            self.api.remove_all()
        self.stop()
        with _alone():
            remove_traces(self.folder, self._network)
            if self._filter is not None and not other_engines():
                self._filter.restore()

    def left(self) -> list[str]:
        """Processes and mounts of it that there are; when it has ended: none."""
        return traces(self.folder)


class _Reused(Engine):
    """Somebody else's engine."""

    @cached_property
    def tls(self) -> Tls:
        folder = Path(tempfile.mkdtemp(prefix="giestack-tls-"))
        ca, _, signer = certificate(folder, "ca")
        cert, key, _ = certificate(folder, "cert", signer)
        port = free_port()
        front = Path(__file__).with_name("tls_front.py")
        process = subprocess.Popen(
            [sys.executable, front, self.socket, str(port), ca, cert, key],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )

        def end() -> None:
            process.kill()
            process.wait()
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()

        atexit.register(end)
        eventually(lambda: accepts(port), "mutual TLS in front of the engine")
        return Tls(f"tcp://127.0.0.1:{port}", ca, cert, key)


_shared: list[Engine] = []


def docker() -> Engine:
    """This process' engine, running."""
    if not _shared:
        url = os.environ.get(VARIABLE, "")
        if url:
            assert url.startswith("unix://"), f"{VARIABLE} must be unix://…, not {url}"
            _shared.append(_Reused(Path(url.removeprefix("unix://"))))
        else:
            if os.geteuid() != 0:
                raise RuntimeError(
                    f"Only root may start a Docker engine; {VARIABLE}=unix:///… uses one that runs"
                )
            # It ends with the thread that has started it.
            assert threading.current_thread() is threading.main_thread()
            sweep()
            engine = Dockerd()
            atexit.register(engine.end)
            _shared.append(engine.start())
    return _shared[0]


class _alone:
    """Only one test process at a time changes this machine's network."""

    def __enter__(self) -> None:
        self._file = open("/tmp/giestack-test-docker.lock", "w", encoding="ascii")
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _is_dead(stat: Path) -> bool:
    try:
        return stat.read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def _end_with_parent() -> None:
    # A test process that is killed must not leave an engine behind. SIGTERM, so that it ends
    # its containers.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
