"""A front between visitors and giestack, that makes of requests what a test wants."""

import socket
from contextlib import suppress
from threading import Thread

from tests.doctor.servers import Asked, Change, Server, read_head
from tests.neighbours.program import CleanUp


class OddFront:
    """A proxy on a port of 127.0.0.1, until the test has ended.

    :ivar port: where it listens.
    :ivar change: what becomes of a request before it goes on.
    :ivar held: whether answers are held back until they are complete.
    """

    def __init__(self, test: CleanUp, backend: int, change: Change, *, held: bool = False) -> None:
        self.change = change
        self.held = held
        self._backend = backend
        self.port = Server(test, self._serve).port

    def _serve(self, client: socket.socket) -> None:
        head, _, early = read_head(client).partition(b"\r\n\r\n")
        asked = Asked(head + b"\r\n\r\n")
        answer = self.change(asked)
        if answer is not None:
            client.sendall(answer)
            return
        if asked.value(b"upgrade") is None:
            asked.put(b"Connection", b"close")
        with socket.create_connection(("127.0.0.1", self._backend), 30) as backend:
            backend.sendall(asked.head + early)
            Thread(target=_pump, args=(client, backend), daemon=True).start()
            data = b""
            while some := backend.recv(65536):
                if self.held:
                    data += some
                else:
                    client.sendall(some)
            client.sendall(data)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while some := source.recv(65536):
            sink.sendall(some)
