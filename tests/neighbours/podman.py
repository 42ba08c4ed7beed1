"""A real Podman for tests, with Docker's API on a UNIX socket: one per test process.

It has its folders, its network and its mounts for itself: the ports that its containers publish
are not this machine's.
"""

import atexit
import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from tests.docker.fake_programs import IMAGE
from tests.neighbours.docker_api import DockerApi, mounts
from tests.neighbours.program import eventually
from tests.neighbours.tools_image import have_tools_image

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)

# Names of images are taken as they are; Debian has no "catatonit" beside Podman; an ordinary
# machine may not raise limits beyond what it has itself; crun does not know hybrid control groups.
SETTINGS = """\
[engine]
compat_api_enforce_docker_hub = false
init_path = "{init}"
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
"""

# Whatever it has started ends with it.
APART = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")

# What it keeps outside of its folder it has for itself, too.
SCRIPT = """\
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /var/lib
mount -t tmpfs tmpfs /run
ip link set lo up
exec "$@"
"""


class Podman:
    """A service of Podman.

    :ivar api: to look at it, and to put things there.
    :ivar tools: tag of the image with the program of `tests.docker.fake_programs`.
    """

    def __init__(self) -> None:
        if os.geteuid() != 0:
            raise RuntimeError("Only root may start Podman for the tests")
        podman, init = shutil.which("podman"), shutil.which("docker-init") or shutil.which("tini")
        if podman is None or init is None:
            raise RuntimeError("Podman is not installed (Debian: apt install podman tini)")
        self.folder = folder = Path(tempfile.mkdtemp(prefix="giestack-podman-"))
        self.socket = folder / "p.sock"
        self.url = f"unix://{self.socket}"
        self.api = DockerApi(self.socket)
        self._groups = set(_groups())
        settings = folder / "containers.conf"
        text = SETTINGS.format(init=init)
        if Path("/usr/lib/cni/bridge").exists():
            # Else it would look around on this machine for which of two it is to be.
            text += '[network]\nnetwork_backend = "cni"\n'
        settings.write_text(text, encoding="ascii")
        options = {
            "root": "root",
            "runroot": "run",
            "tmpdir": "tmp",
            "network-config-dir": "net",
        }
        words = [f"--{name}={folder / where}" for name, where in options.items()]
        command = [podman, *words, "--storage-driver=vfs", "system", "service", "--time=0"]
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*APART, "sh", "-c", SCRIPT, "sh", init, "--", *command, self.url],
                env={**os.environ, "CONTAINERS_CONF": str(settings)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=lambda: _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),
            )
        eventually(self._is_ready, "Podman answers")
        self.tools = self._have_tools()

    def _is_ready(self) -> bool:
        log = self._log.read_text(encoding="utf-8", errors="replace")
        assert self._process.poll() is None, f"Podman has ended: {log[-3000:]}"
        return self.api.answers()

    def _have_tools(self) -> str:
        # Podman imports with a tag of its own.
        have_tools_image(self.api)
        repository, _, tag = IMAGE.rpartition(":")
        name = f"localhost/{repository}"
        self.api.must("POST", f"/images/{name}:latest/tag", repo=name, tag=tag)
        return IMAGE

    def end(self) -> None:
        """Remove what it has, and end it."""
        if self._process.poll() is None:
            self.api.remove_all()
            self._process.kill()
            self._process.wait()
        for path in sorted(mounts(), reverse=True):
            if path.startswith(f"{self.folder}/"):
                subprocess.run(["umount", "-l", path], check=False, capture_output=True)
        # What it had started may be gone a moment later than itself.
        for _ in range(40):
            left = set(_groups()) - self._groups
            for group in left:
                _remove(group)
            if not left:
                break
            time.sleep(0.05)
        shutil.rmtree(self.folder, ignore_errors=True)


def _groups() -> list[Path]:
    return list(Path("/sys/fs/cgroup").rglob("libpod_parent"))


def _remove(group: Path) -> None:
    for path, _, _ in os.walk(group, topdown=False):
        try:
            os.rmdir(path)
        except OSError:
            pass  # in use: by what is just ending, or by another Podman


_shared: list[Podman] = []


def podman() -> Podman:
    """This process' Podman, running."""
    if not _shared:
        made = Podman()
        atexit.register(made.end)
        _shared.append(made)
    return _shared[0]
