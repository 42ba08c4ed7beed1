"""Refusals: for people a page that says what to do, for programs a line of JSON.

Nothing of the request stands on a page, above all not its address, which may hold a tool's
secret token. Pages of one status differ only in what the proxy says (`Refuse.message`), and
404 not even in that.
"""

from http import HTTPStatus

from twisted.internet.interfaces import IReactorTime

from giestack.proxy.decision import Refuse, Request
from giestack.site.asked import Answer, Asked
from giestack.site.links import Links, Login
from giestack.site.look import Look
from giestack.site.patience import Patience
from giestack.spawner.view import ENDED
from giestack.visitor import Identity

# RFC 9110 section 15.5.2 demands a challenge; the scheme is nobody's, so browsers ask nothing.
_CHALLENGE = (b"WWW-Authenticate", b'Cookie realm="giestack"')
_RETRIES = (502, 503)
_PAUSE = 5

_TITLES = {
    400: "The request was not understood",
    401: "You are not logged in",
    403: "You can’t open this",
    404: "Nothing here",
    408: "The request took too long",
    413: "That is too large",
    431: "The request’s head is too large",
    500: "Something went wrong",
    502: "No answer yet",
    503: "Not available right now",
    504: "No answer in time",
}
_SESSION_TITLES = {
    "queued": "This session waits for its turn",
    "stopping": "This session is being stopped",
    "stopped": "This session has stopped",
    "failed": "This session has failed",
}
_ADVICE = {
    400: "Go back and try once more. Should it happen again, tell the people who run this site.",
    404: "The address may have a typing mistake, or the tool behind it has ended.",
    408: "Check your connection, then load this page again.",
    413: "Send less at a time, or ask the people who run this site for another way.",
    431: "Delete this site’s cookies in your browser, then load this page again.",
    500: "It is noted in the log. Try again; should it stay, tell the people who run this site.",
    502: "It may still be starting, or it has stopped.",
    503: "You don’t have to do anything, and nothing is lost.",
    504: "It may be busy. Load this page again in a while.",
}


class RefusalPages:
    """Renders refusals; the front door's `giestack.proxy.front.RefusalPage`.

    :ivar links: as given.
    :ivar look: what these pages and all other own pages are made with.
    """

    def __init__(self, links: Links, clock: IReactorTime) -> None:
        self.links = links
        self.look = Look(links.galaxy_origin, links.chat_path)
        self._patience = Patience(clock.seconds)

    def __call__(self, refuse: Refuse, request: Request) -> tuple[bytes, bytes]:
        """Return (header lines, body) for a request at the front door."""
        asked = Asked(request.method, request.target, request.fields.accepts_html, request.seen)
        answer = self.answer(refuse, asked)
        return answer.header_lines, answer.body

    def answer(self, refuse: Refuse, asked: Asked) -> Answer:
        """Return a page where a person asks, else JSON."""
        return self._page(refuse, asked) if asked.accepts_html else self.json(refuse)

    def json(self, refuse: Refuse) -> Answer:
        """Return a refusal in the form of the JSON API."""
        said: dict[str, object] = {"error": refuse.code, "message": _sentence(refuse)}
        if refuse.state:
            said["state"] = refuse.state
        if refuse.log:
            said["log"] = refuse.log
        return self.look.json(refuse.status, said, *_headers(refuse))

    def _page(self, refuse: Refuse, asked: Asked) -> Answer:
        status = refuse.status
        pause = None
        retries = _retries(refuse)
        if retries and asked.method in (b"GET", b"HEAD"):
            pause = self._patience.pause(
                asked.seen.address, asked.target, refuse.retry_after or _PAUSE
            )
        visitor = refuse.visitor if status == 403 else None
        login = None
        if status == 401 or (status == 403 and not isinstance(visitor, Identity)):
            login = self.links.login(asked)
        if refuse.again is not None:
            login = Login(refuse.again, True)
        return self.look.page(
            status,
            "refusal.html",
            *_headers(refuse),
            title=_title(refuse),
            message="There is nothing at this address." if status == 404 else _sentence(refuse),
            advice=None if refuse.state else _ADVICE.get(status),
            code=status,
            visitor=visitor if isinstance(visitor, Identity) else None,
            login=login,
            again=refuse.again is not None,
            start=None if status in (401, 431) else self.links.start(asked),
            galaxy=self.links.galaxy_url,
            demo=f"{self.links.prefix}/demo" if self.links.demo else None,
            pause=pause,
            retries=retries,
            repeatable=(retries or status in (408, 500, 504)) and asked.method == b"GET",
            state=refuse.state,
            ended=refuse.state in ENDED,
            log="\n".join(refuse.log),
            link=refuse.link,
        )


def _retries(refuse: Refuse) -> bool:
    """Whether it can get better by itself."""
    return refuse.status in _RETRIES and refuse.state not in ENDED


def _title(refuse: Refuse) -> str:
    if refuse.state:
        return _SESSION_TITLES.get(refuse.state, "This session is starting")
    return _TITLES.get(refuse.status, _phrase(refuse.status))


def _headers(refuse: Refuse) -> list[tuple[bytes, bytes]]:
    if refuse.status == 401:
        return [_CHALLENGE]
    if _retries(refuse) or refuse.retry_after is not None:
        return [(b"Retry-After", b"%d" % (refuse.retry_after or _PAUSE))]
    return []


def _sentence(refuse: Refuse) -> str:
    """The message as a sentence; the proxy's reasons are written without capital and stop."""
    text = refuse.message or _phrase(refuse.status)
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase
