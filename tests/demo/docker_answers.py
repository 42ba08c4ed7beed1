"""Something that answers as a Docker engine does, in a thread of its own until the test ends."""

import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

IMAGE = "giestack/jupyter:demo"


class DockerAnswers:
    """An engine with the demo's image.

    :ivar url: where it listens, as DOCKER_HOST.
    :ivar statuses: what it answers, by path; 404 to everything else.
    """

    def __init__(
        self,
        test: SynchronousTestCase,
        path: Path | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """``path``: of a UNIX socket; without one it is a port of 127.0.0.1."""
        self.statuses = {"/_ping": 200, f"/images/{IMAGE}/json": 200}
        statuses = self.statuses

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(statuses.get(self.path, 404))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def address_string(self) -> str:
                return ""

            def log_message(self, *_: object) -> None:
                pass

        if path is None:
            server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
            self.url = f"tcp://127.0.0.1:{server.server_port}"
        else:
            server = _OnSocket(str(path), Answer)
            self.url = f"unix://{path}"
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        # Those who break off in the middle are part of some tests.
        server.handle_error = lambda *_: None
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        test.addCleanup(thread.join)
        test.addCleanup(server.server_close)
        test.addCleanup(server.shutdown)


class _OnSocket(ThreadingHTTPServer):
    address_family = socket.AF_UNIX

    def __init__(self, path: str, answer: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(path, answer)  # type: ignore[arg-type]

    def server_bind(self) -> None:
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "docker", 0
