"""Docker's API as tests use it beside giestack's own client: blocking, one request at a time."""

import base64
import http.client
import ipaddress
import json
import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode


class DockerApi:
    """An engine's UNIX socket.

    :ivar socket: its path.
    """

    def __init__(self, path: Path) -> None:
        self.socket = path

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        data: bytes | Iterable[bytes] | None = None,
        seconds: float = 60,
        auth: str = "",
        as_text: bool = False,
        **query: str,
    ) -> tuple[int, Any]:
        """The status, and the answer: JSON, a list of the lines of a stream of it, or text.

        :param auth: JSON for the registry, as X-Registry-Auth has it.
        :param as_text: the answer is text, whatever it looks like.

        OSError where nobody answers in time.
        """
        connection = _Connection(self.socket, seconds)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if auth:
            headers["X-Registry-Auth"] = base64.urlsafe_b64encode(auth.encode()).decode()
        url = path + (f"?{urlencode(query)}" if query else "")
        try:
            content = json.dumps(body).encode() if body is not None else data
            connection.request(method, url, content, headers)
            response = connection.getresponse()
            answer = response.read()
        except http.client.HTTPException as error:
            raise OSError(f"{method} {path}: {error!r}") from error
        finally:
            connection.close()
        return response.status, answer.decode(errors="replace") if as_text else _parsed(answer)

    def must(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """The answer; AssertionError unless it is a success."""
        status, answer = self.ask(method, path, body, **more)
        assert status < 400, f"{method} {path}: {status} {answer}"
        return answer

    def answers(self) -> bool:
        """Whether the engine is there."""
        try:
            return self.ask("GET", "/_ping", seconds=5)[0] == 200
        except OSError:
            return False

    def has_image(self, tag: str, label: str = "") -> bool:
        """Whether it is there, with that label."""
        status, shown = self.ask("GET", f"/images/{tag}/json")
        name, _, value = label.partition("=")
        return status == 200 and (not label or (shown["Config"]["Labels"] or {}).get(name) == value)

    def import_image(self, tag: str, packed: bytes, changes: Sequence[str]) -> None:
        """Make an image of a tar and lines of a Dockerfile."""
        repository, _, version = tag.rpartition(":")
        query = {"fromSrc": "-", "repo": repository, "tag": version}
        url = f"/images/create?{urlencode([*query.items(), *(('changes', c) for c in changes)])}"
        self.must("POST", url, data=packed)

    def remove_all(self, marker: str = "") -> None:
        """Remove the containers, networks and volumes that have the marker; "": all of them."""
        for one in self.must("GET", "/containers/json", all="1"):
            if _has(one, marker):
                self.ask("DELETE", f"/containers/{one['Id']}", force="1", v="1")
        for one in self.must("GET", "/networks"):
            if one["Name"] not in ("bridge", "host", "none", "podman") and _has(one, marker):
                self.ask("DELETE", f"/networks/{one['Id']}")
        for one in self.must("GET", "/volumes")["Volumes"] or []:
            if _has(one, marker):
                self.ask("DELETE", f"/volumes/{one['Name']}", force="1")

    def left(self, marker: str) -> list[str]:
        """What there is on the engine with the marker in its names or labels, and around it.

        Also mounts whose path has the marker, and docker-proxy processes of this engine's
        networks that belong to no running container.
        """
        containers = self.must("GET", "/containers/json", all="1")
        networks = self.must("GET", "/networks")
        volumes = self.must("GET", "/volumes")["Volumes"] or []
        found = [f"container {one['Names'][0]}" for one in containers if _has(one, marker)]
        found += [f"network {one['Name']}" for one in networks if _has(one, marker)]
        found += [f"volume {one['Name']}" for one in volumes if _has(one, marker)]
        found += [f"mount {path}" for path in mounts() if marker in path]
        return found + [f"docker-proxy for {one}" for one in _proxies(containers, networks)]


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__("docker", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def mounts() -> list[str]:
    """Where something is mounted."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    return [line.split()[4] for line in lines]


def processes() -> list[tuple[int, list[str]]]:
    """Process ids, with the command lines of those that have one."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                line = Path("/proc", name, "cmdline").read_bytes()
            except OSError:
                continue
            found.append((int(name), line.decode(errors="replace").split("\0")[:-1]))
    return found


def _proxies(containers: Sequence[Mapping[str, Any]], networks: Sequence[Any]) -> list[str]:
    """Addresses that docker-proxy processes lead to, and nobody runs at."""
    used = {
        network.get("IPAddress")
        for one in containers
        for network in one["NetworkSettings"]["Networks"].values()
        if one["State"] in ("running", "paused")
    }
    subnets = [each["Subnet"] for one in networks for each in (one["IPAM"]["Config"] or []) if each]
    orphans = []
    for _, words in processes():
        if words and words[0].endswith("docker-proxy") and "-container-ip" in words:
            address = words[words.index("-container-ip") + 1]
            if address not in used and any(_within(address, subnet) for subnet in subnets):
                orphans.append(address)
    return orphans


def _within(address: str, subnet: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(subnet, strict=False)


def _description(one: Mapping[str, Any]) -> str:
    names = one.get("Names") or [one.get("Name", "")]
    labels = [f"{name}={value}" for name, value in (one.get("Labels") or {}).items()]
    return " ".join([*names, *labels])


def _has(one: Mapping[str, Any], marker: str) -> bool:
    return marker in _description(one)


def _parsed(answer: bytes) -> Any:
    try:
        return json.loads(answer) if answer else None
    except ValueError:
        pass
    try:
        return [json.loads(line) for line in answer.splitlines()]
    except ValueError:
        return answer.decode(errors="replace")
