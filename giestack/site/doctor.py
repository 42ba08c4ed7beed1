"""What ``giestack doctor`` asks a running giestack: how a request looks when it has arrived.

Everything here is for whoever has a pass (`giestack.probe`); to all others there is nothing. It
costs other requests nothing: there are three addresses below ``{prefix}/doctor/``, and
refusals, which are not on anybody's way.

- A refusal of a request with a pass says how the request arrived instead of why it is refused,
  with the same status. So it can be asked of every path and host that a front sends here.
- ``seen`` says the same with status 200, also to a POST once all of its body is here.
- ``events`` is an event stream of two events with `PAUSE` seconds between them.
- ``socket`` is a WebSocket that says it in one message, and closes.

What is said is how giestack understands the request: scheme, host, port, path and query, whose
address, whether a trusted front told it. Of cookies only the number is said, of header fields
only which are there.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha1

from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import Resource
from twisted.web.server import Request as WebRequest

from giestack import probe
from giestack.proxy.decision import Refuse, Request
from giestack.proxy.seen import Seen
from giestack.site.asked import Answer, Asked, Stream
from giestack.site.endpoint import NOT_FOUND, Endpoint, Nothing, RefusalError
from giestack.site.refusals import RefusalPages

PAUSE = 2.0
"""Seconds between the two events."""

FIRST, LAST = b"data: first\n\n", b"data: last\n\n"

_TOLD = {
    "x-forwarded-for": "for",
    "x-real-ip": "real_ip",
    "x-forwarded-proto": "proto",
    "x-forwarded-host": "host",
}
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3

Fields = Sequence[tuple[bytes, bytes]]


def arrival(seen: Seen, method: bytes, target: bytes, fields: Fields) -> Mapping[str, object]:
    """How a request has arrived, as a value for JSON; ``fields`` are those of its head."""
    names = [name.decode("latin-1").lower() for name, _ in fields]
    cookies = [value for name, value in fields if name.lower() == b"cookie"]
    claims = [value for name, value in fields if name.lower() == b"x-forwarded-for"]
    upgrade = {value.strip().lower() for name, value in fields if name.lower() == b"upgrade"}
    return {
        "giestack": "seen",
        "method": method.decode("latin-1"),
        "target": target.decode("latin-1"),
        "scheme": seen.scheme.decode("latin-1"),
        "host": seen.host.decode("latin-1"),
        "port": int(seen.port),
        "address": seen.address.decode("latin-1"),
        "peer": seen.forwarded_for.rpartition(b",")[2].strip().decode("latin-1"),
        "by_front": seen.by_front,
        "told": sorted({word for name, word in _TOLD.items() if name in names}),
        "hops": sum(len(claim.split(b",")) for claim in claims),
        "cookies": sum(1 for line in cookies for pair in line.split(b";") if b"=" in pair),
        "upgrade": b"websocket" in upgrade,
    }


class DoctorPages:
    """Answers whoever has a pass.

    ``now`` is the wall clock, in seconds since the epoch.
    """

    def __init__(
        self,
        refusals: RefusalPages,
        key: bytes,
        now: Callable[[], float],
        clock: IReactorTime,
    ) -> None:
        self._refusals = refusals
        self._key = key
        self._now = now
        self._clock = clock

    def refusal(self, refuse: Refuse, request: Request) -> tuple[bytes, bytes]:
        """The front door's `giestack.proxy.front.RefusalPage`."""
        if not self._is_ours(request.raw):
            return self._refusals(refuse, request)
        told = arrival(request.seen, request.method, request.target, request.raw)
        answer = self._refusals.look.json(refuse.status, told)
        return answer.header_lines, answer.body

    def resource(self) -> Resource:
        """Return the resource to put at ``{prefix}/doctor``."""
        refuse = self._refusals.answer
        root = Nothing(refuse)
        root.putChild(b"seen", _Anything({b"GET": self.seen, b"POST": self.seen}, refuse))
        root.putChild(b"events", Endpoint({b"GET": self.events}, refuse))
        root.putChild(b"socket", Endpoint({b"GET": self.socket}, refuse))
        return root

    async def seen(self, asked: Asked) -> Answer:
        """Say how the request has arrived."""
        return self._refusals.look.json(200, self._arrival(asked))

    async def events(self, asked: Asked) -> Stream:
        """Say something, and something else a while later."""
        self._arrival(asked)
        fields = ((b"Content-Type", b"text/event-stream"), (b"Cache-Control", b"no-store"))
        return Stream(200, fields, self._two_events)

    async def socket(self, asked: Asked) -> Stream:
        """Speak WebSocket, and say how the request has arrived."""
        told = self._arrival(asked)
        key = asked.single(b"sec-websocket-key")
        if key is None or not told["upgrade"]:
            raise RefusalError(NOT_FOUND)

        def begin(request: WebRequest) -> None:
            # To the proxy this is a backend that agrees to the upgrade.
            transport = request.channel.transport
            assert transport is not None
            transport.write(_switching(key) + _message(told))
            transport.loseConnection()

        return Stream(101, (), begin)

    def _arrival(self, asked: Asked) -> Mapping[str, object]:
        fields = [
            (name, value) for name, values in asked.headers.getAllRawHeaders() for value in values
        ]
        if not self._is_ours(fields):
            raise RefusalError(NOT_FOUND)
        return arrival(asked.seen, asked.method, asked.target, fields)

    def _is_ours(self, fields: Fields) -> bool:
        name = probe.HEADER.lower()
        passes = [value for field, value in fields if field.lower() == name]
        return len(passes) == 1 and probe.is_pass(self._key, passes[0], self._now())

    def _two_events(self, request: WebRequest) -> None:
        def last() -> None:
            request.write(LAST)
            request.finish()

        later = self._clock.callLater(PAUSE, last)
        request.notifyFinish().addErrback(lambda _: later.cancel())
        request.write(FIRST)


class _Anything(Endpoint):
    """An address that answers for all paths below it, too."""

    def getChild(self, path: bytes, request: WebRequest) -> Resource:
        return self


def _switching(key: bytes) -> bytes:
    accept = b64encode(sha1(key + _GUID, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\nSec-WebSocket-Protocol: %b\r\n\r\n"
    ) % (accept, probe.SUBPROTOCOL)


def _message(told: Mapping[str, object]) -> bytes:
    """One message of text, and that there will be no other (RFC 6455, section 5.2)."""
    text = json.dumps(told).encode()
    size = len(text)
    length = b"\x7e" + size.to_bytes(2) if size < 0x10000 else b"\x7f" + size.to_bytes(8)
    return b"\x81%b%b\x88\x00" % (length, text)
