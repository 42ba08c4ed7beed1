"""A browser before a site: one address for Galaxy and giestack, and hosts below it for tools."""

import re
from urllib.parse import urljoin, urlsplit

from tests.galaxy.client import Visitor
from tests.galaxy.front import Front, Tunnel
from tests.neighbours.giestack import COOKIE, Answer

_TO_GIESTACK = re.compile(r"/(interactivetool|giestack)/")
_MOST = 10


class Browser:
    """Keeps cookies by host, follows redirections, and goes where a front would send it.

    It has the cookie that Galaxy has set for ``visitor``, and sends it to Galaxy's host alone.

    :ivar been: every address on its way to the last page; the last is where it is.
    """

    def __init__(self, front: Front, visitor: Visitor) -> None:
        self._front = front
        self._visitor = visitor
        self._cookies: dict[str, dict[str, str]] = {}
        self.been: list[str] = []

    def go(self, url: str) -> Answer | None:
        """Open an address as a person does; None where that ends at a page of Galaxy's."""
        self.been = []
        for _ in range(_MOST):
            self.been.append(url)
            parts = urlsplit(url)
            if parts.hostname == "localhost" and not _TO_GIESTACK.match(parts.path):
                return None
            target = url.partition(parts.netloc)[2] or "/"
            headers = {"Host": parts.netloc, "Accept": "text/html", "Cookie": self.cookies(url)}
            answer = self._front.ask(target, headers=headers)
            self._keep(parts.netloc, answer)
            if answer.status not in (302, 303):
                return answer
            url = urljoin(url, answer.headers["location"])
        raise AssertionError(f"it goes on and on: {self.been}")

    def cookies(self, url: str) -> str:
        """The cookies that are sent to an address, as a header has them."""
        parts = urlsplit(url)
        found = dict(self._cookies.get(parts.netloc, {}))
        if parts.hostname == "localhost":
            found[COOKIE] = self._visitor.cookie
        return "; ".join(f"{name}={value}" for name, value in found.items())

    def tunnel(self, url: str) -> Tunnel:
        """Open a WebSocket, as a page of the same host does."""
        parts = urlsplit(url)
        fields = {"Host": parts.netloc, "Origin": f"http://{parts.netloc}"}
        return self._front.tunnel(parts.path, {**fields, "Cookie": self.cookies(url)})

    def _keep(self, host: str, answer: Answer) -> None:
        kept = self._cookies.setdefault(host, {})
        for line in answer.headers.get_all("set-cookie") or []:
            pair, _, rest = line.partition(";")
            name, _, value = pair.partition("=")
            kept[name] = value
            if "max-age=0" in rest.lower().split("; "):
                del kept[name]
