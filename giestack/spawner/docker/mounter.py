"""Puts folders of the host into running containers, as a program of its own that root runs.

Each line of standard input is a request, a JSON object, and each line of standard output the
answer to one of them, whichever is done first. The end of standard input, also by the death of
whoever holds it, is the end of this program. A request has

``id``
    what the answer carries, too;
``pid``, ``container``
    a process of a container, and the container's id, which must be in that process' cgroup;
``mounts``
    objects with a ``source``, a folder of this host; a ``target`` in the container, where
    something is mounted already; ``read_only``; ``filled``: whether to refuse an empty source;
    ``made``: what to carry over, as the answer to a rehearsal had it;
``folder``, ``files``
    where to put which files (a map from names to texts), as a path of this host;
``secrets``, ``rehearse``
    true: nothing is changed for those inside, but everything is tried out: the sources must be
    what is mounted there already, and ``folder`` what is at the path ``secrets`` inside.

An answer has ``error``, a text, and ``reason``, a word, where the request was not carried out;
that to a rehearsal has ``made``: for each mount what is there and was not in the image.

What was mounted at the target is gone afterwards, and whoever's working folder was there finds
itself in the new one (pivot_root(2) does that to all processes); where files are open below it,
that is refused as ``busy``. No program or library of a container is loaded.

Each request is carried out by a process of its own, which ends with all that it has entered.
"""

import json
import os
import re
import select
import signal
from collections.abc import Mapping
from typing import Any, NoReturn

from giestack.spawner.docker.carrying import carry, made_since, put_files
from giestack.spawner.docker.mounts import (
    FOLDER,
    Refused,
    bare,
    clone,
    enter,
    place_inside,
    replace,
)


def main() -> int:
    """Answer requests until there can be no more."""
    # Nobody else's mask for the files that are put and carried.
    os.umask(0)
    # By pipe: the child that writes its answer there, the request's id, and what has come.
    works: dict[int, tuple[int, object, bytearray]] = {}
    poll = select.poll()
    poll.register(0, select.POLLIN)
    rest = b""
    while True:
        for number, _ in poll.poll():
            data = os.read(number, 65536)
            if number == 0:
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    request = _read(line)
                    child, pipe = _begin(request)
                    works[pipe] = child, request.get("id"), bytearray()
                    poll.register(pipe, select.POLLIN)
                if not data:
                    for child, _, _ in works.values():
                        os.kill(child, signal.SIGKILL)
                    return 0
            elif data:
                works[number][2].extend(data)
            else:
                poll.unregister(number)
                _finish(number, *works.pop(number))


def _read(line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except ValueError:
        request = None
    return request if isinstance(request, dict) else {}


def _begin(request: Mapping[str, Any]) -> tuple[int, int]:
    theirs, ours = os.pipe()
    child = os.fork()
    if not child:
        _serve(request, ours)
    os.close(ours)
    return child, theirs


def _finish(pipe: int, child: int, request_id: object, said: bytearray) -> None:
    os.close(pipe)
    os.waitpid(child, 0)
    found = _read(bytes(said)) or {"reason": "failed", "error": "The mounter was killed."}
    _write(1, json.dumps({"id": request_id, **found}).encode() + b"\n")


def _write(number: int, data: bytes) -> None:
    while data:
        data = data[os.write(number, data) :]


def _serve(request: Mapping[str, Any], pipe: int) -> NoReturn:  # pragma: no cover
    """Carry a request out; nothing that measures coverage survives that."""
    try:
        _write(pipe, json.dumps({"done": True, **answer(request)}).encode())
    finally:
        os._exit(0)


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """Carry a request out, which takes this process where it does not come back from."""
    try:
        return carry_out(request)
    except Refused as refused:
        return {"reason": refused.reason, "error": str(refused)}
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return {"reason": "failed", "error": f"{where}{error.strerror}"}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {"reason": "failed", "error": "The request is not understood."}


def carry_out(request: Mapping[str, Any]) -> dict[str, Any]:
    """Do what a request says; return the answer."""
    rehearse, mounts = request.get("rehearse") is True, request.get("mounts", [])
    namespace = namespace_of(int(request["pid"]), request["container"])
    folder, secrets = request.get("folder", ""), request.get("secrets", "")
    held = os.open(folder, FOLDER | os.O_NOFOLLOW) if folder else -1
    if not rehearse:
        put_files(held, request.get("files", {}))
    trees = [_source(mount) for mount in mounts]
    root = enter(namespace)
    if rehearse and folder:
        _expect_same(held, place_inside(root, secrets), secrets)
    made = []
    for mount, tree in zip(mounts, trees, strict=True):
        path = mount["target"]
        target = place_inside(root, path)
        if rehearse:
            _expect_same(tree, target, path)
            made.append(made_since(target, place_inside(bare(root), path)))
        elif not mount.get("read_only"):
            carry(mount.get("made", []), target, tree)
        replace(tree, target, path)
        os.fchdir(root)
        os.chroot(".")
    return {"made": made} if rehearse else {}


def namespace_of(pid: int, container: str) -> int:
    """Open the mount namespace of a container's process."""
    if not re.fullmatch("[0-9a-f]{64}", container):
        raise ValueError(container)
    try:
        # Whoever gets the number next is not in the folder that is open.
        process = os.open(f"/proc/{pid}", os.O_PATH | os.O_DIRECTORY)
        with open(os.open("cgroup", os.O_RDONLY, dir_fd=process), encoding="utf-8") as file:
            if not names_container(file.read(), container):
                raise Refused("foreign", f"Process {pid} is none of the container's.")
        namespace = os.open("ns/mnt", os.O_RDONLY | os.O_CLOEXEC, dir_fd=process)
    except (FileNotFoundError, ProcessLookupError):
        raise Refused("gone", f"There is no process {pid} here.") from None
    if os.path.samestat(os.fstat(namespace), os.stat("/proc/self/ns/mnt")):
        raise Refused("foreign", "The container has no mount namespace of its own.")
    return namespace


def names_container(cgroups: str, container: str) -> bool:
    """Whether the text of ``/proc/PID/cgroup`` tells of a container's process."""
    parts = re.split("[/:\n]", cgroups)
    return any(part == container or part.endswith(f"-{container}.scope") for part in parts)


def _source(mount: Mapping[str, Any]) -> int:
    source = mount["source"]
    tree = clone(source, mount.get("read_only") is True)
    held = os.open(".", FOLDER, dir_fd=tree)
    if mount.get("filled") and not os.listdir(held):
        raise Refused("empty", f"{source} is empty.")
    os.close(held)
    return tree


def _expect_same(ours: int, theirs: int, path: str) -> None:
    if not os.path.samestat(os.fstat(ours), os.fstat(theirs)):
        raise Refused("foreign", f"{path} in the container is none of this host's folders.")
