"""The backend of the WebSocket and upload measurements: ``python -m bench.echo PORT``.

It sends back what comes through a tunnel, and swallows bodies and says how long they were. It
must not be the bottleneck, so it reads no frames: to a proxy they are just bytes.
"""

import base64
import hashlib
import select
import socket
import sys

from bench.processes import LOOPBACK

_WEBSOCKET_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3


class Connection:
    """A connection from a proxy."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._tunnel = False
        self._head = b""
        self._length = 0
        self._left = 0

    def readable(self, room: memoryview) -> bool:
        """Read what is there; False when the other side has closed."""
        try:
            count = self.socket.recv_into(room)
            if not count:
                return False
            if self._tunnel:
                self.socket.send(room[:count])
            elif self._left:
                self._swallow(count)
            else:
                self._read_head(bytes(room[:count]))
        except ConnectionError:
            return False
        return True

    def _read_head(self, data: bytes) -> None:
        self._head += data
        head, end, body = self._head.partition(b"\r\n\r\n")
        if not end:
            return
        self._head = b""
        lines = (line.partition(b":") for line in head.split(b"\r\n")[1:])
        fields = {name.strip().lower(): value.strip() for name, _, value in lines}
        key = fields.get(b"sec-websocket-key")
        if key is not None:
            self._tunnel = True
            accept = base64.b64encode(hashlib.sha1(key + _WEBSOCKET_MAGIC).digest())
            self.socket.send(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Accept: %b\r\n\r\n" % accept
            )
            return
        self._length = self._left = int(fields.get(b"content-length", b"0"))
        self._swallow(len(body))

    def _swallow(self, count: int) -> None:
        self._left -= count
        if self._left == 0:
            text = b"%d" % self._length
            self.socket.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text))


def serve(port: int) -> None:
    """Serve until the process is ended."""
    listener = socket.create_server((LOOPBACK, port), backlog=4096)
    listener.setblocking(False)
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    connections: dict[int, Connection] = {}
    room = memoryview(bytearray(1024 * 1024))
    while True:
        for number, _ in poll.poll():
            if number == listener.fileno():
                taken, _ = listener.accept()
                taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connections[taken.fileno()] = Connection(taken)
                poll.register(taken, select.EPOLLIN)
            elif not connections[number].readable(room):
                poll.unregister(number)
                connections.pop(number).socket.close()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
