"""Bytes of a backend to responses; sans I/O.

llhttp parses heads and chunks. Once a body's length is known and not all of it has come, or once
a body ends with the connection, its bytes are no longer parsed but only counted.
"""

import httptools

Fields = list[tuple[bytes, bytes]]

LONGEST_HEAD = 131_072
"""Bytes that may come without the end of a head, or any of a body; no more of them are kept."""

MOST_INTERIM = 1000
"""Heads of 1xx responses that may come before the answer."""


class ParsedHead:
    """A response head as the parser saw it.

    :ivar status: three digits.
    :ivar reason: the reason phrase as sent.
    :ivar version: for example "1.1".
    :ivar fields: (name, value).
    """

    __slots__ = ("fields", "reason", "status", "version")

    def __init__(self, status: int, reason: bytes, version: str, fields: Fields) -> None:
        self.status = status
        self.reason = reason
        self.version = version
        self.fields = fields


class ResponseParser:
    """Reads one response after another of one backend connection.

    After each `feed`:

    :ivar interim: heads of 1xx responses that have come, 101 among them.
    :ivar head: the final head, where it has just come.
    :ivar body: the body's bytes that have just come.
    :ivar trailers: trailer fields, once done.
    :ivar done: whether the response is complete.
    :ivar broken: whether the response can't be understood.
    :ivar switched: the bytes after a 101, or None.
    :ivar reusable: whether another response may come on this connection.
    """

    def __init__(self) -> None:
        self._parser: httptools.HttpResponseParser | None = None
        self._head_only = False
        self._started = False
        self.trailers: Fields = []
        self.interim: list[ParsedHead] = []
        self.reusable = True
        self.begin(False)

    def begin(self, head_only: bool) -> None:
        """Expect the next response; ``head_only`` where it answers a HEAD."""
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)
        self._head_only = head_only
        self._fields: Fields = []
        self._reason = b""
        self._chunks: list[bytes] = []
        self._started = False
        self._left = 0
        self._until_close = False
        self._unheard = 0
        self._interims = 0
        if self.trailers:
            self.trailers = []
        self.head: ParsedHead | None = None
        self.body = b""
        self.done = False
        self.broken = False
        self.switched: bytes | None = None

    @property
    def started(self) -> bool:
        """Whether the final head has come."""
        return self._started

    def feed(self, data: bytes) -> None:
        """Take what has arrived."""
        if self._left:
            self._count(data)
        elif self._until_close:
            self.head = None
            self.body = data
        else:
            self._parse(data)

    def end(self, clean: bool) -> bool:
        """The connection has ended, cleanly or not; tells whether that completes the response."""
        self.head = None
        self.body = b""
        self.reusable = False
        self.done = self._until_close and clean
        return self.done

    def _count(self, data: bytes) -> None:
        self.head = None
        left = self._left - len(data)
        if left < 0:
            self.reusable = False
            data = data[: self._left]
            left = 0
        self.body = data
        self._left = left
        self.done = left == 0

    def _parse(self, data: bytes) -> None:
        assert self._parser is not None
        self.head = None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.switched = data[upgrade.args[0] :]
        except httptools.HttpParserError:
            # Junk after a complete response only spoils the connection.
            self.broken = not self.done
            self.reusable = False
        chunks = self._chunks
        if chunks:
            self.body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            self._chunks = []
        else:
            self.body = b""
        head = self.head
        if head is not None:
            if self._head_only:
                self._end_with_head()
            elif not self.done and not self.broken:
                self._stop_parsing(head)
        self._unheard = 0 if head or self.body or self.interim else self._unheard + len(data)
        if self._unheard > LONGEST_HEAD and not self.done:
            self.broken = True
            self.reusable = False

    def _end_with_head(self) -> None:
        """A HEAD is answered by the head alone; the parser would wait for a body."""
        if self.body:
            self.body = b""
            self.reusable = False
        self.done = True
        self._parser = None

    def _stop_parsing(self, head: ParsedHead) -> None:
        length: int | None = None
        chunked = False
        for name, value in head.fields:
            low = name.lower()
            if low == b"content-length":
                # llhttp has made sure that these are digits, but leaves blanks after them.
                length = int(value)
            elif low == b"transfer-encoding":
                chunked = True
        if length is not None:
            self._left = length - len(self.body)
            self._parser = None
        elif not chunked:
            self._until_close = True
            self.reusable = False
            self._parser = None

    # What llhttp calls. Nothing is acted upon in here: a head may still turn out bad.

    def on_message_begin(self) -> None:
        if self.done:
            self.reusable = False

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.done:
            # Of what nobody asked for.
            pass
        elif self._started:
            self.trailers.append((name, value))
        else:
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        if self.done or parser is None:
            return
        status = parser.get_status_code()
        if status < 100:
            # llhttp would deliver a body after it. It makes an HttpParserCallbackError of this.
            raise ValueError(status)
        head = ParsedHead(status, self._reason, parser.get_http_version(), self._fields)
        if status < 200:
            self._interims += 1
            if self._interims > MOST_INTERIM:
                raise ValueError("more of these than anybody needs")
            self.interim.append(head)
            self._fields = []
            self._reason = b""
        else:
            self.head = head
            self._started = True
            if not parser.should_keep_alive():
                self.reusable = False

    def on_body(self, data: bytes) -> None:
        if not self.done:
            self._chunks.append(data)

    def on_message_complete(self) -> None:
        if self._started:
            self.done = True
