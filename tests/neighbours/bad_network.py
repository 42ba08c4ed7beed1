"""A port whose connections meet with what networks do to them: silence, cuts, no WebSockets."""

import socket
import threading
from collections.abc import Callable

from tests.neighbours.program import CleanUp

_Allowed = Callable[[bytes, socket.socket], bool]

_BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class BadNetwork:
    """A port of 127.0.0.1 that leads to another.

    :ivar port: its number.
    :ivar upgrades: what becomes of requests for WebSockets: ``pass``, ``refuse`` (they are
        answered with 502) or ``drop`` (their connections are closed).
    """

    def __init__(self, test: CleanUp, port: int) -> None:
        """
        :param port: of 127.0.0.1, where it leads to.
        """
        self.upgrades = "pass"
        self._to = port
        self._lock = threading.Lock()
        self._lines: set[_Line] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()
        test.addCleanup(self._end)

    def silence(self) -> None:
        """Have nothing pass any more on the connections that there are; they stay open."""
        for line in self._now():
            line.silent.set()

    def cut(self) -> None:
        """Close the connections that there are."""
        for line in self._now():
            line.close()

    def _now(self) -> list["_Line"]:
        with self._lock:
            return list(self._lines)

    def _end(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._to))
        except OSError:
            client.close()
            return
        line = _Line(client, server)
        with self._lock:
            self._lines.add(line)
        with client, server:
            back = threading.Thread(target=line.copy, args=(server, client), daemon=True)
            back.start()
            # Chromium opens a connection of its own for each WebSocket.
            line.copy(client, server, self._allowed)
            back.join()
        with self._lock:
            self._lines.discard(line)

    def _allowed(self, data: bytes, client: socket.socket) -> bool:
        if self.upgrades == "pass" or b"\r\nupgrade: websocket\r\n" not in data.lower():
            return True
        if self.upgrades == "refuse":
            client.sendall(_BAD_GATEWAY)
        return False


class _Line:
    """A connection and the one that it leads to."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.silent = threading.Event()
        self._both = (client, server)

    def copy(
        self,
        source: socket.socket,
        target: socket.socket,
        allowed: _Allowed | None = None,
    ) -> None:
        try:
            while data := source.recv(65536):
                if allowed is not None and not allowed(data, source):
                    break
                if not self.silent.is_set():
                    target.sendall(data)
        except OSError:
            pass
        self.close()

    def close(self) -> None:
        for one in self._both:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
