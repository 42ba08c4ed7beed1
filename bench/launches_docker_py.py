"""The same as `bench.launches` with docker-py in threads, run by a Python that has it."""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import docker


def _launch(client: docker.APIClient, image: str, name: str) -> float:
    began = time.monotonic()
    host_config = client.create_host_config(
        port_bindings={80: ("127.0.0.1", None)},
        mem_limit=64 * 1024**2,
        nano_cpus=10**9,
        pids_limit=64,
    )
    container = client.create_container(
        image, ["sleep", "1000"], name=name, ports=[80], host_config=host_config
    )["Id"]
    client.start(container)
    shown = client.inspect_container(container)
    assert shown["NetworkSettings"]["Ports"]["80/tcp"]
    launched = time.monotonic() - began
    client.remove_container(container, force=True)
    return launched


def _main(socket: str, image: str, marker: str, count: str, at_once: str) -> None:
    client = docker.APIClient(f"unix://{socket}", version="auto", num_pools=int(at_once))
    began = time.monotonic()
    with ThreadPoolExecutor(int(at_once)) as threads:
        waiting = [
            threads.submit(_launch, client, image, f"{marker}-docker-py-{number}")
            for number in range(int(count))
        ]
        launches = [each.result() for each in waiting]
    print(json.dumps({"seconds": time.monotonic() - began, "launches": launches}))


if __name__ == "__main__":
    _main(*sys.argv[1:])
