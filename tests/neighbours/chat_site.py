"""A real giestack with its chat, and people who come to it with real browsers."""

import json
import re
import signal
from collections.abc import Mapping
from contextlib import ExitStack
from http.client import HTTPConnection
from typing import Any
from uuid import uuid4

from playwright.sync_api import Browser, Locator, Page, Request

from tests.neighbours.chromium import Complaints, visitor
from tests.neighbours.elsewhere import Elsewhere
from tests.neighbours.galaxy import ADMIN, ALICE, BOB, Galaxy, cookie
from tests.neighbours.giestack import COOKIE, TWISTD, Giestack, ask
from tests.neighbours.program import PATIENCE, CleanUp, Program, free_port
from tests.neighbours.somebody_elses_pages import SomebodyElsesPages

ROOMS = ("NGS", "RNA-Seq", "Genome Annotation")
WIDE = {"width": 1280, "height": 800}
CASES = {"alice": ALICE, "bob": BOB, "admin": ADMIN}


class ChatSite:
    """It has the chat below its own prefix and on a port of its own, and people from a Galaxy.

    :ivar giestack: the process.
    :ivar galaxy: where people have their sessions.
    :ivar pages: of somebody else, who is trusted.
    :ivar own: where giestack's own pages are.
    :ivar chat: the chat below them, with a slash at the end.
    :ivar alone: the chat on its own port, with a slash at the end.
    """

    def __init__(self, test: CleanUp, elsewhere: Elsewhere, **limits: float) -> None:
        self._test = test
        self._rooms: dict[str, str] = {}
        self.galaxy = Galaxy(test)
        alone, beside = free_port(), free_port()
        self.alone = f"http://127.0.0.1:{alone}/"
        self.pages = SomebodyElsesPages(test, beside, self.alone, f"Nowhere,{ROOMS[1]}")
        settings: Mapping[str, Mapping[str, Any]] = {
            "galaxy": {"url": f"{self.pages.origin}/"},
            "chat": {
                "listen": [f"tcp:{alone}:interface=127.0.0.1"],
                "rooms": list(ROOMS),
                "limits": {"rate": 200.0, "burst": 1000, **limits},
            },
        }
        self.giestack = Giestack(test, self.galaxy, settings)
        self.own = f"http://127.0.0.1:{self.giestack.port}/giestack/"
        self.chat = f"{self.own}chat/"
        for port in (self.giestack.port, alone, beside):
            elsewhere.lead(port)
        self._program = self.giestack.program
        admin = self.giestack.admin_port
        self._program.until(lambda: ask(admin, "/ready").status == 200, "the chat")

    def somebody(self, ends: ExitStack, browser: Browser, name: str, **options: Any) -> "Person":
        """Somebody of Galaxy with a browser of their own, until the stack ``ends`` does."""
        context = ends.enter_context(
            visitor(browser, **{"viewport": WIDE, "reduced_motion": "reduce", **options})
        )
        value = cookie(CASES[name])
        context.add_cookies(
            [
                {
                    "name": COOKIE,
                    "value": value,
                    "domain": "127.0.0.1",
                    "path": "/",
                    "httpOnly": True,
                    "sameSite": "Lax",
                }
            ]
        )
        return Person(name, context.new_page())

    def kill(self) -> None:
        """Have giestack end as if there had been no time for anything."""
        self._program.send(signal.SIGKILL)
        self._program.wait()

    def again(self) -> None:
        """Start it once more."""
        command = [TWISTD, "-n", "--pidfile=", "giestack", "--config", str(self.giestack.config)]
        self._program = Program(self._test, command, self.giestack.files, output="output-again")
        self._program.until(self.giestack.accepts, "a listener")

    @property
    def sockets(self) -> int:
        """How many connections the chat has."""
        return int(self.giestack.metrics()["giestack_chat_sockets"])

    def asks(self, name: str, path: str, sent: object = None) -> Any:
        """Ask the chat for something, as a program of somebody would; returns JSON."""
        return self.all_of(name, [(path, sent)])[0]

    def all_of(self, name: str, asked: list[tuple[str, object]]) -> list[Any]:
        """The same many times, over one connection."""
        connection = HTTPConnection("127.0.0.1", self.giestack.port, timeout=PATIENCE)
        headers = {"Cookie": f"{COOKIE}={cookie(CASES[name])}", "X-Giestack": "1"}
        found = []
        for path, sent in asked:
            method, body = ("GET", None) if sent is None else ("POST", json.dumps(sent))
            connection.request(method, f"/giestack/chat/{path}", body, headers)
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status < 300, f"{path}: {answer.status} {text!r}"
            found.append(json.loads(text))
        connection.close()
        return found

    def opt_in(self, *names: str) -> None:
        """Switch the chat on for people, who then are online."""
        for name in names:
            self.asks(name, "api/prefs", {"opt_in": True, "online": True})
            rooms = self.asks(name, "api/requests", {"t": "rooms", "id": 1})["rooms"]
            self._rooms |= {room["name"]: room["id"] for room in rooms}

    def say(self, name: str, room: str, *texts: str) -> list[int]:
        """Say something in a room that is always there; return the messages' numbers."""
        number = self._rooms[room]
        self.asks(name, "api/requests", {"t": "join", "id": 1, "room": number})
        path = f"api/rooms/{number}/messages"
        said = self.all_of(name, [(path, {"cid": str(uuid4()), "text": text}) for text in texts])
        return [answer["seq"] for answer in said]

    def report(self, name: str, room: str, ref: int, reason: str) -> None:
        """Report a message of a room that somebody has joined."""
        number = self._rooms[room]
        self.asks(name, "api/requests", {"t": "join", "id": 1, "room": number})
        frame = {"t": "report", "id": 2, "room": number, "ref": ref, "reason": reason}
        answer = self.asks(name, "api/requests", frame)
        assert answer["t"] == "ok", answer


class Person:
    """Somebody who looks at the chat.

    :ivar page: the page.
    :ivar complaints: what the browser complains about.
    :ivar dialogs: what scripts have put before it.
    :ivar foreign: addresses of other hosts that were asked for.
    """

    def __init__(self, name: str, page: Page) -> None:
        self.name, self.page, self.context = name, page, page.context
        self.complaints = Complaints(page).texts
        self.dialogs: list[str] = []
        self.foreign: list[str] = []
        page.on("dialog", self._dialog)
        page.context.on("request", self._request)

    def _dialog(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def _request(self, request: Request) -> None:
        if not re.match(r"(http|ws)://127\.0\.0\.1[:/]|(blob|data):", request.url):
            self.foreign.append(request.url)

    def another_tab(self) -> "Person":
        """The same person and browser, another page."""
        return Person(self.name, self.context.new_page())

    def come(self, url: str) -> None:
        """Load a page, and wait for the chat on it."""
        self.page.goto(url)
        self.page.locator(".launcher[data-phase], .page .frame").first.wait_for()

    def go_in(self, url: str, room: str | None = None) -> None:
        """Load a page and open the chat there, and perhaps a room by its name."""
        self.come(url)
        if self.page.locator(".launcher").count():
            self.page.locator(".launcher").click()
        if room is not None:
            self.enter(room)

    def enter(self, room: str) -> None:
        """Open a room of the list."""
        self.room(room).click()
        self.page.locator(
            ".room-head h2 bdi", has_text=re.compile(f"^{re.escape(room)}$")
        ).wait_for()

    def room(self, name: str) -> Locator:
        """A room in the list."""
        return self.page.locator(".rooms .room").filter(
            has=self.page.locator("bdi.name", has_text=re.compile(f"^{re.escape(name)}$"))
        )

    @property
    def text(self) -> Locator:
        """Where one writes."""
        return self.page.locator(".composer textarea")

    def say(self, text: str) -> None:
        """Write something in the room that is open, and send it."""
        self.text.fill(text)
        self.text.press("Enter")

    def message(self, text: str) -> Locator:
        """Stored messages with these words."""
        return self.page.locator(".message[data-seq]").filter(has_text=text)

    def does(self, text: str, action: str) -> None:
        """Choose an action of a message's menu."""
        message = self.message(text).last
        message.hover()
        message.locator(".dots").click()
        self.page.get_by_role("menuitem", name=action).click()

    def button(self, name: str, *, exact: bool = True) -> Locator:
        """A button by its name."""
        return self.page.get_by_role("button", name=name, exact=exact)

    def texts(self) -> list[str]:
        """All messages that the room shows, without bylines."""
        found: list[str] = self.page.locator(".message[data-seq] .bubble").all_inner_texts()
        return found
