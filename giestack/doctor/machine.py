"""Checks of this machine: files, space, limits, ports, versions."""

import os
import re
import resource
import shutil
import socket
import stat
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from giestack.doctor.asking import NoAnswer, Place, ask
from giestack.doctor.check import CannotTell, Check, Finding, fail, ok, warn
from giestack.doctor.deployment import Deployment, place_of
from giestack.doctor.front_door import FrontDoor, NotOurs

GROUP = "this machine"
LITTLE, VERY_LITTLE = 5 * 1024**3, 512 * 1024**2
"""Bytes free at which it is said, and at which it is a failure."""

DESCRIPTORS = 4096
TWISTED = (26, 10)
_UNITS = (("G", 1024**3), ("M", 1024**2))


def checks(deployment: Deployment, umask: int) -> Sequence[Check]:
    """All checks of this group.

    :param umask: of the process that asks.
    """
    look = _Machine(deployment, umask)
    return (
        Check("machine.data_dir", GROUP, "data_dir", look.data_dir),
        Check("machine.space", GROUP, "the space in data_dir", look.space),
        Check("machine.umask", GROUP, "the umask", look.umask),
        Check("machine.descriptors", GROUP, "how many connections may be open", look.descriptors),
        Check("machine.ports", GROUP, "the ports to listen on", look.ports),
        Check("machine.ready", GROUP, "what the running giestack says itself", look.ready),
        Check("machine.python", GROUP, "Python", python),
        Check("machine.packages", GROUP, "Twisted", packages),
    )


class _Machine:
    def __init__(self, deployment: Deployment, umask: int) -> None:
        self._deployment = deployment
        self._settings = deployment.settings
        self._umask = umask

    def data_dir(self) -> Iterator[Finding]:
        folder = self._settings.data_dir
        try:
            mode = stat.S_IMODE(folder.stat().st_mode)
        except FileNotFoundError:
            above = next(path for path in folder.parents if path.exists())
            if os.access(above, os.W_OK):
                yield ok(f"{folder} is not there yet: giestack makes it when it starts")
            else:
                yield fail(
                    f"{folder} can't be made: this user may not write to {above}",
                    f"make it, with mode 0700, for the service's user: install -d -m 0700 {folder}",
                )
            return
        if mode & 0o077:
            yield warn(
                f"{folder} has mode {mode:04o}: others on this machine may look into it",
                f"chmod 0700 {folder}",
            )
        elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            yield fail(f"this user may not write to {folder}", "let it own the folder")
        else:
            yield ok(f"{folder} is for its owner alone")

    def space(self) -> Iterator[Finding]:
        folder = self._settings.data_dir
        there = next(path for path in (folder, *folder.parents) if path.exists())
        yield space(there, "data_dir")

    def umask(self) -> Iterator[Finding]:
        if self._umask & 0o002:
            yield ok(f"the umask is {self._umask:04o}")
        else:
            yield warn(
                f"the umask {self._umask:04o} lets everybody write to new files",
                "set UMask=0027 in the service's unit, and umask 027 in this shell",
            )

    def descriptors(self) -> Iterator[Finding]:
        pid = self._running_pid()
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        whose = "this shell's processes"
        if pid is not None:
            found = _limit_of(pid)
            soft, whose = (found, "the running giestack") if found is not None else (soft, whose)
        if 0 < soft < DESCRIPTORS:
            yield warn(
                f"{whose} may have {soft} files and connections open",
                "set LimitNOFILE=65536 in the service's unit",
            )
        else:
            yield ok(f"{whose} may have {soft} files and connections open")

    def _running_pid(self) -> int | None:
        """The service's process: one whose command line names this configuration."""
        config = self._deployment.config
        for process in Path("/proc").glob("[0-9]*") if config else ():
            try:
                words = os.fsdecode((process / "cmdline").read_bytes()).split("\0")
            except OSError:
                continue
            if "giestack" in words and "doctor" not in words:
                named = (_named_by(process, word.removeprefix("--config=")) for word in words)
                if os.path.realpath(str(config)) in named:
                    return int(process.name)
        return None

    def ports(self) -> Iterator[Finding]:
        for key, endpoint in _endpoints(self._deployment):
            place = place_of(endpoint)
            if place is not None:
                yield self._port(key, endpoint, place)

    def _port(self, key: str, endpoint: str, place: Place) -> Finding:
        ours = _is_admin(place) if key == "admin.listen" else self._is_ours(place)
        if ours is None:
            trouble = _cannot_listen(place)
            if trouble is None:
                return warn(
                    f"nobody listens on {key} {endpoint}: giestack does not run",
                    "start it: systemctl start giestack, or twistd -n giestack --config FILE",
                )
            return fail(
                f"giestack could not listen on {key} {endpoint}: {trouble}",
                "choose another port, or let the service take it (ports below 1024 need "
                "AmbientCapabilities=CAP_NET_BIND_SERVICE)",
            )
        if ours:
            return ok(f"giestack listens on {key} {endpoint}")
        return fail(
            f"another program, or a giestack with another configuration, has {key} {endpoint}",
            f"see who: ss -ltnp 'sport = :{place.port}'; end it, or choose another port",
        )

    def _is_ours(self, place: Place) -> bool | None:
        """Whether this giestack answers there; None: nobody does."""
        try:
            if self._deployment.key is None:
                answer = ask(place, "/", {"Host": "localhost", "Accept": "application/json"})
                return isinstance(answer.json, dict) and "error" in answer.json
            door = FrontDoor(self._deployment, place, "localhost")
            door.here()
        except NotOurs as error:
            return isinstance(error.answer.json, dict) and self._is_chat(place)
        except NoAnswer as error:
            return None if error.refused else False
        return True

    def _is_chat(self, place: Place) -> bool:
        chat = self._settings.chat
        return chat is not None and place in map(place_of, chat.listen)

    def ready(self) -> Iterator[Finding]:
        for endpoint in self._settings.admin.listen:
            place = place_of(endpoint)
            if place is None:
                continue
            try:
                answer = ask(place, "/ready", {"Host": "localhost"})
            except NoAnswer as error:
                if error.refused:
                    return
                raise CannotTell(str(error)) from None
            said = answer.json
            if answer.status == 200:
                yield ok("the running giestack says that it is ready")
            elif isinstance(said, dict) and said.get("error") == "not-ready":
                yield warn(
                    f"the running giestack says that it is not ready: {said.get('message', '')}",
                    "the other lines here and its log say more",
                )
            return


def python() -> Iterator[Finding]:
    """The version of Python."""
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= (3, 11):  # noqa: UP036 - what is checked
        yield ok(f"Python {found}")
    else:
        yield fail(f"Python {found} is too old", "use Python 3.11 or later")


def packages() -> Iterator[Finding]:
    """The version of Twisted, and whether a package is missing that the configuration needs."""
    try:
        told = version("Twisted")
    except PackageNotFoundError:
        yield fail("Twisted is not installed", "pip install giestack")
        return
    numbers = tuple(int(part) for part in re.findall(r"\d+", told)[:2])
    if numbers < TWISTED:
        yield warn(
            f"Twisted {told} has known faults that later ones have not",
            "pip install --upgrade Twisted",
        )
    else:
        yield ok(f"Twisted {told}")


def space(folder: Path, what: str) -> Finding:
    """How much is free where a folder is."""
    free = shutil.disk_usage(folder).free
    told = f"{what}: {_amount(free)} free at {folder}"
    if free < VERY_LITTLE:
        return fail(told, "make room: nothing can be written soon")
    if free < LITTLE:
        return warn(told, "make room, or move it to a larger disk")
    return ok(told)


def _amount(size: int) -> str:
    for unit, factor in _UNITS:
        if size >= factor:
            return f"{size / factor:.0f} {unit}iB"
    return f"{size} bytes"


def _endpoints(deployment: Deployment) -> Iterator[tuple[str, str]]:
    settings = deployment.settings
    lists = {"proxy.listen": settings.proxy.listen, "admin.listen": settings.admin.listen}
    if settings.chat is not None and settings.chat.enabled:
        lists["chat.listen"] = settings.chat.listen
    for key, endpoints in lists.items():
        for endpoint in endpoints:
            yield key, endpoint


def _is_admin(place: Place) -> bool | None:
    try:
        answer = ask(place, "/health", {"Host": "localhost"})
    except NoAnswer as error:
        return None if error.refused else False
    return answer.status == 200 and answer.headers.get("content-type") == "application/json"


def _cannot_listen(place: Place) -> str | None:
    """Why nobody could listen there; None: somebody could."""
    if place.path:
        folder = Path(place.path).parent
        if not folder.is_dir():
            return f"there is no folder {folder}"
        return None if os.access(folder, os.W_OK) else f"this user may not write to {folder}"
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    try:
        with socket.socket(family) as trying:
            trying.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trying.bind((place.host, place.port))
    except OSError as error:
        return error.strerror or type(error).__name__
    return None


def _named_by(process: Path, path: str) -> str:
    """The file that a process means by a path; of other users' only absolute ones are known."""
    try:
        folder = (process / "cwd").readlink()
    except OSError:
        folder = Path("/")
    return os.path.realpath(folder / path)


def _limit_of(pid: int) -> int | None:
    try:
        limits = Path(f"/proc/{pid}/limits").read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(r"Max open files\s+(\d+)", limits)
    return int(found[1]) if found else None
