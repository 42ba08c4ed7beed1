"""The opening handshake of a WebSocket that giestack itself answers (RFC 6455 section 4.2.1)."""

import re

from giestack.proxy.decision import Request
from giestack.proxy.head import Malformed

UPGRADE_REQUIRED = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
"""What an answer with status 426 tells (RFC 9110 section 15.5.22, RFC 6455 section 4.4)."""

_NAMES = frozenset((b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-protocol"))
_KEY = re.compile(rb"[A-Za-z0-9+/]{22}==")


def handshake(request: Request, subprotocol: bytes) -> bytes:
    """Return a request's head with the handshake in it and nothing else: no cookies above all.

    :param subprotocol: what the client must offer; no other is passed on.
    :raises Malformed: where it is no handshake, or one that can't lead to that subprotocol.
    """
    if not request.fields.websocket:
        raise Malformed(426, "only WebSockets are spoken here")
    found: dict[bytes, list[bytes]] = {name: [] for name in _NAMES}
    for name, value in request.raw:
        low = name.lower()
        if low in _NAMES:
            found[low].append(value.strip(b" \t"))
    if found[b"sec-websocket-version"] != [b"13"]:
        raise Malformed(426, "only version 13 of WebSocket is spoken here")
    keys = found[b"sec-websocket-key"]
    if len(keys) != 1 or not _KEY.fullmatch(keys[0]):
        raise Malformed(400, "a WebSocket request needs one Sec-WebSocket-Key")
    offered = b",".join(found[b"sec-websocket-protocol"]).split(b",")
    if subprotocol not in [one.strip(b" \t") for one in offered]:
        raise Malformed(400, "the subprotocol that is spoken here was not offered")
    return (
        b"GET / HTTP/1.1\r\nHost: %b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n"
        b"Sec-WebSocket-Protocol: %b\r\n\r\n"
    ) % (request.fields.host, keys[0], subprotocol)
