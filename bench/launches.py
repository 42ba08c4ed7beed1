"""Launches and removals of small containers by giestack's client: prints their seconds as JSON.

``python -m bench.launches SOCKET IMAGE MARKER COUNT AT_ONCE``. A launch is create, start and
inspect. `bench.launches_docker_py` does the same with docker-py.
"""

import json
import sys
import time
from typing import Any

from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults
from twisted.internet.task import react

from giestack.docker.docker import Docker
from giestack.docker.endpoint import agent_for
from giestack.docker.location import Location


async def _launch(docker: Docker, image: str, name: str) -> float:
    began = time.monotonic()
    body = {
        "Image": image,
        "Cmd": ["sleep", "1000"],
        "ExposedPorts": {"80/tcp": {}},
        "HostConfig": {
            "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]},
            "Memory": 64 * 1024**2,
            "NanoCpus": 10**9,
            "PidsLimit": 64,
        },
    }
    container = await docker.containers.create(name, body)
    await docker.containers.start(container)
    shown = await docker.containers.inspect(container)
    assert shown["NetworkSettings"]["Ports"]["80/tcp"]
    launched = time.monotonic() - began
    await docker.containers.remove(container)
    return launched


async def _main(
    reactor: Any, socket: str, image: str, marker: str, count: str, at_once: str
) -> None:
    docker = Docker(reactor, agent_for(reactor, Location(f"unix://{socket}")))
    await docker.ping()
    semaphore = DeferredSemaphore(int(at_once))

    def launch(number: int) -> Deferred[float]:
        return Deferred.fromCoroutine(_launch(docker, image, f"{marker}-ours-{number}"))

    began = time.monotonic()
    launches = await gatherResults([semaphore.run(launch, n) for n in range(int(count))])
    seconds = time.monotonic() - began
    await docker.close()
    print(json.dumps({"seconds": seconds, "launches": launches}))


if __name__ == "__main__":
    react(lambda reactor, *given: Deferred.fromCoroutine(_main(reactor, *given)), sys.argv[1:])
