"""The proxies that are compared, started as their documentation does, and what is behind them."""

import json
import os
from dataclasses import dataclass
from http.client import HTTPConnection
from importlib.metadata import version

from bench.galaxy import (
    BROWSER,
    PREFIX,
    Galaxy,
    Giestack,
    Tool,
    start_giestack,
    wait_until_it_answers,
)
from bench.node_packages import GX_IT_PROXY, HTTP_PROXY, NodePackages
from bench.processes import LOOPBACK, Failed, Program, Programs, free_ports, said_by

SMALL = bytes(range(256)) * 4
LARGE_SIZE = 10 * 1024 * 1024

GIESTACK, GX, CHP, NGINX = "giestack", "gx-it-proxy", HTTP_PROXY, "nginx"
NAMES = (GIESTACK, GX, CHP, NGINX)

_TOKEN = "bench"

_NGINX = """
daemon off;
worker_processes 1;
worker_rlimit_nofile 16384;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
{user}
events {{ worker_connections 8192; }}
http {{
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
{http}
}}
"""

_FILES = """
  access_log off;
  sendfile on;
  open_file_cache max=100;
  keepalive_requests 100000000;
  keepalive_timeout 1h;
  server {{
    listen {address};
    root {root};
  }}
"""

# A front as one would write it by hand for one tool: a session, the forwarding fields, a log.
_PROXY = """
  access_log {folder}/access.log combined;
  map_hash_bucket_size 256;
  map $cookie_galaxysession $allowed {{ default 0; "{session}" 1; }}
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  upstream files {{ server {files}; keepalive 64; }}
  upstream echo {{ server {echo}; keepalive 64; }}
  server {{
    listen {address};
    client_max_body_size 0;
    proxy_http_version 1.1;
    proxy_read_timeout 1h;
    proxy_set_header Host $http_host;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header X-Forwarded-Port $server_port;
    if ($allowed = 0) {{ return 403; }}
    location {files_path}/ {{ proxy_pass http://files/; }}
    location {echo_path}/ {{ proxy_pass http://echo/; }}
  }}
"""


@dataclass(frozen=True, slots=True)
class Contender:
    """A proxy that runs.

    :ivar port: where it listens.
    :ivar version: for the table.
    """

    name: str
    program: Program
    port: int
    version: str


class Ground:
    """What all proxies stand on: backends, and a Galaxy that has them as tools.

    :ivar headers: what each request carries, alice's session among it.
    :ivar files: the tool that has the files ``1k`` and ``10m``.
    :ivar echo: the tool that sends tunnels back and swallows uploads.
    :ivar giestack: giestack, the one started last.
    """

    def __init__(self, programs: Programs) -> None:
        self.programs = programs
        files_port, echo_port = free_ports(2)
        self.galaxy = Galaxy(
            programs.folder, {"alice running": files_port, "alice path-based, header": echo_port}
        )
        self.headers = {**BROWSER, "Cookie": f"_xsrf=2|c4e1b2a7|0f9d; {self.galaxy.cookie}"}
        self.files, self.echo = self.galaxy.tools.values()
        root = programs.new_folder("root")
        (root / "1k").write_bytes(SMALL)
        (root / "10m").write_bytes(SMALL * (LARGE_SIZE // len(SMALL)))
        _nginx(programs, "files", files_port, _FILES, root=root)
        programs.start_module("bench.echo", str(echo_port), ports=[echo_port])
        self.giestack: Giestack | None = None

    def start(self, name: str, packages: NodePackages | None) -> Contender:
        """Start a proxy, and wait until it gives the right answer.

        :raises Failed: where it does not.
        """
        starts = {GIESTACK: self._giestack, NGINX: self._nginx}
        if name in starts:
            contender = starts[name]()
        else:
            assert packages is not None
            start = self._gx_it_proxy if name == GX else self._http_proxy
            contender = start(packages)
        path = f"{self.files.path}/1k"
        wait_until_it_answers(contender.program, contender.port, path, self.headers, SMALL)
        return contender

    def _giestack(self) -> Contender:
        self.giestack = start_giestack(self.programs, self.galaxy)
        return Contender(GIESTACK, self.giestack.program, self.giestack.port, version("giestack"))

    def _gx_it_proxy(self, packages: NodePackages) -> Contender:
        # As Galaxy's Gravity starts it, but without --verbose.
        (port,) = free_ports(1)
        main = packages.modules / GX_IT_PROXY / "lib" / "main.js"
        options = ("--ip", LOOPBACK, "--port", str(port), "--proxyPathPrefix", PREFIX)
        program = self.programs.start(
            GX,
            (packages.node, main, *options, "--sessions", self.galaxy.session_map),
            ports=[port],
        )
        return Contender(GX, program, port, packages.version(GX_IT_PROXY))

    def _http_proxy(self, packages: NodePackages) -> Contender:
        port, api_port = free_ports(2)
        main = packages.modules / HTTP_PROXY / "bin" / HTTP_PROXY
        listen = ("--ip", LOOPBACK, "--port", str(port))
        api = ("--api-ip", LOOPBACK, "--api-port", str(api_port))
        program = self.programs.start(
            HTTP_PROXY,
            (packages.node, main, *listen, *api, "--no-include-prefix"),
            ports=[port, api_port],
            environment={"CONFIGPROXY_AUTH_TOKEN": _TOKEN},
        )
        for tool in (self.files, self.echo):
            _add_route(api_port, tool)
        return Contender(HTTP_PROXY, program, port, packages.version(HTTP_PROXY))

    def _nginx(self) -> Contender:
        (port,) = free_ports(1)
        program = _nginx(
            self.programs,
            NGINX,
            port,
            _PROXY,
            session=self.galaxy.session,
            files=f"{LOOPBACK}:{self.files.port}",
            echo=f"{LOOPBACK}:{self.echo.port}",
            files_path=self.files.path,
            echo_path=self.echo.path,
        )
        return Contender(NGINX, program, port, said_by("nginx", "-v").rpartition("/")[2])


def _nginx(programs: Programs, name: str, port: int, http: str, **values: object) -> Program:
    folder = programs.new_folder(f"nginx-{name}")
    values |= {"folder": folder, "address": f"{LOOPBACK}:{port}"}
    config = folder / "nginx.conf"
    config.write_text(
        _NGINX.format(
            folder=folder,
            # Its files are in a folder of ours that other users can't read.
            user="user root;" if os.geteuid() == 0 else "",
            http=http.format(**values),
        ),
        encoding="utf-8",
    )
    return programs.start(name, ("nginx", "-c", config), ports=[port])


def _add_route(api_port: int, tool: Tool) -> None:
    connection = HTTPConnection(LOOPBACK, api_port, timeout=10)
    connection.request(
        "POST",
        f"/api/routes{tool.path}",
        json.dumps({"target": f"http://{LOOPBACK}:{tool.port}"}),
        {"Authorization": f"token {_TOKEN}"},
    )
    status = connection.getresponse().status
    connection.close()
    if status != 201:
        raise Failed(f"{HTTP_PROXY} did not take a route ({status})")
