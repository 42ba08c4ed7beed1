"""Pages with the chat on them, served to a browser without any network.

The chat's files come from where they lie; its client is the fake one of ``tests/chat/widget``.
"""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Route

from tests.neighbours.chromium import Complaints

ROOT = Path(__file__).parent.parent.parent
WIDGET = ROOT / "giestack" / "chat" / "widget"
FAKE_CLIENT = ROOT / "tests" / "chat" / "widget" / "fake_client.js"

GALAXY = "https://galaxy.example.org"
CHAT = "https://chat.example.org/giestack/chat/"
STATIC = "/giestack/chat/static/0123abcd"
TYPES = {".js": "text/javascript", ".css": "text/css", ".json": "application/json"}

STRICT = (
    "default-src 'none'; script-src https://chat.example.org; "
    "connect-src https://chat.example.org; style-src 'self'; base-uri 'none'; form-action 'none'"
)
"""The policy of a strict page: nothing of ours may stand in the page itself."""

OWN = "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'"
"""The policy of the chat's own page."""

HOSTILE = """
* { all: unset !important; display: none !important; color: lime !important; }
html, head, body, giestack-chat, main, p { display: block !important; }
giestack-chat { position: relative !important; opacity: 0 !important; filter: blur(9px) !important;
  transform: scale(3) !important; visibility: hidden !important; font: 40px cursive !important; }
button, div, textarea { border: 9px solid red !important; font-size: 60px !important; }
html { font-size: 62.5% !important; --back: red !important; --text: red !important; }
"""
"""A page's style that breaks whatever it reaches."""

_PAGE = """<!DOCTYPE html><html lang="en"><head><title>Galaxy</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/page.css">{head}</head>
<body><main><h1>Galaxy</h1><p>A page of somebody else. <a href="#there">A link</a></p></main>
{body}</body></html>
"""
TAG = f'<script src="{CHAT}widget.js" async></script>'
ME = {
    "id": "me",
    "name": "alice",
    "role": "user",
    "galaxy_url": f"{GALAXY}/",
    "static": STATIC,
    "languages": ["de", "en", "he"],
}


class Pages:
    """Answers all that a context asks for; what nobody has, it is refused.

    :ivar whoami: status and JSON of the chat's answer to who is asking.
    :ivar asked: URLs of requests so far.
    :ivar style: of the foreign page.
    :ivar locales: catalogues besides those of the chat, by language.
    """

    def __init__(self, context: BrowserContext, **wishes: Any) -> None:
        self.whoami: tuple[int, dict[str, Any]] = (200, ME)
        self.asked: list[str] = []
        self.style = "body { font-family: serif; margin: 2em }"
        self.head, self.body = TAG, ""
        self.locales: dict[str, dict[str, Any]] = {}
        context.add_init_script(f"globalThis.fakeWishes = {json.dumps(wishes)}")
        context.route("**/*", self._answer)

    def _answer(self, route: Route) -> None:
        url = route.request.url
        self.asked.append(url)
        parts = urlsplit(url)
        if url.startswith(CHAT):
            self._chat(route, parts.path.removeprefix(urlsplit(CHAT).path))
        elif url.startswith(GALAXY) and parts.path == "/":
            page = _PAGE.format(head=self.head, body=self.body)
            headers = {"Content-Security-Policy": STRICT, "Content-Type": "text/html"}
            route.fulfill(status=200, headers=headers, body=page)
        elif url == f"{GALAXY}/page.css":
            route.fulfill(status=200, content_type="text/css", body=self.style)
        elif parts.path == "/favicon.ico":
            route.fulfill(status=204)
        else:
            route.abort()

    def _chat(self, route: Route, path: str) -> None:
        origin = {"Access-Control-Allow-Origin": "*"}
        if path == "whoami":
            status, answer = self.whoami
            allowed = {
                "Access-Control-Allow-Origin": route.request.headers.get("origin", CHAT),
                "Access-Control-Allow-Credentials": "true",
            }
            route.fulfill(status=status, headers=allowed, json=answer)
            return
        if path == "":
            headers = {"Content-Security-Policy": OWN, "Content-Type": "text/html; charset=utf-8"}
            route.fulfill(status=200, headers=headers, path=WIDGET / "page.html")
            return
        path = path.removeprefix(STATIC.removeprefix(urlsplit(CHAT).path) + "/")
        language = path.removeprefix("locale/").removesuffix(".json")
        if path == "engine/client.js":
            file = FAKE_CLIENT
        elif language in self.locales:
            route.fulfill(status=200, headers=origin, json=self.locales[language])
            return
        else:
            file = WIDGET / path
        if not file.is_file():
            route.fulfill(status=404, headers=origin, body="")
            return
        headers = {
            **origin,
            "Content-Type": TYPES[file.suffix],
            "X-Content-Type-Options": "nosniff",
        }
        route.fulfill(status=200, headers=headers, path=file)


class Visit:
    """Somebody who looks at a page with the chat on it.

    :ivar pages: what answers the page's requests.
    :ivar page: the page.
    :ivar complaints: texts of the browser's complaints so far.
    """

    def __init__(self, context: BrowserContext, **wishes: Any) -> None:
        self.pages = Pages(context, **wishes)
        self.page = context.new_page()
        self.complaints = Complaints(self.page).texts

    def come(self, url: str = f"{GALAXY}/") -> None:
        """Load a page, and wait for the chat on it."""
        self.page.goto(url)
        self.page.locator(".launcher[data-phase], .page .frame").first.wait_for()

    def open(self, room: str | None = None) -> None:
        """Load the foreign page, open the panel and perhaps a room."""
        self.come()
        self.page.locator(".launcher").click()
        if room is not None:
            self.page.locator(f".room[data-room={room}]").click()
            self.page.locator(".conversation").wait_for()

    def fake(self, script: str) -> Any:
        """Have something happen in the fake client, which the script calls ``fake``."""
        return self.page.evaluate(f"() => {{ {script} }}")

    def calls(self, name: str) -> list[list[Any]]:
        """What was asked of the fake client by this name; each with what was given."""
        found = self.page.evaluate("name => fake.calls.filter(([one]) => one === name)", name)
        return [rest for _, *rest in found]

    def focused(self) -> str:
        """The name, else the text, of what has the focus."""
        found: str = self.page.evaluate(
            "() => { let e = document.activeElement; while (e.shadowRoot?.activeElement)"
            " e = e.shadowRoot.activeElement; return e.ariaLabel || e.innerText || e.tagName }"
        )
        return found
