"""A gate with tools and sessions on hosts of their own, and browsers that keep cookies by host."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred

from giestack.access import Policy, Standing
from giestack.address import Address
from giestack.gate import Gate
from giestack.host_cookies import OWN_COOKIES
from giestack.host_login import HostLogin
from giestack.identity.tickets import Tickets
from giestack.proxy.decision import Decision, Redirect, Request
from giestack.proxy.head import GuardedNames, RequestFields
from giestack.proxy.seen import seen_by_visitor
from giestack.routing.formats import EntryPoint
from giestack.routing.table import Prefixes, RouteTable
from giestack.spawner.entrance import Entrance
from giestack.spawner.owner import owner_of
from giestack.spawner.view import Moment, State
from giestack.visitor import Anonymous, Identity, Refused, Unavailable, Visitor
from tests.routing.entry_points import by_key

GALAXY = "https://galaxy.example.org"
BELOW = "ep.interactivetool.galaxy.example.org"
TOOL = f"https://key1-token1.{BELOW}"
BOBS = f"https://key2-token2.{BELOW}"
NOBODYS = f"https://key3-token3.{BELOW}"
SESSIONS = "session.example.net"
SESSION = f"https://s1.{SESSIONS}"
LOGIN = "/interactivetool/giestack/login"

ALICE = Identity("galaxy", 1, "e1", "alice", "alice@example.org", False, 11, "a" * 32)
BOB = Identity("galaxy", 2, "e2", "bob", "bob@example.org", False, 22, "b" * 32)
NOBODY = Anonymous(33, "c" * 32)

PAGE = ((b"Accept", b"text/html,*/*"),)
WEBSOCKET = ((b"Upgrade", b"websocket"), (b"Connection", b"upgrade"))
FRONT = b"127.0.0.1"
GUARDED = GuardedNames(
    hidden_cookies=frozenset((b"galaxysession", *OWN_COOKIES)),
    identity_headers=frozenset((b"remote-user",)),
    remote_user_header=b"remote-user",
)


class Site:
    """Tools of alice, of bob and of nobody with a name, and a session of alice's.

    :ivar visitors: by session key.
    :ivar now: seconds since 1970.
    :ivar standings: what differs from ownership, by key.
    :ivar named: the remote users that sessions were checked with.
    """

    def __init__(
        self,
        policy: Policy | None = None,
        galaxy_url: str | None = GALAXY + "/",
        state: State = "ready",
        base: bytes = b"",
        strip_path: bool = False,
    ) -> None:
        self.table = RouteTable(Prefixes(domains=(BELOW,), session_domain=SESSIONS))
        at = Address("10.0.0.5", 8888)
        numbers = range(1, 4)
        self.table.replace(
            "map", by_key([EntryPoint(f"key{n}", "x", f"token{n}", at) for n in numbers])
        )
        self.owners = {"key1": ALICE, "key2": BOB, "key3": NOBODY}
        self.visitors: dict[str, Visitor] = {one.session_key: one for one in (ALICE, BOB, NOBODY)}
        self.standings: dict[str, Standing] = {}
        self.named: list[str | None] = []
        self.now = 1_800_000_000.0
        self.down = False
        self.late = False
        self.waiting: list[tuple[Deferred[Visitor], Visitor]] = []
        self.secret = b"s" * 32
        self.policy = policy or Policy(
            galaxy_origin=GALAXY.encode(), session_domain=SESSIONS.encode()
        )
        self.entrances = {
            "s1": Entrance(
                session_id="s1",
                owner=owner_of(ALICE),
                prefix=b"/giestack/session/s1",
                home=b"/giestack/session/s1/lab",
                base=base,
                address=at if state == "ready" else None,
                strip_path=strip_path,
                moment=Moment(state=state, step=state, message="It waits."),
                use=lambda method, target: None,
            )
        }
        self.galaxy_url = galaxy_url
        self.gate = self.node()

    def node(self) -> Gate:
        """Another giestack for the same site."""
        self.login = HostLogin(
            Tickets(self.secret),
            lambda: self.now,
            galaxy_url=self.galaxy_url,
            login=self.table.prefixes.login,
            prefix="/giestack",
            ports=frozenset((8800,)),
        )
        return Gate(
            self.table.locate,
            self.check,
            self.standing,
            self.policy,
            self.entrances.get,
            environment=self.table.environment,
            login=self.login,
            check_key=self.check_key,
        )

    def check(
        self, cookies: tuple[bytes, ...], remote_user: str | None = None
    ) -> Visitor | Deferred[Visitor]:
        return self.check_key(b"".join(cookies).decode(), remote_user)

    def check_key(
        self, session_key: str, remote_user: str | None = None
    ) -> Visitor | Deferred[Visitor]:
        self.named.append(remote_user)
        found = self.visitors.get(session_key, Refused("no session"))
        if self.down:
            return Unavailable("down")
        if self.late:
            answer: Deferred[Visitor] = Deferred()
            self.waiting.append((answer, found))
            return answer
        return found

    def standing(self, key: str, visitor: Identity | Anonymous) -> Standing | Deferred[Standing]:
        if key in self.standings:
            return self.standings[key]
        return "owner" if self.owners[key] == visitor else "other"


class Browser:
    """Goes to addresses, and keeps cookies by host as browsers do.

    ``key`` is the session key in Galaxy's own cookie, "" for none.

    :ivar cookies: by (host name, cookie's name).
    :ivar asked: every URL so far.
    """

    def __init__(
        self, site: Site, key: str = "", headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> None:
        self.site = site
        self.cookies: dict[tuple[str, bytes], bytes] = {}
        self.asked: list[str] = []
        self.headers = tuple(headers)
        if key:
            self.log_in(key)

    def log_in(self, key: str) -> None:
        self.cookies["galaxy.example.org", b"galaxysession"] = key.encode()

    def request(self, url: str, *headers: tuple[bytes, bytes], method: bytes = b"GET") -> Request:
        parts = urlsplit(url)
        target = url.partition("://")[2].partition("/")[2]
        host = parts.netloc.encode()
        raw = [(b"Host", host), *self.headers, *headers]
        cookies = [
            b"%b=%b" % (name, value)
            for (at, name), value in self.cookies.items()
            if at == parts.hostname
        ]
        if cookies:
            raw.append((b"Cookie", b"; ".join(cookies)))
        raw.append((b"X-Forwarded-Proto", parts.scheme.encode()))
        request = Request(method, b"/" + target.encode("latin-1"), "1.1", raw)
        request.fields = RequestFields(raw, "1.1", GUARDED)
        request.seen = seen_by_visitor(request.fields, FRONT, frozenset((FRONT,)), False, b"http")
        return request

    def ask(self, url: str, *headers: tuple[bytes, bytes], method: bytes = b"GET") -> Decision:
        """Send one request; cookies that come with the answer are kept."""
        self.asked.append(url)
        decision = self.site.gate(self.request(url, *headers, method=method))
        if isinstance(decision, Deferred):
            found: list[Decision] = []
            decision.addCallback(found.append)
            while self.site.waiting:
                answer, visitor = self.site.waiting.pop()
                answer.callback(visitor)
            (decision,) = found
        if isinstance(decision, Redirect):
            for name, line in decision.headers:
                if name == b"Set-Cookie":
                    self._keep(urlsplit(url).hostname or "", line)
        return decision

    def _keep(self, host: str, line: bytes) -> None:
        pair, _, attributes = line.partition(b";")
        name, _, value = pair.partition(b"=")
        if b"Max-Age=0" in attributes:
            self.cookies.pop((host, name), None)
        else:
            self.cookies[host, name] = value

    def step(self, url: str, *headers: tuple[bytes, bytes]) -> str:
        """Ask for a page that leads elsewhere; return where to."""
        decision = self.ask(url, *PAGE, *headers)
        assert isinstance(decision, Redirect), decision
        return decision.location.decode()

    def go(self, url: str, *headers: tuple[bytes, bytes]) -> Decision:
        """Ask for a page, and follow where it leads."""
        for _ in range(10):
            decision = self.ask(url, *PAGE, *headers)
            if not isinstance(decision, Redirect):
                return decision
            location = decision.location.decode()
            if location.startswith("/"):
                parts = urlsplit(url)
                location = f"{parts.scheme}://{parts.netloc}{location}"
            url = location
        raise AssertionError(f"it goes on and on: {self.asked}")
