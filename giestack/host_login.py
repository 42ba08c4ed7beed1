"""Login for hosts that Galaxy's cookie does not reach: interactive tools, and spawned sessions.

The way of a browser that comes to such a host without a login:

1. That host sets a nonce and sends it to the login page, which is on Galaxy's host.
2. The login page checks who it is and whose the tool is, and sends it back with a ticket.
3. That host takes the ticket and the nonce, and sets a cookie that names Galaxy's session.

Who may enter is asked again with every request, as it is where Galaxy's own cookie arrives.
`giestack.gate` asks; here is what is sent along and what is made of it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlsplit

from twisted.logger import Logger

from giestack import host_cookies
from giestack.access import NOT_FOUND, NOT_LOGGED_IN
from giestack.address import DEFAULT_PORTS
from giestack.identity.cache import put
from giestack.identity.tickets import (
    BadTicket,
    OtherNonce,
    Tickets,
    Vouched,
    challenge_of,
    is_nonce,
    new_nonce,
)
from giestack.proxy.decision import Decision, Redirect, Refuse, Request
from giestack.proxy.seen import Seen
from giestack.site.links import is_local

NONCE_SECONDS = 300
"""How long a browser may take from leaving a host to coming back."""

BAD_TICKET = "That login is used up, too old, or not for this browser. Begin again."
NO_COOKIES = (
    "Your browser has kept no cookie of this address, so it can't be told who you are. Allow its "
    "cookies, or open it in a tab of its own."
)
NOT_SECURE = Refuse(
    403,
    "not-secure",
    "You are logged in over HTTPS, and this address is not: a login is not taken there.",
)

_REMEMBERED = 10_000
# Opening one takes as long as the rest of a request.
_MOST_COOKIES = 8
# A URL of ours, as `HostLogin.leave` writes it; nothing in it that any browser reads otherwise.
_URL = re.compile(
    r"(https?)://([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?::([1-9][0-9]{0,4}))?(/[!\"$-\[\]-~]*)?"
)
_LONGEST_WAY = 4000
_PASSED = (("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer"))
_HEADERS = tuple((name.encode(), value.encode()) for name, value in _PASSED)


@dataclass(frozen=True, slots=True)
class Wish:
    """Where somebody wants to go who has come to the login page.

    :ivar scheme: "http" or "https".
    :ivar host: name in lower case; nobody has looked yet whether it is one of ours.
    :ivar port: its port.
    :ivar target: path and query there.
    :ivar challenge: of the nonce that this host has set; b"" where it has not.
    """

    scheme: str
    host: str
    port: int
    target: str
    challenge: bytes = b""

    @property
    def origin(self) -> str:
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"

    @property
    def url(self) -> str:
        return self.origin + self.target


class HostLogin:
    """Sends browsers to log in, and takes them back.

    :ivar prefix: that of giestack's own pages.
    """

    _log = Logger()

    def __init__(
        self,
        tickets: Tickets,
        now: Callable[[], float],
        *,
        galaxy_url: str | None,
        login: str,
        prefix: str,
        ports: frozenset[int] = frozenset(),
    ) -> None:
        """
        :param now: seconds since 1970.
        :param galaxy_url: Galaxy's address; None: nobody can be sent there.
        :param login: path of the login page on Galaxy's host.
        :param ports: those at which giestack itself listens.
        """
        self._tickets = tickets
        self._now = now
        self._login = login
        self.prefix = prefix
        self._ports = ports | {80, 443}
        self._origin = ""
        self._galaxy: tuple[str, bytes] | None = None
        if galaxy_url is not None:
            parts = urlsplit(galaxy_url)
            self._origin = f"{parts.scheme}://{parts.netloc}".lower()
            self._galaxy = parts.scheme.lower(), (parts.hostname or "").lower().encode()
            if parts.port is not None:
                self._ports |= {parts.port}
        # Opening a cookie costs more than all the rest of a decision.
        self._known: dict[tuple[bytes, bytes], Vouched] = {}

    # On the host that Galaxy's cookie does not reach.

    def vouched(self, request: Request) -> Vouched | None:
        """The session that the request's cookie names on this host.

        None for no cookie, for any that is not ours for this host, and for two that name
        different sessions.
        """
        host = b"%b://%b" % (request.seen.scheme, request.seen.host_name)
        found: Vouched | None = None
        values = host_cookies.values(request, host_cookies.SESSION)
        if len(values) > _MOST_COOKIES:
            return None
        for value in values:
            vouched = self._known.get((host, value))
            if vouched is None:
                vouched = self._tickets.vouched(host, value)
                if vouched is None:
                    continue
                put(self._known, (host, value), vouched, _REMEMBERED)
            if found not in (None, vouched):
                return None
            found = vouched
        return found

    def leave(self, request: Request) -> Decision:
        """What becomes of a request without a valid login: browsers that go to a page log in.

        Nothing else is sent elsewhere: no form, no script's request, no WebSocket.
        """
        if not self._origin or not _is_navigation(request):
            return NOT_LOGGED_IN
        seen = request.seen
        nonce = next(filter(is_nonce, host_cookies.values(request, host_cookies.NONCE)), None)
        if nonce is None:
            nonce = new_nonce()
        # Tabs that leave one after the other share a nonce: the first to return uses it up, and
        # the others find the cookie that the first has got.
        cookies = [self._set(host_cookies.NONCE, nonce, seen, NONCE_SECONDS)]
        if host_cookies.values(request, host_cookies.SESSION):
            cookies.append(self._set(host_cookies.SESSION, b"", seen, 0))
        back = _origin_of(seen) + _way_back(request.target.decode("latin-1"))
        way = f"{self._origin}{self._login}?next={quote(back, safe='/:')}"
        location = f"{way}&nonce={challenge_of(nonce).decode()}"
        return Redirect(location.encode("latin-1"), (*cookies, *_HEADERS))

    def redeem(self, request: Request) -> Decision:
        """What becomes of a request for ``{prefix}/ticket``."""
        if request.method != b"GET" or request.fields.websocket or not _may_navigate(request):
            return NOT_FOUND
        query = _query(request)
        way = _way_back(query.get("next", "/"))
        seen = request.seen
        here = _origin_of(seen)
        nonces = host_cookies.values(request, host_cookies.NONCE)
        ticket = query.get("ticket", "").encode("latin-1", "replace")
        try:
            vouched = self._tickets.redeem(ticket, here.encode("latin-1"), nonces, self._now())
        except BadTicket as error:
            # Another tab was faster. Either it is back already, and whether that login is good is
            # asked there; or it has overwritten our nonce, with one that will do for all tabs.
            other = isinstance(error, OtherNonce)
            if (other and any(map(is_nonce, nonces))) or self.vouched(request) is not None:
                return Redirect((here + way).encode("latin-1"), _HEADERS)
            self._log.info("a ticket was refused: {reason}", reason=str(error))
            message = NO_COOKIES if other and not nonces else BAD_TICKET
            return Refuse(401, "bad-ticket", message, again=way)
        host = b"%b://%b" % (seen.scheme, seen.host_name)
        cookies = (
            self._set(host_cookies.SESSION, self._tickets.cookie(host, vouched), seen, None),
            self._set(host_cookies.NONCE, b"", seen, 0),
        )
        return Redirect((here + way).encode("latin-1"), (*cookies, *_HEADERS))

    def _set(
        self, cookie: bytes, value: bytes, seen: Seen, max_age: int | None
    ) -> tuple[bytes, bytes]:
        return host_cookies.set_cookie(cookie, value, seen, self._same_site(seen), max_age)

    def _same_site(self, seen: Seen) -> bool:
        """Whether this host is below Galaxy's: the case that needs no list of public suffixes."""
        if self._galaxy is None:
            return False
        scheme, name = self._galaxy
        return seen.scheme.decode() == scheme and seen.host_name.endswith(b"." + name)

    # On Galaxy's host.

    def wish(self, request: Request) -> Wish | Refuse | None:
        """Where a request for the login page wants to go; None: nowhere else.

        A `Refuse` where that can't be, whoever asks. Whether there is such a host, and whose it
        is, is not known yet.
        """
        query = _query(request)
        if "back" in query:
            closed = query["back"].encode("latin-1", "replace")
            url, challenge = self._tickets.open_address(closed), b""
        elif "next" in query:
            url, challenge = query["next"], query.get("nonce", "").encode("latin-1", "replace")
        else:
            return None
        match = _URL.fullmatch(url or "")
        if match is None or (challenge and not is_nonce(challenge)):
            return NOT_FOUND
        scheme, host, told, target = match.groups(default="")
        port = int(told) if told else DEFAULT_PORTS[scheme]
        if port not in self._ports and port != int(request.seen.port):
            # Somebody else may listen there, whom cookies and tickets would reach.
            return NOT_FOUND
        if not is_local(target or "/"):
            return NOT_FOUND
        if scheme == "http" and request.seen.scheme == b"https":
            return NOT_SECURE
        return Wish(scheme, host, port, target or "/", challenge)

    def log_in(self, request: Request, wish: Wish, otherwise: Refuse) -> Decision:
        """What is said to whom a login in Galaxy may help.

        Galaxy's login page comes back to addresses without ``%`` only, so a browser is sent to
        the same page at such an address first.
        """
        if b"back=" in request.target or not _is_navigation(request):
            return otherwise
        path = request.target.partition(b"?")[0]
        closed = self._tickets.close_address(wish.url).encode()
        return Redirect(b"%b?back=%b" % (path, closed), _HEADERS)

    def admit(self, wish: Wish, vouched: Vouched) -> Decision:
        """Send a visitor on whose tool it is: with a ticket where the tool's host can take one."""
        if not wish.challenge:
            return self.send_on(wish)
        origin = wish.origin
        ticket = self._tickets.ticket(origin.encode(), wish.challenge, vouched, self._now())
        way = f"{origin}{self.prefix}/ticket?ticket={ticket}&next={quote(wish.target, safe='/')}"
        return Redirect(way.encode(), _HEADERS)

    def send_on(self, wish: Wish) -> Decision:
        """Send a visitor to a host where no ticket is needed, or where one can be asked for."""
        return Redirect(wish.url.encode(), _HEADERS)


def _origin_of(seen: Seen) -> str:
    """The host as the visitor sees it, as browsers write it."""
    scheme, port = seen.scheme.decode(), int(seen.port)
    told = "" if port == DEFAULT_PORTS[scheme] else f":{port}"
    return f"{scheme}://{seen.host_name.decode('latin-1')}{told}"


def _way_back(target: str) -> str:
    """A path and query to come back to: as asked for, or as much as can be carried along."""
    for way in (target, target.partition("?")[0]):
        if len(way) <= _LONGEST_WAY and is_local(way) and "#" not in way:
            return way
    return "/"


def _query(request: Request) -> dict[str, str]:
    """The parameters of a request target; none where one is there twice."""
    text = request.target.partition(b"?")[2].decode("latin-1")
    try:
        found = parse_qs(text, keep_blank_values=True, max_num_fields=16, encoding="latin-1")
    except ValueError:
        return {}
    if any(len(values) > 1 for values in found.values()):
        return {}
    return {name: value for name, (value,) in found.items()}


def _is_navigation(request: Request) -> bool:
    """Whether a browser asks for a page to show."""
    return (
        request.method in (b"GET", b"HEAD")
        and request.fields.accepts_html
        and not request.fields.websocket
        and _may_navigate(request)
    )


def _may_navigate(request: Request) -> bool:
    """Whether the browser does not say that it is a script that asks (Fetch Metadata)."""
    modes = [value for name, value in request.raw if name.lower() == b"sec-fetch-mode"]
    return all(mode.strip(b" \t").lower() == b"navigate" for mode in modes)
