"""The fake Docker engine's calls about files of containers, and what is executed in them."""

import base64
import io
import json
import posixpath
import secrets
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.docker.fake_container import Container, File
from tests.docker.fake_http import RAW_STREAM, STREAMED, Answer, Call, Refused

if TYPE_CHECKING:
    from tests.docker.fake_docker import FakeDocker

FOLDERS = ("/", "/bin", "/etc", "/home", "/root", "/run", "/tmp", "/var")


class Files:
    """Files, in containers and in their volumes."""

    def __init__(self, engine: "FakeDocker") -> None:
        self._engine = engine

    def of(self, name: str) -> dict[str, File]:
        """All files of a container by absolute path, those of its volumes too."""
        one = self._engine.containers.find(name)
        found = dict(one.files)
        for mount in one.mounts:
            for path, file in mount.volume.files.items() if mount.volume is not None else ():
                found[posixpath.join(mount.target, path)] = file
        return found

    def put(self, call: Call) -> Answer:
        one, path = self._engine.containers.find(call.target), self._path(call)
        if not self._is_folder(one, path):
            raise Refused(404, f"Could not find the file {path} in container {call.target}")
        for member, file in _members(call.body):
            place = posixpath.normpath(posixpath.join(path, member))
            mount = _mount_of(one, place)
            if mount is None:
                if one.host["ReadonlyRootfs"]:
                    raise Refused(403, "container rootfs is marked read-only")
                one.files[place] = file
            elif mount.volume is not None:
                mount.volume.files[posixpath.relpath(place, mount.target)] = file
        return Answer(200)

    def get(self, call: Call) -> Answer:
        one, path = self._engine.containers.find(call.target), self._path(call)
        files = self.of(call.target)
        below = path.rstrip("/") + "/"
        wanted = {each: file for each, file in files.items() if f"{each}/".startswith(below)}
        if not wanted and not self._is_folder(one, path):
            raise Refused(404, f"Could not find the file {path} in container {call.target}")
        name = posixpath.basename(path.rstrip("/")) or "/"
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            if path not in wanted:
                tar.addfile(_info(name, File(is_folder=True, mode=0o755)))
            for each, file in sorted(wanted.items()):
                inner = posixpath.join(name, posixpath.relpath(each, path))
                tar.addfile(_info(posixpath.normpath(inner), file), io.BytesIO(file.content))
        stat = base64.b64encode(json.dumps({"name": name, "size": 0, "mode": 420}).encode())
        headers = {"X-Docker-Container-Path-Stat": stat.decode()}
        return Answer(200, packed.getvalue(), {**headers, "Content-Type": "application/x-tar"})

    def _path(self, call: Call) -> str:
        path = call.query.get("path", "")
        if not path:
            raise Refused(400, "Bad parameter: path cannot be empty")
        return posixpath.normpath(posixpath.join("/", path))

    def _is_folder(self, one: Container, path: str) -> bool:
        if path in FOLDERS or any(mount.target == path for mount in one.mounts):
            return True
        return any(
            each.startswith(path + "/") or (each == path and file.is_folder)
            for each, file in self.of(one.id).items()
        )


def _members(packed: bytes) -> Sequence[tuple[str, File]]:
    found = []
    try:
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            for one in tar:
                taken = tar.extractfile(one) if one.isfile() else None
                content = taken.read() if taken is not None else b""
                file = File(content, one.mode, one.uid, one.gid, one.linkname, one.isdir())
                found.append((one.name, file))
    except tarfile.TarError as error:
        raise Refused(400, f"archive/tar: {error}") from None
    return found


def _info(name: str, file: File) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.uid, info.gid = len(file.content), file.mode, file.uid, file.gid
    info.type = tarfile.DIRTYPE if file.is_folder else tarfile.REGTYPE
    if file.link:
        info.type, info.linkname = tarfile.SYMTYPE, file.link
    return info


def _mount_of(one: Container, path: str) -> Any:
    found = [
        mount
        for mount in one.mounts
        if path == mount.target or path.startswith(mount.target.rstrip("/") + "/")
    ]
    return max(found, key=lambda mount: len(mount.target), default=None)


@dataclass(slots=True)
class Exec:
    """Something to be executed in a container."""

    container: str
    body: dict[str, Any]
    exit_code: int | None = None


class Execs:
    """What was or is to be executed: ``program exit``, ``print``, ``both``; ``cat``, ``true``."""

    def __init__(self, engine: "FakeDocker") -> None:
        self.all: dict[str, Exec] = {}
        self._engine = engine

    def create(self, call: Call) -> Answer:
        one = self._engine.containers.find(call.target)
        self._check(one, call.target)
        id_ = secrets.token_hex(32)
        self.all[id_] = Exec(one.id, call.json)
        command = " ".join(call.json["Cmd"])
        self._engine.containers.tell(one, f"exec_create: {command}", execID=id_)
        return Answer(201, {"Id": id_})

    def _check(self, one: Container, name: str) -> None:
        if one.status == "paused":
            raise Refused(409, f"Container {name} is paused, unpause the container before exec")
        if not one.running:
            raise Refused(409, f"Container {one.id} is not running")

    def _find(self, id_: str) -> Exec:
        if id_ not in self.all:
            raise Refused(404, f"No such exec instance: {id_}")
        return self.all[id_]

    def start(self, call: Call) -> Answer:
        this = self._find(call.target)
        one = self._engine.containers.find(this.container)
        self._check(one, one.id)
        stream = call.stream(RAW_STREAM, raw=True)
        if this.body["Cmd"] == ["program", "mute"]:
            return STREAMED
        this.exit_code, lines = self._output(one, this.body)
        for source, line in lines:
            if this.body.get("AttachStdout" if source == 1 else "AttachStderr"):
                stream.write(one.framed(source, line))
        self._engine.containers.tell(
            one, "exec_die", execID=call.target, exitCode=str(this.exit_code)
        )
        stream.end()
        return STREAMED

    def _output(self, one: Container, body: dict[str, Any]) -> tuple[int, list[tuple[int, str]]]:
        match body["Cmd"]:
            case ["true"]:
                return 0, []
            case ["program", "exit", status]:
                return int(status), []
            case ["program", "print", *lines]:
                return 0, [(1, line) for line in lines]
            case ["program", "both"]:
                return 0, [(1, "out"), (2, "err")]
            case ["program", "environ"]:
                present = [*(one.config["Env"] or []), *(body.get("Env") or [])]
                return 0, [(1, each) for each in sorted(present)]
            case ["cat", path]:
                file = self._engine.files.of(one.id).get(path)
                if file is None:
                    return 1, [(2, f"cat: can't open '{path}': No such file or directory")]
                return 0, [(1, line) for line in file.content.decode().splitlines()]
            case command:
                text = (
                    "OCI runtime exec failed: exec failed: unable to start container process: "
                    f'exec: "{command[0]}": executable file not found in $PATH: unknown'
                )
                return 126, [(1, text)]

    def inspect(self, call: Call) -> Answer:
        this = self._find(call.target)
        shown = {
            "ID": call.target,
            "Running": this.exit_code is None,
            "ExitCode": this.exit_code,
            "ContainerID": this.container,
            "Pid": 0,
        }
        return Answer(200, shown)
