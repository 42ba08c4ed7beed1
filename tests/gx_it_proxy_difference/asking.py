"""A client that sends a case as it is, and tells all that comes back."""

import socket
from dataclasses import dataclass
from typing import Literal

from tests.gx_it_proxy_difference.cases import Case
from tests.neighbours.witness import Fields, Gone, Wire, values

_BODILESS = (101, 204, 304)


@dataclass(frozen=True)
class Got:
    """What a client has got.

    :ivar interim: the statuses that came before the answer (RFC 9110 section 15.2).
    :ivar status: 0 where there was no answer.
    :ivar framing: how the end of the body was told.
    :ivar end: whether the answer is whole, was cut short, is still not over, or makes no sense.
    :ivar back: what came back through the tunnel.
    """

    interim: tuple[int, ...] = ()
    status: int = 0
    reason: bytes = b""
    fields: Fields = ()
    framing: Literal["none", "length", "chunks", "end"] = "none"
    body: bytes = b""
    end: Literal["whole", "cut", "hangs", "broken"] = "whole"
    back: bytes | None = None


class _Reading:
    """Puts a `Got` together while the answer comes."""

    def __init__(self, wire: Wire, case: Case) -> None:
        self._wire = wire
        self._case = case
        self._interim: list[int] = []
        self._status, self._reason = 0, b""
        self._fields: Fields = ()
        self._framing: Literal["none", "length", "chunks", "end"] = "none"
        self._body = bytearray()
        self._back: bytes | None = None

    def read(self) -> Got:
        end: Literal["whole", "cut", "hangs", "broken"] = "whole"
        try:
            self._read_all()
        except Gone:
            end = "cut"
        except TimeoutError:
            end = "hangs"
        except ValueError:
            end = "broken"
        return Got(
            tuple(self._interim),
            self._status,
            self._reason,
            self._fields,
            self._framing,
            bytes(self._body),
            end,
            self._back,
        )

    def _read_all(self) -> None:
        while True:
            first, fields = self._wire.head()
            words = first.split(b" ", 2)
            status = int(words[1])
            if status == 101 or status >= 200:
                break
            self._interim.append(status)
        self._status, self._fields = status, fields
        self._reason = words[2] if len(words) > 2 else b""
        self._read_body()
        if status == 101 and self._case.tunnel is not None:
            self._wire.socket.sendall(self._case.tunnel)
            self._back = self._wire.exactly(len(self._case.tunnel))

    def _read_body(self) -> None:
        lengths = values(self._fields, b"content-length")
        if values(self._fields, b"transfer-encoding"):
            self._framing = "chunks"
        elif lengths:
            self._framing = "length"
        if self._case.method == b"HEAD" or self._status in _BODILESS:
            return
        if self._framing == "chunks":
            self._wire.chunks(self._body)
        elif lengths:
            self._body += self._wire.exactly(int(lengths[0]))
        else:
            self._framing = "end"
            try:
                while True:
                    self._body += self._wire.rest
                    self._wire.rest = b""
                    self._wire.more()
            except Gone:
                pass


def ask(port: int, case: Case, patience: float) -> Got:
    """Send a case to a port of 127.0.0.1; wait ``patience`` seconds at most for each piece."""
    with socket.create_connection(("127.0.0.1", port), patience) as sock:
        try:
            sock.sendall(case.wire)
        except ConnectionError:
            # Refused before all of it was sent; the answer is here.
            pass
        return _Reading(Wire(sock), case).read()
