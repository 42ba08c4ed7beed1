"""The decision's shell: what is asked, when, and what is remembered."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from giestack.access import NOT_FOUND, NOT_LOGGED_IN, UNAVAILABLE, Policy, Standing
from giestack.address import Address
from giestack.gate import DOT_SEGMENT, Gate
from giestack.proxy.decision import (
    Decision,
    Forward,
    HandOver,
    Local,
    Redirect,
    Refuse,
    Request,
    Use,
)
from giestack.proxy.head import GuardedNames, RequestFields
from giestack.proxy.seen import seen_by_visitor
from giestack.routing.chat_paths import in_chat_alone
from giestack.routing.environments import EnvironmentRoute
from giestack.routing.formats import EntryPoint
from giestack.routing.places import HostEntryPoint, OwnPage, Place, Service, SpawnedSession
from giestack.routing.table import Prefixes, RouteTable
from giestack.spawner.entrance import Entrance
from giestack.spawner.owner import Owner, owner_of
from giestack.spawner.view import Moment
from giestack.visitor import Anonymous, Identity, Refused, Unavailable, Visitor
from tests.routing.entry_points import by_key

GUARDED = GuardedNames(
    hidden_cookies=frozenset((b"galaxysession",)),
    identity_headers=frozenset((b"remote-user",)),
    remote_user_header=b"remote-user",
)
ALICE = Identity("galaxy", 1, "e1", "alice", "alice@example.org", False, 11, "k1")
BOB = Identity("galaxy", 2, "e2", "bob", "bob@example.org", True, 22, "k2")
NOBODY = Anonymous(11, "k3")

ADDRESS = Address("10.0.0.5", 8888)
KEY1 = EntryPoint("key1", "x", "token1", ADDRESS, requires_path_in_header_named="X-Path")
KEY2 = EntryPoint("key2", "x", "token2", ADDRESS)

TOOL = b"/interactivetool/ep/key1/token1"
WEBSOCKET = ((b"Upgrade", b"websocket"), (b"Connection", b"upgrade"))
FRONT = b"127.0.0.1"
SESSION = b"/giestack/session/s1"


def ask(
    target: bytes = TOOL + b"/lab",
    *fields: tuple[bytes, bytes],
    cookie: bytes = b"alice",
    peer: bytes = b"203.0.113.9",
    host: bytes = b"galaxy.example.org",
) -> Request:
    raw = [(b"Host", host), (b"Cookie", b"galaxysession=" + cookie), *fields]
    request = Request(b"GET", target, "1.1", raw)
    request.fields = RequestFields(raw, "1.1", GUARDED)
    request.seen = seen_by_visitor(request.fields, peer, frozenset((FRONT,)), False, b"https")
    return request


def entrance(owner: Owner, address: Address | None = ADDRESS) -> Entrance:
    return Entrance(
        session_id="s1",
        owner=owner,
        prefix=SESSION,
        home=SESSION + b"/lab",
        base=SESSION,
        address=address,
        strip_path=True,
        moment=Moment(state="ready", step="ready", message="It is ready."),
        use=lambda method, target: None,
    )


class Site:
    """Routes, sessions and owners, and a note of who was asked what."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.table = RouteTable(
            Prefixes(domains=("ep.galaxy.example.org",)),
            [Service(b"/apollo", Address("127.0.0.1", 8080), b"REMOTE_USER")],
        )
        self.table.replace("map", by_key((KEY1, KEY2)))
        self.visitors: dict[bytes, Visitor] = {b"alice": ALICE, b"bob": BOB, b"nobody": NOBODY}
        self.owners: dict[str, Identity | Anonymous] = {"key1": ALICE, "key2": BOB}
        self.checked: list[tuple[tuple[bytes, ...], str | None]] = []
        self.stood: list[tuple[str, Identity | Anonymous]] = []
        self.late_visitor: Deferred[Visitor] | None = None
        self.late_standing: Deferred[Standing] | None = None
        self.entrances = {"s1": entrance(owner_of(ALICE))}
        self.gate = Gate(
            self.table.locate, self.check, self.standing, policy or Policy(), self.entrances.get
        )

    def check(
        self, cookies: tuple[bytes, ...], remote_user: str | None = None
    ) -> Visitor | Deferred[Visitor]:
        self.checked.append((cookies, remote_user))
        if self.late_visitor is not None:
            return self.late_visitor
        return self.visitors.get(b"".join(cookies), Refused("no session"))

    def standing(self, key: str, visitor: Identity | Anonymous) -> Standing | Deferred[Standing]:
        self.stood.append((key, visitor))
        if self.late_standing is not None:
            return self.late_standing
        return "owner" if self.owners[key] == visitor else "other"


class EnvironmentTests(SynchronousTestCase):
    """Who has no place of their own elsewhere may have an environment."""

    ROUTE = EnvironmentRoute("cookie", Address("10.0.0.7", 8888))

    def site(self, policy: Policy | None = None) -> Site:
        site = Site(policy)
        site.table.replace("map", {}, {"k1": [self.ROUTE], "raw": [self.ROUTE], "k3": [self.ROUTE]})
        site.gate = Gate(
            site.table.locate,
            site.check,
            site.standing,
            policy or Policy(),
            environment=site.table.environment,
        )
        return site

    def status(self, site: Site, request: Request) -> int:
        decision = site.gate(request)
        if isinstance(decision, Forward):
            self.assertEqual(decision.destination.address, self.ROUTE.address)
            return 200
        assert isinstance(decision, Refuse)
        return decision.status

    def test_by_what_the_cookie_stands_for(self) -> None:
        site = self.site()
        for cookie, below, elsewhere in (
            (b"alice", 200, 200),
            (b"nobody", 200, 200),
            (b"bob", 404, 404),
            (b"raw", 401, 404),
        ):
            found = self.status(site, ask(b"/gie_proxy/jupyter", cookie=cookie))
            self.assertEqual(found, below)
            self.assertEqual(self.status(site, ask(b"/lab", cookie=cookie)), elsewhere)

    def test_by_the_cookie_itself_where_nobody_knows_sessions(self) -> None:
        site = self.site(Policy(check_owner=False, checks_sessions=False))
        self.assertEqual(self.status(site, ask(b"/gie_proxy/jupyter", cookie=b"raw")), 200)
        self.assertEqual(self.status(site, ask(b"/gie_proxy/jupyter", cookie=b"alice")), 404)
        two = (b"Cookie", b"galaxysession=k1")
        self.assertEqual(self.status(site, ask(b"/gie_proxy/x", two, cookie=b"raw")), 200)
        site.table.replace("other", {}, {"alice": [EnvironmentRoute("x", ADDRESS)]})
        two = (b"Cookie", b"galaxysession=alice")
        self.assertEqual(self.status(site, ask(b"/gie_proxy/x", two, cookie=b"raw")), 404)
        self.assertEqual(site.checked, [])


class AtOnceTests(SynchronousTestCase):
    """Where everything is known no Deferred is made."""

    def setUp(self) -> None:
        self.site = Site()

    def now(self, request: Request) -> Decision:
        decision = self.site.gate(request)
        assert not isinstance(decision, Deferred)
        return decision

    def test_the_owner(self) -> None:
        decision = self.now(ask(TOOL + b"/lab?x"))
        assert isinstance(decision, Forward)
        self.assertEqual(decision.target, b"/lab?x")
        self.assertEqual(decision.destination.visitor, ALICE)
        self.assertEqual(decision.destination.headers, ((b"X-Path", TOOL),))
        self.assertEqual(self.site.stood, [("key1", ALICE)])

    def test_others(self) -> None:
        for cookie, status in ((b"bob", 403), (b"nobody", 403), (b"mallory", 401)):
            decision = self.now(ask(cookie=cookie))
            assert isinstance(decision, Refuse)
            self.assertEqual(decision.status, status)
        self.assertEqual([visitor for _, visitor in self.site.stood], [BOB, NOBODY])

    def test_all_session_cookies_are_handed_on(self) -> None:
        self.now(ask(TOOL, (b"Cookie", b'galaxysession="b"; galaxysession=c')))
        self.assertEqual(self.site.checked, [((b"alice", b"b", b"c"), None)])

    def test_nobody_is_asked_about_what_is_not_there(self) -> None:
        for target in (
            b"/", b"/interactivetool/ep/key1/token2/", b"/interactivetool/ep/keyX/token1/",
            b"/giestack/session/abc/", b"/gie_proxy/jupyter/",
        ):  # fmt: skip
            self.assertIs(self.now(ask(target)), NOT_FOUND)
        host = b"key1-token2.ep.galaxy.example.org"
        self.assertIs(self.now(ask(b"/", host=host)), NOT_FOUND)
        self.assertEqual((self.site.checked, self.site.stood), ([], []))

    def test_where_the_url_is_the_secret_nobody_is_asked(self) -> None:
        site = self.site = Site(Policy(check_owner=False))
        decision = self.now(ask(cookie=b"mallory"))
        assert isinstance(decision, Forward)
        self.assertIsNone(decision.destination.visitor)
        self.assertEqual((site.checked, site.stood), ([], []))

    def test_who_has_no_session_has_no_standing(self) -> None:
        for visitor, answer in ((Refused("ended"), NOT_LOGGED_IN), (Unavailable("x"), UNAVAILABLE)):
            self.site.visitors[b"alice"] = visitor
            self.assertIs(self.now(ask()), answer)
        self.assertEqual(self.site.stood, [])

    def test_own_pages_and_services(self) -> None:
        self.assertEqual(self.now(ask(b"/giestack/")), Local(ALICE))
        decision = self.now(ask(b"/apollo/x?y"))
        assert isinstance(decision, Forward)
        self.assertEqual(decision.destination.headers, ((b"REMOTE_USER", b"alice@example.org"),))
        self.assertEqual(self.site.stood, [])

    def test_hosts(self) -> None:
        host = b"key1-token1.ep.galaxy.example.org"
        self.assertIs(self.now(ask(b"/lab", host=host)), NOT_LOGGED_IN)
        self.site.gate.policy = Policy(cookie_domain=b"galaxy.example.org")
        decision = self.now(ask(b"/lab?x", host=host))
        assert isinstance(decision, Forward)
        self.assertEqual((decision.target, decision.destination.prefix), (b"/lab?x", b""))

    def test_sessions(self) -> None:
        decision = self.now(ask(SESSION + b"/lab?x"))
        assert isinstance(decision, Forward)
        self.assertEqual((decision.target, decision.destination.visitor), (b"/lab?x", ALICE))
        self.assertEqual(self.now(ask(SESSION + b"?x")), Redirect(SESSION + b"/?x"))
        for cookie, status in ((b"bob", 403), (b"nobody", 401), (b"mallory", 401)):
            decision = self.now(ask(SESSION + b"/lab", cookie=cookie))
            assert isinstance(decision, Refuse)
            self.assertEqual(decision.status, status)
        self.assertEqual(self.site.stood, [])

    def test_a_tools_host_has_no_sessions(self) -> None:
        for host in (b"key1-token1.ep.galaxy.example.org", b"x.ep.galaxy.example.org"):
            self.site.gate.policy = Policy(cookie_domain=b"galaxy.example.org")
            decision = self.now(ask(SESSION + b"/lab", host=host))
            if isinstance(decision, Forward):
                self.assertEqual(decision.destination.kind, "entry_point")
            else:
                self.assertIs(decision, NOT_FOUND)

    def test_dot_segments(self) -> None:
        for path in (
            b"/.", b"/..", b"/./", b"/a/../b", b"/a/%2e%2E/b", b"/a/.%2e", b"/giestack/../x",
            TOOL + b"/..", TOOL + b"/%2e/x", b"/%2E", b"/a/..?x", b"//../x",
        ):  # fmt: skip
            self.assertIs(self.now(ask(path)), DOT_SEGMENT, path)
        self.assertEqual((DOT_SEGMENT.status, DOT_SEGMENT.code), (400, "bad-request"))
        self.assertEqual(self.site.checked, [])
        for path in (b"/...", b"/.a", b"/a..", b"/x?/../", b"/%2f..%2f", b"/..a/.b%2e"):
            self.assertIs(self.now(ask(path)), NOT_FOUND, path)


class RemoteUserTests(SynchronousTestCase):
    """A front's word about who is asking."""

    def told(self, *fields: tuple[bytes, bytes], peer: bytes = FRONT) -> str | None:
        site = Site()
        site.gate(ask(TOOL, *fields, peer=peer))
        [(_, remote_user)] = site.checked
        return remote_user

    def test_only_a_trusted_front_is_believed(self) -> None:
        alice = (b"REMOTE_USER", b"alice@example.org")
        self.assertEqual(self.told(alice), "alice@example.org")
        self.assertEqual(self.told(alice, peer=b"unix:"), "alice@example.org")
        self.assertIsNone(self.told(alice, peer=b"203.0.113.9"))

    def test_its_name_in_any_spelling(self) -> None:
        for name in (b"remote_user", b"Remote-User", b"REMOTE-USER", b"remote.user"):
            self.assertEqual(self.told((name, b" a@b ")), "a@b")

    def test_two_are_none(self) -> None:
        self.assertIsNone(self.told((b"REMOTE_USER", b"a@b"), (b"Remote-User", b"a@b")))
        self.assertIsNone(self.told((b"REMOTE_USER", b"a@b"), (b"remote_user", b"")))

    def test_an_empty_or_unreadable_one_is_none(self) -> None:
        self.assertIsNone(self.told())
        self.assertIsNone(self.told((b"REMOTE_USER", b" ")))
        self.assertIsNone(self.told((b"REMOTE_USER", b"b\xfccher@example.org")))


class LateTests(SynchronousTestCase):
    """Where the database must be asked."""

    def test_a_late_visitor(self) -> None:
        site = Site()
        site.late_visitor = Deferred()
        decision = site.gate(ask())
        assert isinstance(decision, Deferred)
        self.assertNoResult(decision)
        site.late_visitor.callback(ALICE)
        self.assertIsInstance(self.successResultOf(decision), Forward)

    def test_a_late_refusal(self) -> None:
        site = Site()
        site.late_visitor = Deferred()
        decision = site.gate(ask())
        assert isinstance(decision, Deferred)
        site.late_visitor.callback(Unavailable("down"))
        self.assertIs(self.successResultOf(decision), UNAVAILABLE)

    def test_a_late_standing(self) -> None:
        answers: tuple[tuple[Standing, int], ...] = (
            ("owner", 0),
            ("other", 403),
            ("gone", 404),
            ("unavailable", 503),
        )
        for standing, status in answers:
            site = Site()
            site.late_standing = Deferred()
            decision = site.gate(ask())
            assert isinstance(decision, Deferred)
            self.assertNoResult(decision)
            site.late_standing.callback(standing)
            result = self.successResultOf(decision)
            self.assertEqual(result.status if isinstance(result, Refuse) else 0, status)

    def test_both_late(self) -> None:
        site = Site()
        site.late_visitor, site.late_standing = Deferred(), Deferred()
        decision = site.gate(ask())
        assert isinstance(decision, Deferred)
        site.late_visitor.callback(ALICE)
        self.assertNoResult(decision)
        self.assertEqual(site.stood, [("key1", ALICE)])
        site.late_standing.callback("other")
        refused = self.successResultOf(decision)
        assert isinstance(refused, Refuse)
        self.assertEqual(refused.code, "not-owner")

    def test_a_session_that_ends_while_its_visitor_is_looked_up(self) -> None:
        site = Site()
        site.late_visitor = Deferred()
        decision = site.gate(ask(SESSION + b"/lab"))
        assert isinstance(decision, Deferred)
        del site.entrances["s1"]
        site.late_visitor.callback(ALICE)
        self.assertIs(self.successResultOf(decision), NOT_FOUND)

    def test_a_client_that_leaves_ends_the_question(self) -> None:
        cancelled: list[Deferred[Visitor]] = []
        site = Site()
        site.late_visitor = Deferred(cancelled.append)
        decision = site.gate(ask())
        assert isinstance(decision, Deferred)
        decision.cancel()
        self.assertEqual(cancelled, [site.late_visitor])
        self.failureResultOf(decision, CancelledError)


class MemoryTests(SynchronousTestCase):
    """Equal requests share one destination; others never do."""

    def setUp(self) -> None:
        self.site = Site()

    def forward(self, target: bytes = TOOL, cookie: bytes = b"alice", *fields: Any) -> Forward:
        decision = self.site.gate(ask(target, *fields, cookie=cookie))
        assert isinstance(decision, Forward), decision
        return decision

    def refused(self, target: bytes = TOOL, cookie: bytes = b"alice", *fields: Any) -> str:
        decision = self.site.gate(ask(target, *fields, cookie=cookie))
        assert isinstance(decision, Refuse), decision
        return decision.code

    def test_one_for_all_paths_of_a_tool(self) -> None:
        first, second = self.forward(TOOL + b"/a?b"), self.forward(TOOL + b"/c")
        self.assertIs(first.destination, second.destination)
        self.assertEqual((first.target, second.target), (b"/a?b", b"/c"))

    def test_another_visitor_is_refused_after_the_owner(self) -> None:
        self.forward()
        self.assertEqual(self.refused(cookie=b"bob"), "not-owner")
        self.assertEqual(self.refused(cookie=b"nobody"), "not-owner")
        self.assertEqual(self.refused(cookie=b"mallory"), "not-logged-in")
        self.assertEqual(self.forward().destination.visitor, ALICE)

    def test_a_tool_that_changes_hands(self) -> None:
        mine = self.forward()
        self.site.owners["key1"] = BOB
        self.assertEqual(self.refused(), "not-owner")
        theirs = self.forward(cookie=b"bob")
        self.assertEqual(theirs.destination.visitor, BOB)
        self.assertIsNot(theirs.destination, mine.destination)
        self.site.owners["key1"] = NOBODY
        self.assertEqual(self.forward(cookie=b"nobody").destination.visitor, NOBODY)

    def test_equal_visitors_of_different_sessions(self) -> None:
        self.forward()
        again = Identity("galaxy", 1, "e1", "alice", "alice@example.org", False, 12, "k9")
        self.site.visitors[b"again"] = again
        self.site.owners["key1"] = again
        self.assertEqual(self.forward(cookie=b"again").destination.visitor, again)
        self.site.owners["key1"] = ALICE
        self.assertEqual(self.forward().destination.visitor, ALICE)

    def test_a_tool_that_moves(self) -> None:
        self.forward()
        moved = EntryPoint("key1", "x", "token1", Address("10.0.0.6", 1))
        self.site.table.replace("map", by_key((moved,)))
        self.assertEqual(self.forward().destination.address, moved.address)
        self.assertEqual(self.forward().destination.headers, ())
        self.site.table.replace("map", {})
        self.assertEqual(self.refused(), "no-such-route")

    def test_two_tools_at_one_address(self) -> None:
        other = self.forward(b"/interactivetool/ep/key2/token2/", b"bob").destination
        self.assertEqual((other.route, other.visitor), ("key2", BOB))
        self.assertEqual(self.refused(b"/interactivetool/ep/key2/token2/"), "not-owner")
        self.assertEqual(self.forward().destination.route, "key1")

    def test_a_websockets_origin_is_checked_every_time(self) -> None:
        websocket = ((b"Upgrade", b"websocket"), (b"Connection", b"upgrade"))
        evil = (b"Origin", b"https://evil.example")
        for _ in range(2):
            self.assertEqual(self.refused(TOOL, b"alice", *websocket, evil), "foreign-origin")
            self.forward(TOOL, b"alice", *websocket)

    def test_one_for_all_paths_of_a_session(self) -> None:
        first, second = self.forward(SESSION + b"/a?b"), self.forward(SESSION + b"/c")
        self.assertIs(first.destination, second.destination)
        self.assertEqual((first.target, second.target), (b"/a?b", b"/c"))
        self.assertIsInstance(self.site.gate(ask(SESSION)), Redirect)
        self.assertEqual(self.refused(SESSION + b"/a", b"bob"), "not-owner")
        self.assertEqual(self.refused(SESSION + b"/a", b"nobody"), "not-logged-in")
        self.assertIs(self.forward(SESSION + b"/d").destination, first.destination)

    def test_a_session_that_changes(self) -> None:
        first = self.forward(SESSION + b"/").destination
        self.site.entrances["s1"] = entrance(owner_of(ALICE), KEY2.address)
        self.assertIsNot(self.forward(SESSION + b"/").destination, first)
        self.site.entrances["s1"] = entrance(owner_of(ALICE), None)
        self.assertEqual(self.refused(SESSION + b"/"), "backend-down")
        self.site.entrances["s1"] = entrance(owner_of(BOB))
        self.assertEqual(self.refused(SESSION + b"/"), "not-owner")
        self.assertEqual(self.forward(SESSION + b"/", b"bob").destination.visitor, BOB)
        del self.site.entrances["s1"]
        self.assertEqual(self.refused(SESSION + b"/"), "no-such-route")

    def test_a_websocket_into_a_session_is_checked_every_time(self) -> None:
        websocket = ((b"Upgrade", b"websocket"), (b"Connection", b"upgrade"))
        evil = (b"Origin", b"https://evil.example")
        for _ in range(2):
            refused = self.refused(SESSION + b"/ws", b"alice", *websocket, evil)
            self.assertEqual(refused, "foreign-origin")
            self.forward(SESSION + b"/ws", b"alice", *websocket)
        first = self.forward(SESSION + b"/").destination
        self.forward(SESSION + b"/ws", b"alice", *websocket)
        self.assertIs(self.forward(SESSION + b"/").destination, first)

    def test_a_lost_session_is_not_remembered(self) -> None:
        self.forward()
        self.site.visitors[b"alice"] = Refused("logged out")
        self.assertEqual(self.refused(), "not-logged-in")

    def test_a_lot_of_tools(self) -> None:
        many = [EntryPoint(f"k{n}", "x", "t", Address("10.0.0.7", 1 + n)) for n in range(10_050)]
        self.site.table.replace("map", by_key(many))
        self.site.owners = {tool.key: ALICE for tool in many}
        for _ in range(2):
            for n in (*range(0, 10_050), 3):
                forward = self.forward(b"/interactivetool/ep/k%d/t/" % n)
                self.assertEqual(forward.destination.address.port, 1 + n)


class UseTests(SynchronousTestCase):
    """Who else wants to know that a visitor's tools and sessions are used."""

    def setUp(self) -> None:
        self.site = Site(Policy(cookie_domain=b"galaxy.example.org"))
        self.made: list[tuple[Identity | Anonymous, Use | None]] = []
        self.gate = Gate(
            self.site.table.locate,
            self.site.check,
            self.site.standing,
            self.site.gate.policy,
            self.site.entrances.get,
            self.use_of,
        )

    def use_of(self, visitor: Identity | Anonymous, use: Use | None) -> Use:
        self.made.append((visitor, use))
        return self.used

    def used(self, method: bytes, target: bytes) -> None:
        return None

    def test_tools_and_sessions(self) -> None:
        use = self.site.entrances["s1"].use
        for target, host, known in (
            (TOOL, b"galaxy.example.org", None),
            (b"/lab", b"key1-token1.ep.galaxy.example.org", None),
            (SESSION + b"/lab", b"galaxy.example.org", use),
        ):
            decision = self.gate(ask(target, host=host))
            assert isinstance(decision, Forward)
            self.assertEqual(decision.destination.use, self.used)
            self.assertEqual(self.made.pop(), (ALICE, known))

    def test_it_is_made_once_for_a_destination(self) -> None:
        for target in (TOOL, SESSION):
            for rest in (b"/a", b"/b"):
                self.gate(ask(target + rest))
            self.assertEqual(len(self.made), 1)
            self.made.clear()

    def test_nothing_else(self) -> None:
        for target in (b"/apollo/x", b"/giestack/", b"/nowhere"):
            self.gate(ask(target))
        self.gate(ask(TOOL, cookie=b"bob"))
        self.assertEqual(self.made, [])

    def test_where_the_url_is_the_secret_nobody_is_known(self) -> None:
        self.gate.policy = Policy(check_owner=False)
        decision = self.gate(ask())
        assert isinstance(decision, Forward)
        self.assertEqual((decision.destination.use, self.made), (None, []))


class NotInTheTableTests(SynchronousTestCase):
    """Places that no route table makes, but another `Locate` may."""

    def gate(self, place: Place) -> Callable[[Request], Decision | Deferred[Decision]]:
        site = Site()
        return Gate(lambda host, path: place, site.check, site.standing, Policy())

    def test_a_host_without_a_tool(self) -> None:
        self.assertIs(self.gate(HostEntryPoint(None, False))(ask()), NOT_FOUND)

    def test_where_nothing_is_spawned(self) -> None:
        self.assertIs(self.gate(SpawnedSession("s1", b"/"))(ask()), NOT_FOUND)

    def test_a_public_page(self) -> None:
        gate = self.gate(OwnPage(b"/login"))
        self.assertEqual(gate(ask(cookie=b"mallory")), Local(None))


class UnreadMapTests(SynchronousTestCase):
    """Before all session maps were read, nobody can tell that a tool is not there."""

    def setUp(self) -> None:
        self.site = Site()
        self.known = False
        self.gate = Gate(
            self.site.table.locate,
            self.site.check,
            self.site.standing,
            self.site.gate.policy,
            tools_known=lambda: self.known,
        )

    def status(self, target: bytes, host: bytes = b"galaxy.example.org") -> int:
        decision = self.gate(ask(target, host=host))
        assert isinstance(decision, Refuse)
        self.assertEqual(decision.retry_after is None, decision.status == 404)
        return decision.status

    def test_tools_are_not_gone_yet(self) -> None:
        unknown = b"/interactivetool/ep/other/token/"
        host = b"other-token.ep.galaxy.example.org"
        self.assertEqual((self.status(unknown), self.status(b"/", host)), (503, 503))
        self.known = True
        self.assertEqual((self.status(unknown), self.status(b"/", host)), (404, 404))

    def test_nothing_else_waits(self) -> None:
        self.assertIsInstance(self.gate(ask()), Forward)
        self.assertEqual(self.status(b"/nowhere"), 404)
        self.assertEqual(self.status(SESSION), 404)


class UnopenedEngineTests(SynchronousTestCase):
    """Before all engines have told what they have, nobody can tell that a session is not there."""

    def test_sessions_are_not_gone_yet(self) -> None:
        site = Site()
        known: list[bool] = []
        gate = Gate(
            site.table.locate,
            site.check,
            site.standing,
            site.gate.policy,
            sessions_known=lambda: bool(known),
        )
        for cookie in (b"", b"alice"):
            decision = gate(ask(SESSION, cookie=cookie))
            assert isinstance(decision, Refuse)
            self.assertEqual((decision.status, decision.retry_after), (503, 1))
        self.assertIsInstance(gate(ask()), Forward)
        known.append(True)
        decision = gate(ask(SESSION))
        assert isinstance(decision, Refuse)
        self.assertEqual(decision.status, 404)


class ChatAloneTests(SynchronousTestCase):
    """A listener that is chat's alone: the same rules, another root."""

    def setUp(self) -> None:
        self.site = Site()
        self.gate = Gate(in_chat_alone, self.site.check, self.site.standing, Policy(chat=True))

    def test_who_is_handed_over(self) -> None:
        for cookie, visitor in ((b"alice", ALICE), (b"nobody", NOBODY), (b"x", None)):
            decision = self.gate(ask(b"/ws", *WEBSOCKET, cookie=cookie))
            self.assertEqual(decision, HandOver(visitor, b"giechat.v1.json", "chat"))

    def test_one_who_is_looked_up_late(self) -> None:
        self.site.late_visitor = Deferred()
        decision = self.gate(ask(b"/ws", *WEBSOCKET))
        assert isinstance(decision, Deferred)
        self.site.late_visitor.callback(Unavailable("down"))
        self.assertIs(self.successResultOf(decision), UNAVAILABLE)

    def test_pages_look_nobody_up(self) -> None:
        for path in (b"/", b"/?username=alice", b"/widget.js", b"/static/0a/chat.css"):
            self.assertEqual(self.gate(ask(path)), Local(None))
        self.assertEqual(self.site.checked, [])

    def test_who_asks(self) -> None:
        self.assertEqual(self.gate(ask(b"/whoami")), Local(ALICE))
        self.assertEqual(self.gate(ask(b"/whoami", cookie=b"x")), Local(None))

    def test_nothing_else(self) -> None:
        for path in (b"/giestack", b"/giestack/chat/ws", b"/sessions", TOOL + b"/lab"):
            self.assertIs(self.gate(ask(path)), NOT_FOUND)
        self.assertIs(self.gate(ask(b"/static/../ws")), DOT_SEGMENT)
