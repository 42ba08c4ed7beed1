"""Bytes of a client to requests, in order; sans I/O.

llhttp can't be paused: everything in one read is parsed at once, so what is complete waits in a
queue. Nothing is acted upon inside a parser callback, since the parser may still refuse what it
has announced.
"""

import re
from collections import deque
from collections.abc import Callable

import httptools

from giestack.proxy.decision import Request
from giestack.proxy.head import Malformed, RequestFields

_MALFORMED = Malformed(400, "malformed request")
_TOO_LARGE = Malformed(431, "the request's head is too large")

# Less than llhttp allows, for requests without a body.
_PLAIN_LINE = re.compile(rb"(GET|HEAD) (/[A-Za-z0-9/._~%?&=+:@,;!$'()*-]*) HTTP/1\.1(?=\r\n)")


class RequestParser:
    """Reads one client connection's requests.

    :ivar queue: requests whose heads have arrived and that nobody has taken yet; at its end,
        what makes the rest unreadable.
    :ivar partial: bytes of an incomplete head, or of what stands between two pieces of body.
    :ivar early: bytes that came after a request for a WebSocket.
    """

    def __init__(self, head_limit: int, fields_of: Callable[[Request], RequestFields]) -> None:
        """
        :param head_limit: bytes; 0 is no limit.
        :param fields_of: sorts a request's fields; raises Malformed.
        """
        self.queue: deque[Request | Malformed] = deque()
        self.partial = 0
        self.early = b""
        self._limit = head_limit
        self._fields_of = fields_of
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self._arriving: Request | None = None
        self._url = b""
        self._switching = False
        # No head that ends in this read is larger than this.
        self._most = 0
        self._too_large = False
        # Whether llhttp is in the middle of a message.
        self._within = False
        self._block = b""
        self._block_raw: list[tuple[bytes, bytes]] = []
        self._raw: list[tuple[bytes, bytes]] = []

    @property
    def readable(self) -> bool:
        """Whether another request can come."""
        return self._parser is not None

    @property
    def unread(self) -> bool:
        """Whether the client may still be sending what nobody will read."""
        arriving = self._arriving
        return self._parser is None or (arriving is not None and not arriving.complete)

    def feed(self, data: bytes) -> Malformed | None:
        """Take what has arrived.

        Returns what is wrong with the body of a request that has been taken from the queue;
        everything else that is wrong waits in the queue.
        """
        between = not self._within
        if between and self._block and data.endswith(self._block) and self._repeat(data):
            return None
        self._block = b""
        while self._parser is not None:
            self.partial += len(data)
            self._most = self.partial
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
                between = False
                refusal = self._upgrade()
                if refusal is not None:
                    return refusal
            except httptools.HttpParserError:
                return self.end(_TOO_LARGE if self._too_large else _MALFORMED)
            else:
                if between and not self._within:
                    self._remember(data)
                return self._end_of_read()
        if self._switching:
            # Only these are of use to anybody.
            self.early += data
        return None

    def _end_of_read(self) -> Malformed | None:
        if self.partial > self._limit > 0:
            return self.end(_TOO_LARGE)
        if self._within and not self.partial and self._arriving and self._arriving.complete:
            # Another head has begun behind what was complete.
            self.partial = 1
        return None

    def _remember(self, data: bytes) -> None:
        """Keep the fields of a request that is nothing but a head, as bytes: see `_repeat`.

        ``data`` begins and ends between two messages; it counts only if it is one request.
        """
        request = self._arriving
        if (
            request is not None
            and request.keep_alive
            and request.version == "1.1"
            and data.find(b"\r\n\r\n") == len(data) - 4
            and _PLAIN_LINE.match(data)
        ):
            self._block = data[data.find(b"\r\n") :]
            self._block_raw = request.raw

    def _repeat(self, data: bytes) -> bool:
        """Take a request whose fields are, byte for byte, those of the one before.

        Browsers and programs send most requests of a connection that way. llhttp has accepted
        these very bytes as the rest of a request without a body, so only the first line is new;
        any that is not entirely plain is left to llhttp.
        """
        line = _PLAIN_LINE.match(data)
        too_long = len(data) > self._limit > 0
        if line is None or line.end() != len(data) - len(self._block) or too_long:
            return False
        self._arriving = request = Request(line[1], line[2], "1.1", self._block_raw)
        request.complete = True
        self.queue.append(request)
        return True

    def end(self, refusal: Malformed) -> Malformed | None:
        """Read no further, because of ``refusal``; what came before is still answered.

        Returns as `feed` does.
        """
        self._parser = None
        self.partial = 0
        arriving = self._arriving
        if arriving is None or arriving.complete:
            # Bytes after a request that asked for the connection's end are of no interest.
            if arriving is None or arriving.keep_alive:
                self.queue.append(refusal)
        elif self.queue and self.queue[-1] is arriving:
            self.queue[-1] = refusal
        else:
            return refusal
        return None

    def stop(self) -> None:
        """Read no further, and forget what waits."""
        self._parser = None
        self.partial = 0
        self.queue.clear()

    def _upgrade(self) -> Malformed | None:
        """The parser stops at every Upgrade, and has then not looked for a body."""
        request = self._arriving
        assert request is not None
        try:
            fields = self._fields_of(request)
            if request.method == b"CONNECT":
                raise Malformed(501, "CONNECT is not spoken here")
            if fields.chunked or fields.content_length:
                raise Malformed(400, "a request to upgrade has no body here")
            if fields.websocket and request.method != b"GET":
                raise Malformed(400, "a WebSocket request uses GET")
        except Malformed as refusal:
            request.complete = False
            return self.end(refusal)
        self.partial = 0
        self._within = False
        self._switching = fields.websocket
        # RFC 9110 section 7.8: a server may ignore an offer of another protocol.
        self._parser = None if fields.websocket else httptools.HttpRequestParser(self)
        return None

    # What llhttp calls.

    def on_message_begin(self) -> None:
        self._within = True

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._raw.append((name, value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        assert parser is not None
        if self._most > self._limit > 0:
            size = len(self._url) + sum(len(name) + len(value) + 4 for name, value in self._raw)
            if size > self._limit:
                self._too_large = True
                # llhttp stops here, and httptools makes an error of its own of this one.
                raise ValueError(size)
        self._arriving = request = Request(
            parser.get_method(), self._url, parser.get_http_version(), self._raw
        )
        self._url = b""
        # What comes after the head are trailers.
        self._raw = request.trailers
        self.partial = 0
        self.queue.append(request)

    def on_body(self, data: bytes) -> None:
        assert self._arriving is not None
        self._arriving.body.append(data)
        self.partial = 0

    def on_message_complete(self) -> None:
        assert self._arriving is not None and self._parser is not None
        self._within = False
        self._arriving.complete = True
        self._arriving.keep_alive = self._parser.should_keep_alive()
        self._raw = []
        self.partial = 0
