"""A stand-in for EtherCalc, with nothing but Python's own library: a sheet that all see.

It answers at its root, and puts ``--basepath`` before every address that it sends. Sheets are kept
while it runs; changes go to everybody over a WebSocket. With a certificate it speaks HTTPS.

    ethercalc_program.py [--port 8000] [--host 127.0.0.1] [--basepath /x] [--cert C --key K]
"""

import argparse
import base64
import hashlib
import json
import secrets
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10

sheets: "dict[str, str]" = {}
watchers: "set[EtherCalc]" = set()
lock = threading.Lock()


class EtherCalc(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    base = ""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/socket.io/"):
            self._talk()
        elif path == "/_new":
            self.send_response(302)
            self.send_header("Location", f"{self.base}/{secrets.token_hex(6)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif path == "/told":
            # Not EtherCalc's own: what has arrived, for tests.
            fields = [list(field) for field in self.headers.items()]
            told = {"path": self.path, "headers": fields, "secure": self._secure}
            self._send(200, json.dumps(told), "application/json")
        elif path == "/":
            self._send(200, f'<title>EtherCalc</title><base href="{self.base}/">', "text/html")
        elif path.startswith("/_/"):
            with lock:
                text = sheets.get(path[3:])
            self._send(404 if text is None else 200, text or "", "text/plain")
        else:
            self._send(200, f"<title>{path[1:]}</title>", "text/html")

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        if self.path.startswith("/_/"):
            self._keep(self.path[3:], body)
            self._send(201, "OK")
        else:
            self._send(404, "There is nothing here")

    @property
    def _secure(self) -> bool:
        return isinstance(self.connection, ssl.SSLSocket)

    def _keep(self, name: str, text: str) -> None:
        with lock:
            sheets[name] = text
            for one in tuple(watchers):
                one.say(json.dumps({"sheet": name, "text": text}))

    def _talk(self) -> None:
        """A WebSocket: each text ``{"sheet": …, "text": …}`` is kept and told to everybody."""
        key = self.headers.get("Sec-WebSocket-Key", "").encode()
        if self.headers.get("Upgrade", "").lower() != "websocket" or not key:
            self._send(400, "This is for WebSockets")
            return
        accept = base64.b64encode(hashlib.sha1(key + _MAGIC).digest()).decode()
        self.close_connection = True
        # Whoever reads the head is told everything from then on.
        with lock:
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.send_header("Sec-WebSocket-Accept", accept)
            self.end_headers()
            watchers.add(self)
        try:
            while self._hear():
                pass
        except (OSError, EOFError):
            pass
        finally:
            with lock:
                watchers.discard(self)

    def _hear(self) -> bool:
        """Read one frame; False when there is to be no other."""
        first, second = self._exactly(2)
        size = second & 0x7F
        if size > 125:
            size = int.from_bytes(self._exactly(2 if size == 126 else 8), "big")
        mask = self._exactly(4) if second & 0x80 else bytes(4)
        data = bytes(b ^ mask[i % 4] for i, b in enumerate(self._exactly(size)))
        sort = first & 0x0F
        if sort == _TEXT:
            told = json.loads(data)
            self._keep(told["sheet"], told["text"])
        elif sort in (_PING, _CLOSE):
            with lock:
                self._frame(_PONG if sort == _PING else _CLOSE, data)
        return sort != _CLOSE

    def say(self, text: str) -> None:
        """Send a text; the lock is held."""
        try:
            self._frame(_TEXT, text.encode())
        except OSError:
            watchers.discard(self)

    def _frame(self, sort: int, data: bytes) -> None:
        if len(data) < 126:
            size = bytes([len(data)])
        elif len(data) < 65536:
            size = b"\x7e" + len(data).to_bytes(2, "big")
        else:
            size = b"\x7f" + len(data).to_bytes(8, "big")
        self.wfile.write(bytes([0x80 | sort]) + size + data)

    def _exactly(self, size: int) -> bytes:
        data = self.rfile.read(size)
        if len(data) < size:
            raise EOFError
        return data

    def _send(self, status: int, text: str, sort: str = "text/plain") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{sort}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""


class Server(ThreadingHTTPServer):
    """Speaks TLS with each connection in that connection's own thread."""

    daemon_threads = True
    context: "ssl.SSLContext | None" = None

    def finish_request(self, request: object, client_address: object) -> None:
        if self.context is not None:
            request = self.context.wrap_socket(request, server_side=True)  # type: ignore[arg-type]
        super().finish_request(request, client_address)  # type: ignore[arg-type]
        if self.context is not None:
            request.close()  # type: ignore[attr-defined]

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not like the certificate goes; that is its own affair."""


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, default=8000)
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--basepath", default="")
    options.add_argument("--cert", default="")
    options.add_argument("--key", default="")
    given = options.parse_args()
    EtherCalc.base = given.basepath.rstrip("/")
    with Server((given.host, given.port), EtherCalc) as server:
        if given.cert:
            server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server.context.load_cert_chain(given.cert, given.key or None)
        print(f"EtherCalc's stand-in listens on port {given.port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
