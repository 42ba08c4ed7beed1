"""What a page is asked, and what it answers: values, the same for refusals and own pages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from twisted.web.http_headers import Headers
from twisted.web.server import Request

from giestack.proxy.seen import Seen
from giestack.visitor import Anonymous, Identity, Operator

LONGEST_FORM = 65536
"""Bytes of a form that are read; a longer one counts as too large."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for a page.

    :ivar method: upper-case method.
    :ivar target: path and query, as sent.
    :ivar accepts_html: whether a person's browser asks.
    :ivar seen: how the visitor sees this server.
    :ivar visitor: who asks; None where there is no valid session, or nobody has looked.
    :ivar headers: the request's fields, as sent.
    :ivar body: the first `LONGEST_FORM` bytes of the body and one more, should there be more.
    :ivar operator: who asks on the admin listener; the visitor is None there.
    """

    method: bytes
    target: bytes
    accepts_html: bool
    seen: Seen
    visitor: Identity | Anonymous | None = None
    headers: Headers = field(default_factory=Headers)
    body: bytes = field(default=b"", repr=False)
    operator: Operator | None = None

    @property
    def query(self) -> Mapping[str, str]:
        """The first value of each name in the query."""
        return _first_values(self.target.partition(b"?")[2])

    @property
    def form(self) -> Mapping[str, str]:
        """The first value of each field of a URL-encoded form; empty for anything else."""
        sort = self.headers.getRawHeaders(b"content-type") or [b""]
        if sort[0].partition(b";")[0].strip().lower() != b"application/x-www-form-urlencoded":
            return {}
        return _first_values(self.body)

    def single(self, name: bytes) -> bytes | None:
        """The value of a field that was sent exactly once, else None."""
        values = self.headers.getRawHeaders(name) or []
        return values[0] if len(values) == 1 else None


def _first_values(encoded: bytes) -> Mapping[str, str]:
    try:
        values = parse_qs(encoded.decode("latin-1"), keep_blank_values=True, max_num_fields=64)
    except ValueError:
        return {}
    return {name: value[0] for name, value in values.items()}


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back.

    :ivar status: HTTP status.
    :ivar headers: fields without the framing ones (Content-Length, Connection).
    :ivar body: the whole body.
    """

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes = b""

    @property
    def header_lines(self) -> bytes:
        """The fields as lines of a message head."""
        return b"".join([b"%b: %b\r\n" % pair for pair in self.headers])


@dataclass(frozen=True, slots=True)
class Stream:
    """What is sent back bit by bit.

    :ivar status: HTTP status.
    :ivar headers: fields without the framing ones.
    :ivar begin: called once these are set, to write to the request and to finish it; not called
        where nobody wants the body (HEAD).
    """

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    begin: Callable[[Request], None]
