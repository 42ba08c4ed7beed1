"""Bytes of a client to requests, in order; sans I/O.

llhttp can't be paused: everything in one read is parsed at once, so what is complete waits in a
queue. Nothing is acted upon inside a parser callback, since the parser may still refuse what it
has announced.
"""

from collections import deque
from collections.abc import Callable

import httptools

from giestack.proxy.decision import Request
from giestack.proxy.head import Malformed, RequestFields


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
        if self._parser is None:
            self.early += data
            return None
        self.partial += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return self._upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            return self.end(Malformed(400, "malformed request"))
        if self.partial > self._limit > 0:
            return self.end(Malformed(431, "the request's head is too large"))
        return None

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

    def _upgrade(self, rest: bytes) -> Malformed | None:
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
        if fields.websocket:
            self._parser = None
            self.early = rest
            return None
        # RFC 9110 section 7.8: a server may ignore an offer of another protocol.
        self._parser = httptools.HttpRequestParser(self)
        return self.feed(rest) if rest else None

    # What llhttp calls.

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._raw.append((name, value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        assert parser is not None
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
        self._arriving.complete = True
        self._arriving.keep_alive = self._parser.should_keep_alive()
        self._raw = []
        self.partial = 0
