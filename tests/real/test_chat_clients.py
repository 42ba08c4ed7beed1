"""Chat's WebSockets on real sockets: foreign clients, silent ones, greedy ones."""

import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import which
from typing import Any

from twisted.internet import reactor as trials_reactor  # noqa: TID251 - real sockets
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.ssl import DefaultOpenSSLContextFactory
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from giestack.access import Policy
from giestack.chat.edge import Edge
from giestack.chat.outlet import Batch, Outlet
from giestack.gate import Gate
from giestack.proxy.decision import Refuse, Request
from giestack.proxy.endpoints import Endpoints
from giestack.proxy.front import Front, Limits
from giestack.proxy.head import GuardedNames
from giestack.proxy.pool import Pool
from giestack.routing.chat_paths import in_chat_alone
from giestack.visitor import Anonymous, Identity, Refused, Visitor
from tests.chat.web_sockets import ALICE, CLOSE, frame
from tests.neighbours.certificates import certificate
from tests.neighbours.chat_client import LIMIT
from tests.neighbours.program import PATIENCE

NEIGHBOURS = Path(__file__).parents[1] / "neighbours"
# Where Debian's package node-ws is.
NODE_MODULES = "/usr/share/nodejs"

SEEN = {
    "subprotocol": "giechat.v1.json",
    "extensions": 0,
    "hello": "hello alice",
    "echo": True,
    "fragments": True,
    "largest": True,
    "binary": ["err", "bad"],
    "pong": True,
    "closed": 1000,
    "too large": 1009,
    "restart": [1012, "as asked"],
    "banned": [4403, "as asked"],
    "failure": [1011, "something went wrong here"],
    "nobody": [4401, "not logged in"],
    "no subprotocol": 400,
    "foreign": 403,
}
"""What every client sees."""

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Cookie: galaxysession=alice\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: giechat.v1.json\r\n\r\n"
)


class Echo:
    """A conversation that sends everything back."""

    def __init__(self, chat: "EchoChat", outlet: Outlet) -> None:
        self.outlet = outlet
        self.told: list[str] = []
        self._chat = chat

    def received(self, data: bytes) -> None:
        if data.startswith(b"close "):
            self.outlet.close(int(data[6:]), "as asked")
        elif data == b"fail":
            raise ZeroDivisionError
        elif data == b"flood":
            # More than all buffers between two sockets take.
            self.outlet.send(Batch([b"x" * 1000] * 32000))
        else:
            self.outlet.send(Batch([data]))

    def pause(self) -> None:
        self._tell("pause")

    def resume(self) -> None:
        self._tell("resume")

    def gone(self) -> None:
        self._tell("gone")

    def _tell(self, what: str) -> None:
        self.told.append(what)
        self._chat.happened()


class EchoChat:
    """A chat in which everybody talks to themselves.

    :ivar talks: all conversations so far.
    """

    def __init__(self) -> None:
        self.talks: list[Echo] = []
        self._waiting: list[tuple[Callable[[], object], Deferred[None]]] = []

    def arrive(self, visitor: Identity | Anonymous | None, outlet: Outlet) -> Echo | None:
        if not isinstance(visitor, Identity):
            outlet.close(4401, "not logged in")
            return None
        outlet.send(Batch([f"hello {visitor.username}".encode()]))
        talk = Echo(self, outlet)
        self.talks.append(talk)
        self.happened()
        return talk

    def until(self, found: Callable[[], object]) -> Deferred[None]:
        """Wait until something that talks are told makes this true."""
        waiting: Deferred[None] = Deferred()
        waiting.addTimeout(PATIENCE, trials_reactor)
        self._waiting.append((found, waiting))
        self.happened()
        return waiting

    def happened(self) -> None:
        due = [one for one in self._waiting if one[0]()]
        self._waiting = [one for one in self._waiting if one not in due]
        for _, waiting in due:
            waiting.callback(None)


def check(cookies: tuple[bytes, ...], remote_user: str | None = None) -> Visitor:
    """A session check that knows one cookie."""
    return ALICE if cookies == (b"alice",) else Refused("no session")


class ClientTests(TestCase):
    timeout = 3 * PATIENCE

    def setUp(self) -> None:
        reactor: Any = trials_reactor
        self.chat = EchoChat()
        self.edge = Edge(reactor, self.chat.arrive, lambda visitor, cut: lambda: None, frame=LIMIT)
        self.edge.start()
        self.addCleanup(self.edge.stop)
        self.front = Front(
            reactor,
            decide=Gate(in_chat_alone, check, lambda key, visitor: "other", Policy(chat=True)),
            pool=Pool(reactor, Endpoints(reactor, 5)),
            local=None,  # type: ignore[arg-type]
            refusal_page=self.page,
            hold=lambda visitor, cut: lambda: None,
            watch=self,
            guarded=GuardedNames(),
            limits=Limits(),
            trusted=frozenset(),
            take_over=lambda decision, request: self.edge.socket(decision.visitor),
        )
        self.front.start()
        self.addCleanup(self.front.stop)
        self.finished = lambda exchange, peer: None
        self.port = self.listening(reactor.listenTCP(0, self.front, interface="127.0.0.1"))

    def page(self, refuse: Refuse, request: Request) -> tuple[bytes, bytes]:
        return b"", refuse.code.encode()

    def listening(self, port: IListeningPort) -> int:
        self.addCleanup(port.stopListening)
        return port.getHost().port  # type: ignore[attr-defined]

    async def seen_by(self, *command: str) -> object:
        environment = {**os.environ, "PYTHONPATH": str(NEIGHBOURS.parents[1])}
        environment["NODE_PATH"] = NODE_MODULES
        out, err, status = await getProcessOutputAndValue(command[0], command[1:], environment)
        self.assertEqual(status, 0, err.decode())
        return json.loads(out)

    async def seen_by_websockets(self, url: str) -> object:
        return await self.seen_by(sys.executable, "-m", "tests.neighbours.chat_client", url)

    async def all_gone(self) -> None:
        """Wait until nobody is there any more."""
        while self.front.connections or len(self.edge.pulse):
            await deferLater(trials_reactor, 0.01)
        self.assertEqual(self.front.handed_over, 0)
        self.assertEqual(
            [talk.told.count("gone") for talk in self.chat.talks], [1] * len(self.chat.talks)
        )

    def talk_to(self, *sent: bytes) -> socket.socket:
        """A client by hand; for threads."""
        client = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        client.sendall(HANDSHAKE + b"".join(sent))
        return client

    def read_until(self, client: socket.socket, end: bytes) -> bytes:
        """All that a client by hand is sent up to this; for threads."""
        data = b""
        while not data.endswith(end):
            more = client.recv(65536)
            assert more, data[-100:]
            data += more
        return data

    async def test_websockets(self) -> None:
        url = f"ws://127.0.0.1:{self.port}/ws"
        self.assertEqual(await self.seen_by_websockets(url), SEEN)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        await self.all_gone()

    async def test_node(self) -> None:
        program = str(NEIGHBOURS / "chat_client.js")
        url = f"ws://127.0.0.1:{self.port}/ws"
        node = which("node") or which("nodejs")
        assert node is not None
        self.assertEqual(await self.seen_by(node, program, url), SEEN)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        await self.all_gone()

    async def test_tls(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        chain, key, _ = certificate(folder, "chat")
        secure = DefaultOpenSSLContextFactory(str(key), str(chain))
        reactor: Any = trials_reactor
        port = self.listening(reactor.listenSSL(0, self.front, secure, interface="127.0.0.1"))
        url = f"wss://127.0.0.1:{port}/ws"
        self.assertEqual(await self.seen_by_websockets(url), SEEN)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        await self.all_gone()

    async def test_nothing_waits_for_more_to_send(self) -> None:
        client = await deferToThread(self.talk_to)
        await self.chat.until(lambda: self.chat.talks)
        transport = self.chat.talks[0].outlet.transport  # type: ignore[attr-defined]
        self.assertTrue(transport.getTcpNoDelay())
        client.close()
        await self.all_gone()

    async def test_one_who_reads_slowly(self) -> None:
        client = await deferToThread(self.talk_to, frame(b"flood"))
        await self.chat.until(lambda: self.chat.talks and self.chat.talks[0].told)
        self.assertEqual(self.chat.talks[0].told, ["pause"])

        def read_on() -> None:
            while "resume" not in self.chat.talks[0].told:
                client.recv(1 << 20)

        reading = deferToThread(read_on)
        await self.chat.until(lambda: "resume" in self.chat.talks[0].told)
        client.sendall(frame(b"", CLOSE))
        await reading
        client.close()
        await self.all_gone()

    async def test_one_who_has_said_all(self) -> None:
        def read_all() -> bytes:
            client = self.talk_to(frame(b"hi"))
            client.shutdown(socket.SHUT_WR)
            data = b""
            while more := client.recv(65536):
                data += more
            client.close()
            return data

        data = await deferToThread(read_all)
        self.assertTrue(data.startswith(b"HTTP/1.1 101 "))
        await self.all_gone()

    async def test_a_crowd_that_comes_and_goes(self) -> None:
        def crowd(ends: bytes) -> None:
            clients = [self.talk_to(frame(b"hi")) for _ in range(50)]
            for client in clients:
                client.sendall(ends)
            for client in clients:
                client.recv(100)
                client.close()

        for ends in (frame(b"", CLOSE), b"", frame(b"", 3), b"\x81") * 5:
            await deferToThread(crowd, ends)
        await self.chat.until(lambda: len(self.chat.talks) == 1000)
        await self.all_gone()

    async def test_garbage_disturbs_nobody(self) -> None:
        def greedy() -> bytes:
            client = self.talk_to()
            data = b""
            for _ in range(100):
                client.sendall(frame(b"\x00garbage") * 100)
                data += client.recv(65536)
            client.sendall(frame(b"end"))
            data += self.read_until(client, b"end")
            client.close()
            return data

        def polite() -> list[bytes]:
            client = self.talk_to()
            self.read_until(client, b"hello alice")
            answers = []
            for number in range(20):
                client.sendall(frame(b"%d." % number))
                answers.append(self.read_until(client, b"."))
            client.close()
            return answers

        noise = deferToThread(greedy)
        answers = await deferToThread(polite)
        self.assertEqual([one[2:] for one in answers], [b"%d." % n for n in range(20)])
        self.assertEqual((await noise).count(b"\x00garbage"), 10000)
        await self.all_gone()
