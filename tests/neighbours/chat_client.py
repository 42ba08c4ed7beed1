"""A chat client made with PyPI's ``websockets``, and what it sees: ``… URL``.

It prints one JSON object; `chat_client.js` prints the same one.
"""

import json
import ssl
import sys
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

COOKIE = {"Cookie": "galaxysession=alice"}
MESSAGE = "grüße \N{GRINNING FACE}"
LIMIT = 8192


def main(url: str) -> dict[str, object]:
    """Talk to the chat at a ``ws:`` or ``wss:`` address; returns what was seen."""
    own = url.replace("ws", "http", 1).removesuffix("/ws")
    if url.startswith("wss:"):
        # The certificate was made a moment ago, and nobody knows it.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context = None

    def opened(**options: Any) -> ClientConnection:
        given: dict[str, Any] = {
            "subprotocols": [Subprotocol("giechat.v1.json")],
            "additional_headers": COOKIE,
            "origin": Origin(own),
            "ssl": context,
            **options,
        }
        return connect(url, **given)

    def refused(**options: Any) -> int:
        try:
            opened(**options)
        except InvalidStatus as error:
            return error.response.status_code
        return 0

    def ended(message: str | bytes, **options: Any) -> list[object]:
        talk = opened(**options)
        try:
            first = talk.recv()
            talk.send(message)
            while True:
                talk.recv()
        except ConnectionClosed as error:
            assert error.rcvd is not None, error
            return [error.rcvd.code, error.rcvd.reason]
        return [first]

    talk = opened()
    seen: dict[str, object] = {
        "subprotocol": talk.subprotocol,
        "extensions": len(talk.protocol.extensions),
        "hello": talk.recv(),
    }
    talk.send(MESSAGE)
    seen["echo"] = talk.recv() == MESSAGE
    talk.send([MESSAGE[:3], MESSAGE[3:], ""])
    seen["fragments"] = talk.recv() == MESSAGE
    talk.send("x" * LIMIT)
    seen["largest"] = talk.recv() == "x" * LIMIT
    talk.send(b"\x00\xff")
    answer = json.loads(talk.recv())
    seen["binary"] = [answer["t"], answer["code"]]
    seen["pong"] = talk.ping().wait(60)
    talk.close()
    seen["closed"] = talk.close_code
    seen["too large"] = ended("x" * (LIMIT + 1))[0]
    seen["restart"] = ended("close 1012")
    seen["banned"] = ended("close 4403")
    seen["failure"] = ended("fail")
    seen["nobody"] = ended("", additional_headers={})
    seen["no subprotocol"] = refused(subprotocols=None)
    seen["foreign"] = refused(origin=Origin("https://evil.example.org"))
    return seen


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
