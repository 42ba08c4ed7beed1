"""JupyterHub with DockerSpawner and configurable-http-proxy, as its makers document them."""

import json
import secrets
import subprocess
import sys
import time
from http.client import HTTPConnection, HTTPException
from ipaddress import ip_network
from itertools import count
from pathlib import Path
from typing import Any

from bench.node_packages import HTTP_PROXY, NodePackages
from bench.processes import LOOPBACK, Failed, Programs, free_ports, wait_for
from bench.site import PATIENCE
from tests.neighbours.docker_api import DockerApi

VERSIONS = {"jupyterhub": "6.1.1", "dockerspawner": "14.0.0"}
_FOLDER = Path(__file__).parents[1] / ".prepared" / "jupyterhub"
_USER = "alice"
_POLL = 0.02

# The container is limited and mounted as giestack's is; so is what it may do.
_CONFIG = """\
c = get_config()
c.JupyterHub.bind_url = "http://{address}:{port}"
c.JupyterHub.hub_ip = "{gateway}"
c.JupyterHub.hub_port = {hub_port}
c.JupyterHub.db_url = "sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{folder}/cookie_secret"
c.JupyterHub.allow_named_servers = True
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allowed_users = {{"{user}"}}
c.JupyterHub.services = [{{"name": "bench", "api_token": "{token}"}}]
c.JupyterHub.load_roles = [
    {{
        "name": "bench",
        "scopes": ["admin:users", "admin:servers", "access:servers"],
        "services": ["bench"],
    }}
]
c.ConfigurableHTTPProxy.command = {proxy}
c.ConfigurableHTTPProxy.api_url = "http://{address}:{api_port}"
c.JupyterHub.spawner_class = "dockerspawner.DockerSpawner"
c.DockerSpawner.image = "{image}"
c.DockerSpawner.cmd = ["jupyterhub-singleuser"]
c.DockerSpawner.prefix = "{marker}"
c.DockerSpawner.start_timeout = c.DockerSpawner.http_timeout = 180
c.DockerSpawner.remove = True
c.DockerSpawner.mem_limit = "{memory}"
c.DockerSpawner.cpu_limit = {cpus}
c.DockerSpawner.volumes = {{"{marker}-hub-{{username}}": "/home/jovyan"}}
c.DockerSpawner.extra_host_config = {{
    "init": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges"], "pids_limit": 512,
}}
"""


def install() -> Path:
    """Install what is missing, and say what; the Python that has it.

    :raises Failed: where pip fails.
    """
    python = _FOLDER / "bin" / "python"
    wanted = [f"{name}=={version}" for name, version in VERSIONS.items()]
    stamp = _FOLDER / "-".join(wanted)
    if not stamp.exists():
        print(f"==> installing from PyPI into .prepared/jupyterhub: {' '.join(wanted)}", flush=True)
        _run(sys.executable, "-m", "venv", str(_FOLDER))
        _run(str(python), "-m", "pip", "install", "--quiet", *wanted)
        stamp.touch()
    return python


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{' '.join(command)} failed: {done.stderr[-2000:].strip()}")


class Hub:
    """A JupyterHub whose one user may have many servers.

    ``marker`` is in the names of all containers and volumes; ``profile`` has the limits.
    """

    def __init__(
        self,
        programs: Programs,
        python: Path,
        packages: NodePackages,
        engine: DockerApi,
        marker: str,
        profile: dict[str, Any],
    ) -> None:
        self._port, hub_port, api_port = free_ports(3)
        self._token = secrets.token_hex(16)
        self._numbers = count(1)
        folder = programs.new_folder("jupyterhub")
        config = folder / "jupyterhub_config.py"
        proxy = packages.modules / HTTP_PROXY / "bin" / HTTP_PROXY
        (bridge,) = engine.must("GET", "/networks/bridge")["IPAM"]["Config"]
        config.write_text(
            _CONFIG.format(
                address=LOOPBACK,
                port=self._port,
                gateway=bridge.get("Gateway") or ip_network(bridge["Subnet"])[1],
                hub_port=hub_port,
                api_port=api_port,
                folder=folder,
                user=_USER,
                token=self._token,
                proxy=json.dumps([str(packages.node), str(proxy)]),
                image=profile["image"],
                memory=profile["memory"],
                cpus=profile["cpus"],
                marker=marker,
            ),
            encoding="utf-8",
        )
        program = programs.start(
            "jupyterhub",
            (python, "-m", "jupyterhub", "-f", config, "--log-level=WARN"),
            environment={"DOCKER_HOST": f"unix://{engine.socket}"},
        )
        self._users = f"/hub/api/users/{_USER}"
        wait_for(lambda: self._ask("GET", "/hub/api/")[0] == 200, "JupyterHub", PATIENCE, program)
        self._ask("POST", self._users)

    def start(self) -> float:
        """Ask for a server; return the seconds until JupyterLab's page was there."""
        name = f"s{next(self._numbers)}"
        began = time.monotonic()
        status, body = self._ask("POST", f"{self._users}/servers/{name}")
        if status == 202:
            self._until_ready(name)
        elif status != 201:
            raise Failed(f"JupyterHub refused a server ({status}): {body[:500]!r}")
        status, body = self._ask("GET", f"/user/{_USER}/{name}/lab")
        if status != 200:
            raise Failed(f"JupyterHub's page is answered with {status}: {body[:500]!r}")
        return time.monotonic() - began

    def clear(self) -> None:
        """Stop all servers, and forget them."""
        for name in self._servers():
            self._ask("DELETE", f"{self._users}/servers/{name}", {"remove": True})
        wait_for(lambda: not self._servers(), "the end of JupyterHub's servers", PATIENCE)

    def _until_ready(self, name: str) -> None:
        """Wait for a server as its page does."""
        connection = HTTPConnection(LOOPBACK, self._port, timeout=PATIENCE)
        connection.request("GET", f"{self._users}/servers/{name}/progress", headers=self._headers())
        for line in connection.getresponse():
            if line.startswith(b"data:"):
                moment = json.loads(line[5:])
                if moment.get("failed"):
                    raise Failed(f"a server of JupyterHub has failed: {moment}")
                if moment.get("ready"):
                    connection.close()
                    return
        raise Failed("JupyterHub does not say any more how a server is")

    def _servers(self) -> list[str]:
        found = json.loads(self._ask("GET", self._users)[1])["servers"]
        return [name for name, one in found.items() if one["ready"] or one["pending"]]

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"token {self._token}"}

    def _ask(self, method: str, path: str, given: object = None) -> tuple[int, bytes]:
        """Status and body; (0, b"") where nobody listens."""
        connection = HTTPConnection(LOOPBACK, self._port, timeout=PATIENCE)
        body = None if given is None else json.dumps(given)
        try:
            connection.request(method, path, body, self._headers())
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, HTTPException):
            return 0, b""
        finally:
            connection.close()
