"""Interactive Environments as Galaxy's own code tells of them, which it still has: maps and API."""

import json
import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.galaxy.server import HOME
from tests.neighbours.backend import Mirror
from tests.neighbours.galaxy import ALICE, BOB, Galaxy, cookie
from tests.neighbours.giestack import Giestack

PYTHON = HOME / "bin" / "python"
PATH = "/gie_proxy/jupyter/ipython/tree"
KEY = "s3cret-key"

# Reads JSON: what to be, the visitor's cookie, the port of their container.
TELL = """
import json, sys
from types import SimpleNamespace
from galaxy.web import proxy

told = json.loads(sys.argv[1])
cookie = proxy.AuthenticationToken(SimpleNamespace(get_cookie=lambda name: told["cookie"]))
ipc = proxy.proxy_ipc(SimpleNamespace(
    dynamic_proxy=told["kind"],
    proxy_session_map=told["map"],
    dynamic_proxy_bind_port=told["bind_port"],
    dynamic_proxy_golang_api_key=told["key"],
))
if told["update"]:
    ipc.update_requests(cookie, host="127.0.0.1", port=told["port"])
else:
    requests = proxy.ProxyRequests("127.0.0.1", told["port"])
    ipc.handle_requests(cookie, requests, "/jupyter", ["abc"], None)
"""


class EnvironmentTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.galaxy = Galaxy(self)
        self.mirror = Mirror(self)
        self.maps = {s: self.galaxy.folder / f"session_map.{s}" for s in ("sqlite", "json", "xml")}
        proxy = {
            "session_maps": [str(path) for path in self.maps.values()],
            "go_api": {"api_key": KEY},
        }
        self.giestack = Giestack(self, self.galaxy, {"proxy": proxy})

    def tell(self, kind: str, session_map: Path, who: str, port: int, update: bool = False) -> None:
        """Have Galaxy's code tell where a visitor's container listens."""
        told = {
            "kind": kind,
            "map": str(session_map),
            "cookie": cookie(who),
            "port": port,
            "update": update,
            "bind_port": self.giestack.port,
            "key": KEY,
        }
        subprocess.run([PYTHON, "-c", TELL, json.dumps(told)], check=True, timeout=120)

    def test_maps(self) -> None:
        for who, kind in ((ALICE, "sqlite"), (BOB, "json")):
            self.tell("node", self.maps[kind], who, -8888)
            self.giestack.until_it_answers(PATH, 502, cookie=cookie(who))
            self.tell("node", self.maps[kind], who, self.mirror.port, update=True)
            told = self.giestack.until_it_answers(PATH, 200, cookie=cookie(who)).json
            self.assertEqual(told["path"], PATH)

    def test_the_go_api(self) -> None:
        self.tell("golang", self.maps["xml"], ALICE, self.mirror.port)
        self.assertEqual(self.giestack.ask(PATH, cookie=cookie(ALICE)).json["path"], PATH)
        [route] = self.giestack.ask(f"/api?api_key={KEY}").json
        self.assertEqual((route["FrontendPath"], route["ContainerIds"]), ("/jupyter", ["abc"]))
