"""A site of many hosts behind nginx with TLS: Galaxy, tools, sessions, and a neighbour.

Galaxy itself is a stand-in: a page that embeds what it is told, and a login that asks nothing.
"""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.neighbours.backend import Conversation
from tests.neighbours.certificates import certificate
from tests.neighbours.galaxy import new_folder
from tests.neighbours.program import CleanUp, Program

GALAXY = "galaxy.example.org"
BELOW = f"ep.interactivetool.{GALAXY}"
ELSEWHERE = "ep.tools.example.net"
"""Tools that are another site to a browser than Galaxy."""
SESSIONS = "session.example.net"
NEIGHBOUR = f"evil.{BELOW}"
"""Whose pages are the same site as the tools, but not theirs."""

NAMES = "--host-resolver-rules=MAP *.example.org 127.0.0.1, MAP *.example.net 127.0.0.1"

_HEAD = """
daemon off; pid {folder}/pid; error_log stderr warn; worker_processes 1;
events {{ worker_connections 256; }}
http {{
  access_log off; absolute_redirect off; server_names_hash_bucket_size 128;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  ssl_certificate {certificate}; ssl_certificate_key {key};
  map $http_upgrade $to_upgrade {{ default upgrade; "" ""; }}
  proxy_http_version 1.1; proxy_buffering off;
  proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $to_upgrade;
  server {{
    listen 127.0.0.1:{port} ssl; server_name {galaxy}; default_type text/html;
    location = /page {{ return 200 '<title>Galaxy</title>{frames}'; }}
    location = /login/start {{
      add_header Set-Cookie "galaxysession={cookie}; Path=/; HttpOnly; Secure";
      return 302 $arg_redirect;
    }}
    location /interactivetool/ {{ proxy_pass http://127.0.0.1:{giestack}; }}
    location /giestack/ {{ proxy_pass http://127.0.0.1:{giestack}; }}
  }}
  server {{
    listen 127.0.0.1:{port} ssl; server_name *.{below} *.{elsewhere} *.{sessions};
    location / {{ proxy_pass http://127.0.0.1:{giestack}; }}
    location = /plain-cookie {{
      default_type text/plain; add_header Set-Cookie "plain=1; Secure; SameSite=None; Path=/";
      return 200 "cookies: $http_cookie";
    }}
  }}
  server {{
    listen 127.0.0.1:{port} ssl; server_name {neighbour}; default_type text/html;
    location / {{ return 200 '<title>Neighbour</title>'; }}
  }}
}}
"""


class ManyHosts:
    """That nginx.

    ``giestack`` is the port that it passes requests on to, ``cookie`` what logging in gives.

    :ivar port: where it listens, with TLS.
    """

    def __init__(self, test: CleanUp, port: int, giestack: int, cookie: str) -> None:
        folder = new_folder(test)
        signed, key, _ = certificate(folder, "front", hosts=[GALAXY])
        frames = "".join(
            f'<iframe name="{name}" src="$arg_{name}"></iframe>' for name in ("a", "b", "c")
        )
        text = _HEAD.format(
            folder=folder,
            certificate=signed,
            key=key,
            port=port,
            galaxy=GALAXY,
            below=BELOW,
            elsewhere=ELSEWHERE,
            sessions=SESSIONS,
            neighbour=NEIGHBOUR,
            giestack=giestack,
            cookie=cookie,
            frames=frames,
        )
        file = folder / "nginx.conf"
        file.write_text(text)
        self.port = port
        Program(test, ["nginx", "-c", str(file), "-e", "stderr"], folder).until_it_accepts(port)


class _Shown(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_GET(self) -> None:
        self.server.tool.asked.append((self.command, self.path, self.headers["Cookie"] or ""))
        if self.headers["Upgrade"]:
            self._stay_open()
            return
        body = f"<title>Tool</title><h1>A tool</h1><p id=path>{self.path}</p>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        # What a tool that means harm would do.
        for name in ("galaxysession", "giestack", "__Host-giestack", "__Host-giestack-nonce"):
            self.send_header("Set-Cookie", f"{name}=tool; Path=/; Secure")
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.do_GET()

    def _stay_open(self) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        Conversation(self.connection).answer_websocket(f"GET / HTTP/1.1\r\n{lines}".encode())
        self.connection.settimeout(None)
        while self.connection.recv(1024):
            pass
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    tool: "ShownTool"

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that was reset is nothing to speak of."""


class ShownTool:
    """A tool with a page that shows which path was asked for, and WebSockets that stay open.

    :ivar port: where it listens on 127.0.0.1.
    :ivar asked: (method, path, Cookie) of every request.
    """

    def __init__(self, test: CleanUp) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self._server = _Server(("127.0.0.1", 0), _Shown)
        self._server.tool = self
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        test.addCleanup(self._end)

    def _end(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
