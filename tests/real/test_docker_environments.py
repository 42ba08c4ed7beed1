"""The Go API and a real Docker engine: a container that nobody uses is killed."""

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.neighbours.docker import docker
from tests.neighbours.galaxy import ALICE, Galaxy, cookie
from tests.neighbours.giestack import Giestack
from tests.neighbours.program import eventually

KEY = "s3cret-key"
PATH = "/gie_proxy/jupyter/tree"


class IdleTests(SynchronousTestCase):
    def container(self) -> tuple[str, int]:
        """Start a container as Galaxy does; its id, and its port on 127.0.0.1."""
        engine = docker()
        body = {
            "Image": engine.tools,
            "HostConfig": {"PortBindings": {"8888/tcp": [{"HostIp": "127.0.0.1"}]}},
        }
        made = engine.api.must("POST", "/containers/create", body)["Id"]
        self.addCleanup(engine.api.ask, "DELETE", f"/containers/{made}", force="1", v="1")
        engine.api.must("POST", f"/containers/{made}/start")
        ports = self.state(made)["NetworkSettings"]["Ports"]
        return made, int(ports["8888/tcp"][0]["HostPort"])

    def state(self, container: str) -> Any:
        return docker().api.must("GET", f"/containers/{container}/json")

    def test_a_container_that_nobody_uses_is_killed(self) -> None:
        galaxy = Galaxy(self)
        container, port = self.container()
        file = galaxy.folder / "session_map.xml"
        engine = {"api_key": KEY, "docker_host": docker().url, "clean_interval": 0.2}
        long, short = engine | {"noaccess": 3600}, engine | {"noaccess": 0.5}
        giestack = Giestack(self, galaxy, {"proxy": {"session_maps": [str(file)], "go_api": long}})
        route = {
            "FrontendPath": "/jupyter",
            "BackendAddr": f"127.0.0.1:{port}",
            "AuthorizedCookie": cookie(ALICE),
            # One that has gone does not matter.
            "ContainerIds": ["0" * 64, container],
        }
        url = f"/api?api_key={KEY}"
        self.assertEqual(giestack.ask(url, body=json.dumps(route).encode()).status, 200)
        answer = giestack.until_it_answers(PATH, 200, cookie=cookie(ALICE))
        self.assertIn(f"here is {PATH}".encode(), answer.body)
        eventually(file.exists, "the file")
        self.assertTrue(self.state(container)["State"]["Running"])

        giestack.reload({"proxy": {"go_api": short}})
        eventually(lambda: not self.state(container)["State"]["Running"], "the container's end")
        self.assertEqual(self.state(container)["State"]["ExitCode"], 137)
        giestack.until_it_answers(PATH, 404, cookie=cookie(ALICE))
        self.assertEqual(giestack.ask(url).json, [])
        eventually(lambda: container not in file.read_text(), "a file without it")
        self.assertIn(f"killed {'0' * 64}, {container}", giestack.program.output)
        audit = giestack.files / "var" / "audit.jsonl"
        eventually(lambda: container[:40] in audit.read_text(), "a line in the audit log")
        self.assertNotIn(cookie(ALICE), giestack.program.output + audit.read_text())
