"""WebSockets by hand: what clients send as bytes, what they are sent as frames, and a chat."""

from collections.abc import Callable
from typing import NamedTuple

from twisted.internet.task import Clock

from giestack.chat.edge import Edge
from giestack.chat.outlet import Batch, Outlet
from giestack.chat.websocket import ChatSocket
from giestack.visitor import Anonymous, Identity
from tests.proxy.memory import Wire

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
HEAD = (
    b"GET / HTTP/1.1\r\nHost: galaxy.example.org\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: giechat.v1.json\r\n\r\n"
)
ALICE = Identity("galaxy", 1, "e1", "alice", "alice@example.org", False, 11, "k1")


class Frame(NamedTuple):
    """A frame of the server."""

    opcode: int
    payload: bytes
    fin: bool = True

    @property
    def code(self) -> int:
        """The close code of a close frame."""
        return int.from_bytes(self.payload[:2], "big")


def frame(
    payload: bytes, opcode: int = TEXT, *, fin: bool = True, masked: bool = True, rsv: int = 0
) -> bytes:
    """A frame as a client sends it (RFC 6455 section 5.2)."""
    size = len(payload)
    bit = 0x80 if masked else 0
    head = bytes(((0x80 if fin else 0) | rsv << 4 | opcode,))
    if size < 126:
        head += bytes((bit | size,))
    elif size < 1 << 16:
        head += bytes((bit | 126,)) + size.to_bytes(2, "big")
    else:
        head += bytes((bit | 127,)) + size.to_bytes(8, "big")
    if not masked:
        return head + payload
    mask = b"\x01\x02\x03\x04"
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


def frames(data: bytes) -> list[Frame]:
    """The frames in what a server has sent; fails where they are masked or not whole."""
    found = []
    while data:
        first, size = data[0], data[1]
        at = 2
        if size == 126:
            size, at = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, at = int.from_bytes(data[2:10], "big"), 10
        assert size < 1 << 63 and len(data) >= at + size and not first & 0x70, data[:20]
        found.append(Frame(first & 0x0F, data[at : at + size], bool(first & 0x80)))
        data = data[at + size :]
    return found


class Talk:
    """A `giestack.chat.outlet.Conversation` that remembers, and answers as it is told."""

    def __init__(self, outlet: Outlet) -> None:
        self.outlet = outlet
        self.heard: list[bytes] = []
        self.told: list[str] = []
        self.answer: Callable[[bytes], object] = lambda data: None

    def received(self, data: bytes) -> None:
        self.heard.append(data)
        self.answer(data)

    def pause(self) -> None:
        self.told.append("pause")

    def resume(self) -> None:
        self.told.append("resume")

    def gone(self) -> None:
        self.told.append("gone")


class Host:
    """A chat that welcomes everybody, and the sessions of its visitors.

    :ivar welcome: what is done when somebody arrives; returns the conversation.
    :ivar talks: the conversations so far.
    :ivar held: the ``cut`` of each connection that is held under a session.
    """

    def __init__(self, size: int = 8192) -> None:
        self.clock = Clock()
        self.talks: list[Talk] = []
        self.visitors: list[Identity | Anonymous | None] = []
        self.held: list[Callable[[str], None]] = []
        self.welcome: Callable[[Outlet], Talk | None] = Talk
        self.edge = Edge(self.clock, self.arrive, self.hold, frame=size)
        self.edge.start()

    def arrive(self, visitor: Identity | Anonymous | None, outlet: Outlet) -> Talk | None:
        self.visitors.append(visitor)
        talk = self.welcome(outlet)
        if talk is not None:
            self.talks.append(talk)
        return talk

    def hold(
        self, visitor: Identity | Anonymous | None, cut: Callable[[str], None]
    ) -> Callable[[], None]:
        assert visitor is not None
        self.held.append(cut)
        return lambda: self.held.remove(cut)

    def connect(self, visitor: Identity | Anonymous | None = ALICE, head: bytes = HEAD) -> "Client":
        """Somebody's client connects, and sends ``head``."""
        client = Client(self.edge.socket(visitor))
        client.protocol.makeConnection(client)
        client.send(head)
        return client

    def pass_time(self, seconds: int) -> None:
        """Let time pass, with every beat in between."""
        for _ in range(seconds):
            self.clock.advance(1)


class Client(Wire):
    """A client's side of a WebSocket in memory."""

    protocol: ChatSocket

    def shake_hands(self) -> bytes:
        """The head of the server's answer; frames that came with it stay."""
        head, _, self.written = self.take().partition(b"\r\n\r\n")
        return head

    def read(self) -> list[Frame]:
        """The frames since the last time."""
        return frames(self.take())

    def text(self, payload: bytes) -> None:
        """Send a message."""
        self.send(frame(payload))


def batch_of(*texts: bytes) -> Batch:
    """Frames that go out together."""
    return Batch(texts)
