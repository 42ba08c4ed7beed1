"""Follows the frames of a WebSocket (RFC 6455 section 5.2); sans I/O, and without their payload."""

MOST = 1000
"""Frames in one piece that are still followed.

Nobody who idles sends so many, and to measure them would cost more than to relay them.
"""

_HEAD = 14
_ENDLESS = 1 << 64
_CONTROL = (8, 9, 10)


class Frames:
    """One direction of a tunnel.

    What is no WebSocket counts as data, and so does all that comes after too many frames at once.
    """

    __slots__ = ("_data", "_head", "_left")

    def __init__(self) -> None:
        # Of a frame's head that has not come as a whole; bytes of payload to come; whether they
        # are a data frame's.
        self._head = b""
        self._left = 0
        self._data = False

    def feed(self, data: bytes) -> bool:
        """Take the next piece; tells whether something of a data frame is in it.

        Ping, pong and close are no data; text, binary, continuation and all else are.
        """
        size = len(data)
        if size <= self._left:
            self._left -= size
            return size > 0 and self._data
        moved = self._data and self._left > 0
        at = self._left
        if self._head:
            known = len(self._head)
            head = self._head + data[: _HEAD - known]
            length = self._begin(head, 0)
            if not length:
                self._head = head
                return False
            self._head = b""
            moved = self._data
            at = length - known
        for _ in range(MOST):
            if at >= size:
                self._left = at - size
                return moved
            length = self._begin(data, at)
            if not length:
                self._head = data[at:]
                self._left = 0
                return moved
            moved = moved or self._data
            at += length
        self._data = True
        self._left = _ENDLESS
        return True

    def _begin(self, data: bytes, at: int) -> int:
        """Read the head of a frame; return its size with the payload, 0 where it is incomplete."""
        rest = len(data) - at
        if rest < 2:
            return 0
        code = data[at + 1]
        length = code & 127
        head = 6 if code & 128 else 2
        more = 8 if length == 127 else 2 if length == 126 else 0
        head += more
        if rest < head:
            return 0
        # The length of a control frame is below 126: a longer one is none.
        self._data = bool(more) or data[at] & 15 not in _CONTROL
        if more:
            length = int.from_bytes(data[at + 2 : at + 2 + more], "big")
        return head + length
