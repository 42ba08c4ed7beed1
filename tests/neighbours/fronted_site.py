"""A site with fronts: Galaxy, giestack, and somebody who comes by way of a web server."""

import http.client
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.neighbours.backend import Conversation, Mirror
from tests.neighbours.fronts import HOST, TOOLS_DOMAIN, Front
from tests.neighbours.galaxy import ALICE, BOB, PLAIN, Galaxy, cookie, path_of
from tests.neighbours.giestack import COOKIE, Answer, Giestack
from tests.neighbours.program import PATIENCE, CleanUp, free_port


def tool_host(tool: str) -> str:
    """The host that an interactive tool has for itself."""
    key, token = path_of(tool).split("/")[-2:]
    return f"{key}-{token}.{TOOLS_DOMAIN}"


class Site:
    """Galaxy, giestack and fronts before both.

    ``settings`` are laid over giestack's; ``listen`` makes its endpoints from its port.

    :ivar prefix: where Galaxy is: ``""`` or ``/galaxy``.
    :ivar galaxy: its database and session map.
    :ivar mirror: stands for Galaxy itself, and for an interactive tool that tells what it was
        asked.
    """

    def __init__(
        self,
        test: CleanUp,
        fronts: Sequence[type[Front]],
        prefix: str = "",
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        listen: Callable[[int], list[str]] | None = None,
    ) -> None:
        self.prefix = prefix
        self.galaxy, self.mirror = Galaxy(test), Mirror(test)
        self.galaxy.publish(PLAIN, self.mirror.port)
        sections: dict[str, dict[str, Any]] = {
            "galaxy": {
                "url": f"https://{HOST}{prefix}/",
                "cookie_path": prefix or "/",
                "cookie_domain": HOST,
            },
            "chat": {"opt_in": False, "listen": []},
        }
        for section, values in (settings or {}).items():
            sections.setdefault(section, {}).update(values)
        port = free_port()
        endpoints = listen(port) if listen else [f"tcp:{port}:interface=127.0.0.1"]
        sections.setdefault("proxy", {}).setdefault("listen", endpoints)
        self.giestack = Giestack(test, self.galaxy, sections, wait=False)
        self.giestack.port = port
        self.fronts = [front(test, port, self.mirror.port) for front in fronts]
        self.until_known(PLAIN)

    def path(self, tool: str) -> str:
        """Where a tool is, without a slash at the end."""
        return self.prefix + path_of(tool)

    def publish(self, tool: str, port: int) -> None:
        """Say where a tool is, and wait until giestack knows it."""
        self.galaxy.publish(tool, port)
        self.until_known(tool)

    def until_known(self, tool: str) -> None:
        """Wait until giestack knows a tool of alice's; it must not have known it before."""
        self.giestack.until_it_answers(self.path(tool), 403, cookie=cookie(BOB))

    def visits(self, check: Callable[["Visitor"], None]) -> None:
        """Let a visitor of each front do this; it is told whose front it was if it fails."""
        for front in self.fronts:
            try:
                check(Visitor(front))
            except BaseException:
                print(f"(behind {type(front).__name__}: {front.program.output[-2000:]})")
                raise

    def access_log(self) -> str:
        """All of giestack's."""
        return (self.giestack.files / "var" / "access.log").read_text(encoding="utf-8")


class Visitor:
    """Somebody who comes by way of a front.

    :ivar authority: Galaxy's host with the front's port.
    """

    def __init__(self, front: Front) -> None:
        self.front = front
        self.authority = f"{HOST}:{front.port}"

    def ask(
        self,
        path: str,
        case: str | None = None,
        *,
        host: str = HOST,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request."""
        connection = http.client.HTTPSConnection(host, self.front.port, timeout=PATIENCE)
        connection.sock = self.front.connect(host)
        sent = dict(headers or {})
        if case is not None:
            sent["Cookie"] = f"{COOKIE}={cookie(case)}" + sent.get("Cookie", "")
        with closing(connection):
            connection.request("GET", path, None, sent)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def begin(
        self, test: CleanUp, path: str, *fields: str, method: str = "GET", host: str = HOST
    ) -> Conversation:
        """Send the head of a request as alice, and return the connection."""
        connection = self.front.connect(host)
        test.addCleanup(connection.close)
        talk = Conversation(connection)
        user = f"Cookie: {COOKIE}={cookie(ALICE)}"
        authority = f"Host: {host}:{self.front.port}"
        lines = [f"{method} {path} HTTP/1.1", authority, user, *fields, "", ""]
        talk.send("\r\n".join(lines).encode())
        return talk

    def open(
        self,
        path: str,
        case: str | None = ALICE,
        *,
        host: str = HOST,
        origin: str | None = None,
        **options: Any,
    ) -> ClientConnection:
        """Open a WebSocket."""
        authority = f"{host}:{self.front.port}"
        headers = {} if case is None else {"Cookie": f"{COOKIE}={cookie(case)}"}
        return connect(
            f"wss://{authority}{path}",
            sock=self.front.connect_plainly(),
            ssl=self.front.certificates.trust,
            server_hostname=host,
            additional_headers=headers,
            origin=Origin(origin or f"https://{authority}"),
            open_timeout=PATIENCE,
            proxy=None,
            **options,
        )
