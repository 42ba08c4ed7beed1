"""A conversation with the own pages in memory, the way the front door has it."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.web.http_headers import Headers
from twisted.web.server import Site

from giestack.proxy.backend import BackendConnection
from giestack.proxy.decision import Local, Request
from giestack.proxy.head import GuardedNames, RequestFields
from giestack.proxy.local import OwnPages
from giestack.proxy.response_parser import Fields, ParsedHead
from giestack.proxy.seen import Seen
from giestack.site.api import Api
from giestack.site.chat_files import WidgetFiles
from giestack.site.chat_resource import ChatSite
from giestack.site.chatting import Chatting
from giestack.site.links import Links
from giestack.site.operations import Operations
from giestack.site.pages import make_site
from giestack.site.refusals import RefusalPages
from giestack.site.spawning import Spawning
from giestack.site.stopping import Stopping
from giestack.site.streams import Streams
from giestack.site.tool_url import ToolPlaces
from giestack.site.tools import Tools
from giestack.visitor import Anonymous, Identity

NOW = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)
HOST = b"127.0.0.1:8800"

ALICE = Identity(
    "galaxy", 12, "f2db41e1fa331b3e", "alice", "alice@example.org", False, 1, "key-of-alice"
)
ADMIN = Identity("galaxy", 3, "aaaa41e1fa331b3e", "admin", "admin@example.org", True, 2, "key")
OPENBIS = Identity("openbis", 4, "observer", None, "o@example.org", False, 3, "key")
GUEST = Anonymous(5, "key-of-guest")


def seen_as(host: bytes = HOST, scheme: bytes = b"http", address: bytes = b"192.0.2.7") -> Seen:
    return Seen(address, scheme, host, address)


def front_request(
    target: bytes = b"/x",
    method: bytes = b"GET",
    accept: bytes = b"text/html,*/*",
    seen: Seen | None = None,
) -> Request:
    """A request as the front door gives it to `RefusalPages`."""
    seen = seen or seen_as()
    raw = [(b"Host", seen.host or b"h"), (b"Accept", accept)]
    request = Request(method, target, "1.1", raw)
    request.fields = RequestFields(raw, "1.1", GuardedNames())
    request.seen = seen
    return request


class Said:
    """What the own pages have answered; the exchange's side of the connection."""

    def __init__(self) -> None:
        self.status = 0
        self.headers = Headers()
        self.body = b""
        self.complete = False
        self.lost = False
        self.backend: BackendConnection | None = None
        self.clock = Clock()

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")

    @property
    def markup(self) -> str:
        """The page without its style and script."""
        return re.sub(r"<(style|script)\b.*?</\1>", "", self.text, flags=re.S)

    @property
    def json(self) -> Any:
        assert self.header("content-type") == "application/json", self.headers
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        values = self.headers.getRawHeaders(name)
        return None if values is None else ", ".join(values)

    def hang_up(self) -> None:
        """The client goes before the answer."""
        assert self.backend is not None
        self.backend.close()
        self.clock.advance(0)

    def interim(self, head: ParsedHead) -> None:
        raise AssertionError("no interim answers here")

    def response(
        self, head: ParsedHead | None, body: bytes, trailers: Fields, complete: bool
    ) -> None:
        if head is not None:
            self.status = head.status
            for name, value in head.fields:
                self.headers.addRawHeader(name, value)
        self.body += body
        if complete:
            self.complete = True
            assert self.backend is not None
            self.backend.release(True)

    def switched(self, head: ParsedHead, early: bytes) -> None:
        raise AssertionError("no tunnels here")

    def tunnelled(self, data: bytes) -> None:
        raise AssertionError("no tunnels here")

    def backend_half_closed(self) -> None:
        raise AssertionError("no tunnels here")

    def backend_lost(self, clean: bool) -> None:
        self.lost = True

    def pause_client(self) -> None: ...

    def resume_client(self) -> None: ...


def ask(
    site: Site,
    target: bytes,
    visitor: Identity | Anonymous | None = None,
    method: bytes = b"GET",
    headers: Sequence[tuple[bytes, bytes]] = (),
    body: bytes = b"",
    seen: Seen | None = None,
    html: bool = True,
) -> Said:
    """Send one request through `OwnPages`; Host is that of ``seen`` unless it is in ``headers``."""
    request = Request(method, target, "1.1", [])
    request.seen = seen or seen_as()
    fields = list(headers)
    named = {name.lower() for name, _ in fields}
    if b"host" not in named:
        fields.append((b"Host", request.seen.host))
    if b"accept" not in named:
        fields.append((b"Accept", b"text/html" if html else b"application/json"))
    if body:
        fields.append((b"Content-Length", b"%d" % len(body)))
    head = b"%b %b HTTP/1.1\r\n" % (method, target)
    head += b"".join([b"%b: %b\r\n" % field for field in fields])
    said = Said()
    said.backend = OwnPages(site, said.clock)(Local(visitor), request)
    said.backend.send_request(said, head + b"\r\n" + body, method == b"HEAD")
    said.clock.advance(0)
    return said


@dataclass(frozen=True)
class Entry:
    """An entry point as Galaxy's database has it."""

    id: int = 1
    name: str = "Jupyter Interactive Tool"
    label: str | None = "jupytool"
    token: str = "secret1"
    entry_url: str = "ipython/lab"
    requires_domain: bool = False
    created_time: datetime | None = datetime(2026, 3, 4, 9, 30)


class Galaxy:
    """Galaxy's database and session map: what they hold is set by the test."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.routed: set[tuple[bytes, bytes]] = set()
        self.asked_for: list[Identity | Anonymous] = []
        self.answer: Deferred[Sequence[Entry]] | None = None

    def entry_points(self, visitor: Identity | Anonymous) -> Deferred[Sequence[Entry]]:
        self.asked_for.append(visitor)
        return self.answer or succeed(self.entries)

    @staticmethod
    def keys(number: int) -> tuple[str, ...]:
        return f"key{number}", f"oldkey{number}"

    def find(self, key: bytes, token: bytes) -> object | None:
        return self if (key, token) in self.routed else None

    def tools(self, places: ToolPlaces | None = None) -> Tools:
        return Tools(self.entry_points, self.keys, self.find, places or ToolPlaces())


def pages_of(
    galaxy: Galaxy,
    links: Links | None = None,
    origins: frozenset[bytes] = frozenset(),
    clock: Clock | None = None,
    spawning: Spawning | None = None,
    streams: Streams | None = None,
    operations: Operations | None = None,
    chat: Chatting | None = None,
    files: WidgetFiles | None = None,
    stopping: Stopping | None = None,
) -> Site:
    """The own pages over a Galaxy, without the demo; see `make_site` and `Api`.

    Where there is a ``chat`` there must be its ``files``.
    """
    clock = clock or Clock()
    refusals = RefusalPages(links or Links(galaxy_url="http://127.0.0.1:8080/"), clock)
    tools = galaxy.tools()
    api = None
    chat_site = None
    if chat is not None:
        assert files is not None
        streams = streams or Streams(clock)
        chat_site = ChatSite(
            chat, refusals, files, streams, lambda: NOW, origins, spawning=spawning is not None
        )
    if streams is not None or operations is not None or stopping is not None:
        streams = streams or Streams(clock)
        api = Api(
            refusals,
            tools,
            origins,
            streams=streams,
            spawning=spawning,
            operations=operations,
            chat=chat,
            stopping=stopping,
        )
    return make_site(
        clock,
        refusals,
        tools,
        lambda: NOW,
        origins=origins,
        spawning=spawning,
        api=api,
        chat=chat_site,
        stopping=stopping,
    )
