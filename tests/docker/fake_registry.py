"""The registry that the fake Docker engine pulls from."""

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.docker.fake_http import Call

TOOLS_CONFIG = {
    "Cmd": ["program", "listen"],
    "Env": ["PATH=/bin"],
    "ExposedPorts": {"8888/tcp": {}},
    "Labels": {"giestack-test": "tools"},
}


@dataclass(frozen=True, slots=True)
class Pull:
    """What a registry has under a reference, and how it is had from there.

    :ivar layers: bytes of each.
    :ivar seconds: between one message and the next.
    :ivar fails: ends with an error of these words, in a stream that began well.
    :ivar stalls: half of it comes, then nothing more.
    :ivar private: user and password that are wanted.
    """

    layers: Sequence[int] = (1_000_000, 3_000_000)
    seconds: float = 0.0
    fails: str = ""
    stalls: bool = False
    private: tuple[str, str] | None = None
    config: dict[str, Any] = field(default_factory=lambda: dict(TOOLS_CONFIG))

    def messages(self, reference: str) -> Iterator[dict[str, Any]]:
        """All that Docker tells of it while it goes well."""
        yield {"status": f"Pulling from {reference.rpartition(':')[0]}", "id": "1"}
        names = [hashlib.sha256(f"{reference}{n}".encode()).hexdigest()[:12] for n in range(9)]
        layers = list(zip(names, self.layers, strict=False))
        for name, _ in layers:
            yield {"status": "Pulling fs layer", "progressDetail": {}, "id": name}
        for name, size in layers:
            for part in (0.1, 0.4, 0.8, 1.0):
                yield _progress("Downloading", name, part, size)
            yield {"status": "Verifying Checksum", "progressDetail": {}, "id": name}
            yield {"status": "Download complete", "progressDetail": {}, "id": name}
        for name, size in layers:
            for part in (0.5, 1.0):
                yield _progress("Extracting", name, part, size)
            yield {"status": "Pull complete", "progressDetail": {}, "id": name}

    def digest(self, reference: str) -> str:
        """The digest of what it pulls."""
        return "sha256:" + hashlib.sha256(f"{reference}{self.layers}".encode()).hexdigest()


def _progress(status: str, name: str, part: float, size: int) -> dict[str, Any]:
    detail = {"current": int(part * size), "total": size}
    return {"status": status, "progressDetail": detail, "progress": "[=>  ]", "id": name}


def credentials(call: Call) -> tuple[str, str] | None:
    """User and password that come with a pull."""
    value = call.headers.get("x-registry-auth", "")
    try:
        said = json.loads(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)))
        return said["username"], said["password"]
    except (ValueError, KeyError):
        return None
