"""A port whose connections can be held up amid large answers."""

import select
import socket
import threading

from tests.neighbours.program import CleanUp


class HeldPort:
    """A port of 127.0.0.1 that leads to another.

    While it is held, each connection gets so many bytes, and no more.

    :ivar port: its number.
    :ivar waiting: how many connections wait just now.
    """

    def __init__(self, test: CleanUp, port: int, most: int) -> None:
        """
        :param port: of 127.0.0.1, where it leads to.
        :param most: bytes that a connection gets while it is held.
        """
        self.waiting = 0
        self._to = port
        self._most = most
        self._lock = threading.Lock()
        self._go = threading.Event()
        self._go.set()
        self._cut = threading.Event()
        self._ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        test.addCleanup(self._end)

    def hold(self) -> None:
        """Hold up all connections, also later ones."""
        self._go.clear()

    def let_go(self) -> None:
        """Hold up nobody any more."""
        self._go.set()

    def cut(self) -> None:
        """Close the connections that wait."""
        self._cut.set()
        self._go.set()

    def _end(self) -> None:
        self._ended.set()
        self._go.set()
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            if _readable(self._listener):
                client, _ = self._listener.accept()
                thread = threading.Thread(target=self._forward, args=(client,))
                self._threads.append(thread)
                thread.start()

    def _forward(self, client: socket.socket) -> None:
        with client, socket.socket() as server:
            if server.connect_ex(("127.0.0.1", self._to)):
                return
            given, pairs = 0, {client: server, server: client}
            while not self._ended.is_set():
                for source in select.select(list(pairs), [], [], 0.1)[0]:
                    if source is server and given > self._most and not self._pass(client):
                        return
                    try:
                        data = source.recv(65536)
                        pairs[source].sendall(data)
                    except OSError:
                        return
                    if not data:
                        return
                    given += len(data) if source is server else 0

    def _pass(self, client: socket.socket) -> bool:
        """Wait until more may pass; whether the client has waited for it."""
        self._count(1)
        try:
            while not self._go.wait(0.02):
                if _readable(client, 0.0) and not client.recv(1, socket.MSG_PEEK):
                    return False
            return not self._ended.is_set() and not self._cut.is_set()
        except OSError:
            return False
        finally:
            self._count(-1)

    def _count(self, number: int) -> None:
        with self._lock:
            self.waiting += number


def _readable(connection: socket.socket, seconds: float = 0.1) -> bool:
    return bool(select.select([connection], [], [], seconds)[0])
