"""What a Docker engine of the tests leaves on a machine, and how it goes again."""

import ipaddress
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.neighbours.docker_api import mounts, processes

PREFIX = "giestack-dockerd-"
VARIABLE = "GIESTACK_TEST_DOCKERD"
"""In the environment of all that an engine starts; its value is the name of the folder."""

KEY = Path("/etc/docker/key.json")
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
CGROUPS = Path("/sys/fs/cgroup")


def run(*command: str) -> str:
    """Run a program to its end; what it printed. AssertionError when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}: {done.stderr}"
    return done.stdout


def other_engines() -> list[int]:
    """Process ids of all dockerd that run in this network."""
    own = os.readlink("/proc/self/ns/net")
    found = []
    for pid, words in processes():
        try:
            named = bool(words) and Path(words[0]).name == "dockerd"
            if named and os.readlink(f"/proc/{pid}/ns/net") == own:
                found.append(pid)
        except OSError:
            continue
    return found


def free_network() -> ipaddress.IPv4Network:
    """A network of 256 private addresses that nothing on this machine leads to."""
    taken = [
        ipaddress.ip_network(word, strict=False)
        for line in run("ip", "-4", "route", "show", "table", "all").splitlines()
        for word in line.split()[:2]
        if word[0].isdigit() and not word.startswith("0.")
    ]
    for number in range(254, 128, -1):
        network = ipaddress.IPv4Network(f"10.{number}.0.0/24")
        if not any(network.overlaps(one) for one in taken if one.version == 4):
            return network
    raise AssertionError("no free network for containers")


class Filter:
    """The packet filter as it was, to be had again."""

    def __init__(self) -> None:
        self._forwarding = FORWARDING.read_text(encoding="ascii")
        self._had_key = KEY.exists()
        self._before = {program: _rules(program) for program in ("iptables", "ip6tables")}

    def restore(self) -> None:
        """Remove what engines have added since then."""
        for program, before in self._before.items():
            after = _rules(program)
            added = [one for one in after if one not in before]
            # Rules first, for chains must be empty and unused to go.
            for table, line in added:
                if line.startswith("-A "):
                    subprocess.run(
                        [program, "-w", "-t", table, "-D", *shlex.split(line)[1:]],
                        check=False,
                        capture_output=True,
                    )
            for table, line in added:
                if line.startswith(":"):
                    chain, policy = line[1:].split()[:2]
                    command = ["-P", chain, _policy(before, table, chain)]
                    if policy == "-":
                        command = ["-X", chain]
                    subprocess.run(
                        [program, "-w", "-t", table, *command], check=False, capture_output=True
                    )
        FORWARDING.write_text(self._forwarding, encoding="ascii")
        if not self._had_key:
            KEY.unlink(missing_ok=True)


def _rules(program: str) -> list[tuple[str, str]]:
    """All chains and rules, with their tables; without counters."""
    done = subprocess.run([f"{program}-save"], capture_output=True, text=True, check=False)
    table, found = "", []
    for line in done.stdout.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith(":"):
            found.append((table, line.rpartition(" ")[0]))
        elif line.startswith("-A "):
            found.append((table, line))
    return found


def _policy(before: list[tuple[str, str]], table: str, chain: str) -> str:
    for one, line in before:
        if one == table and line.startswith(f":{chain} "):
            return line.split()[1]
    return "ACCEPT"


def mark(folder: Path, network: ipaddress.IPv4Network) -> None:
    """Say whose an engine's folder is, and what network belongs to it."""
    (folder / "owner").write_text(f"{_identity(os.getpid())} {network}", encoding="ascii")


def sweep() -> None:
    """Remove what test processes have left that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            pid, begun, network = (folder / "owner").read_text(encoding="ascii").split()
        except (OSError, ValueError):
            continue
        if _identity(int(pid)) != f"{pid} {begun}":
            remove_traces(folder, ipaddress.IPv4Network(network))


def remove_traces(folder: Path, network: ipaddress.IPv4Network) -> None:
    """Remove all that an engine with its data in that folder has left, processes first."""
    deadline = time.monotonic() + 20
    while (left := list(_processes_of(folder))) and time.monotonic() < deadline:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.05)
    for path in sorted(mounts(), reverse=True):
        if path.startswith(f"{folder}/"):
            subprocess.run(["umount", "-l", path], check=False, capture_output=True)
    for name in _links(folder, network):
        subprocess.run(["ip", "link", "delete", name], check=False, capture_output=True)
    for group in list(CGROUPS.rglob(folder.name)):
        for path, _, _ in os.walk(group, topdown=False):
            try:
                os.rmdir(path)
            except OSError:
                pass
    shutil.rmtree(folder, ignore_errors=True)


def traces(folder: Path) -> list[str]:
    """What runs and what is mounted of an engine with its data in that folder."""
    found = [f"process {pid}" for pid in _processes_of(folder)]
    return found + [f"mount {path}" for path in mounts() if path.startswith(f"{folder}/")]


def _processes_of(folder: Path) -> Iterator[int]:
    """The engine's own, its docker-proxies, and what runs in its containers."""
    for pid, words in processes():
        if pid == os.getpid() or not words:
            continue
        try:
            group = Path(f"/proc/{pid}/cgroup").read_text(encoding="ascii")
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            continue
        if (
            f"/{folder.name}/" in group
            or f"{VARIABLE}={folder.name}".encode() in environment.split(b"\0")
            or (
                Path(words[0]).name.startswith("containerd")
                and any(folder.name in w for w in words)
            )
        ):
            yield pid


def _links(folder: Path, network: ipaddress.IPv4Network) -> list[str]:
    """Bridges: the engine's own, and those of its containers' networks."""
    try:
        known = (folder / "data" / "network" / "files" / "local-kv.db").read_bytes()
    except OSError:
        known = b""
    found = []
    for line in run("ip", "-o", "-4", "address").splitlines():
        words = line.split()
        ours = words[1].startswith("br-") and words[1][3:].encode() in known
        if ours or ipaddress.ip_interface(words[3]).ip in network:
            found.append(words[1])
    return found


def _identity(pid: int) -> str:
    """A process id with the time of its beginning: others may get its number later."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return f"{pid} {stat.rpartition(')')[2].split()[19]}"
