"""Who may go where: the table of refusals, place by place and visitor by visitor."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from giestack import access
from giestack.access import Policy, Standing, cookie_reaches, decide, needs_visitor
from giestack.address import Address
from giestack.proxy.decision import (
    Decision,
    Destination,
    Forward,
    HandOver,
    Local,
    Redirect,
    Refuse,
    Request,
)
from giestack.proxy.head import GuardedNames, RequestFields
from giestack.proxy.request_head import backend_fields
from giestack.proxy.seen import Seen
from giestack.routing.chat_paths import chat_place
from giestack.routing.environments import EnvironmentRoute
from giestack.routing.formats import EntryPoint
from giestack.routing.places import (
    Environment,
    HostEntryPoint,
    Nowhere,
    OwnPage,
    PathEntryPoint,
    Place,
    Service,
    ServicePlace,
    SpawnedSession,
    UnknownEntryPoint,
)
from giestack.spawner.entrance import Entrance
from giestack.spawner.owner import owner_of
from giestack.spawner.view import Moment, State
from giestack.visitor import Anonymous, Identity, Refused, Unavailable, Visitor

ALICE = Identity("galaxy", 1, "e1", "alice", "alice@example.org", False, 11, "k1")
ADMIN = Identity("galaxy", 2, "e2", "root", "root@example.org", True, 22, "k2")
OTHER_HOST = Identity("openbis", 1, "e1", "alice", "alice@example.org", False, 11, "k1")
NOBODY = Anonymous(33, "k3")
OUT = Refused("no session cookie")
DOWN = Unavailable("no answer")

TOOL = EntryPoint("key1", "interactivetoolentrypoint", "token1", Address("10.0.0.5", 8888))
IN_URL = EntryPoint("key1", "x", "token1", TOOL.address, requires_path_in_url=True)
IN_HEADER = EntryPoint("key1", "x", "token1", TOOL.address, False, "X-My-Path")
PREFIX = b"/interactivetool/ep/key1/token1"
BY_PATH = PathEntryPoint(TOOL, b"/lab/a%2Fb", PREFIX)
BY_HOST = HostEntryPoint(TOOL, False)

APOLLO = Service(b"/apollo", Address("127.0.0.1", 8080), b"REMOTE_USER")
BY_SERVICE = ServicePlace(APOLLO, b"/x", b"/base/x")

BASE = b"/giestack/session/abc"
SESSION = SpawnedSession("abc", b"/lab/a%2Fb")

OPEN = Policy(check_owner=False)
OWNED = Policy()
WIDE = Policy(cookie_domain=b"galaxy.example.org")
TOOL_HOST = b"key1-token1.ep.interactivetool.galaxy.example.org"

WEBSOCKET = ((b"Upgrade", b"websocket"), (b"Connection", b"upgrade"))


def ask(
    target: bytes = b"/x",
    *fields: tuple[bytes, bytes],
    host: bytes = b"galaxy.example.org",
    scheme: bytes = b"https",
) -> Request:
    request = Request(b"GET", target, "1.1", [(b"Host", host), *fields])
    request.fields = RequestFields(request.raw, "1.1", GuardedNames())
    request.seen = Seen(b"192.0.2.1", scheme, host, b"192.0.2.1")
    return request


def entrance(
    state: State = "ready",
    *,
    address: Address | None = TOOL.address,
    strip_path: bool = False,
    reason: str = "",
    log: tuple[str, ...] = (),
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> Entrance:
    return Entrance(
        session_id="abc",
        owner=owner_of(ALICE),
        prefix=BASE,
        home=BASE + b"/lab",
        base=BASE,
        address=address if state == "ready" else None,
        strip_path=strip_path,
        moment=Moment(state=state, step=state, message="It waits.", reason=reason, log=log),
        use=unused,
        headers=headers,
    )


def unused(method: bytes, target: bytes) -> None:
    raise AssertionError("who decides uses nothing")


class RefusedTests(SynchronousTestCase):
    """Contract: which refusal for whom; nothing else ever reaches a backend."""

    def refused(
        self,
        place: Place,
        visitor: Visitor | None,
        standing: Standing | None = None,
        policy: Policy = OWNED,
        request: Request | None = None,
    ) -> tuple[int, str]:
        decision = decide(place, request or ask(), policy, visitor, standing)
        assert isinstance(decision, Refuse), (place, visitor, standing)
        return decision.status, decision.code

    def test_nothing_there(self) -> None:
        for policy in (OWNED, OPEN, WIDE):
            for place in (
                Nowhere(),
                UnknownEntryPoint(),
                HostEntryPoint(None, False),
                HostEntryPoint(None, True),
                HostEntryPoint(TOOL, True),
                SpawnedSession("abc", b"/"),
            ):
                for visitor in (None, ALICE, ADMIN, NOBODY, OUT, DOWN):
                    decision = decide(place, ask(), policy, visitor, "owner")
                    # The same for everybody, so that nobody learns what exists.
                    self.assertIs(decision, access.NOT_FOUND)
        self.assertEqual((access.NOT_FOUND.status, access.NOT_FOUND.code), (404, "no-such-route"))

    def test_entry_points_by_path(self) -> None:
        for visitor, standing, told in (
            (OUT, None, (401, "not-logged-in")),
            (None, None, (401, "not-logged-in")),
            (DOWN, None, (503, "identity-unavailable")),
            (ALICE, "unavailable", (503, "identity-unavailable")),
            (NOBODY, "unavailable", (503, "identity-unavailable")),
            (ALICE, "gone", (404, "no-such-route")),
            (ALICE, "other", (403, "not-owner")),
            (ADMIN, "other", (403, "not-owner")),
            (NOBODY, "other", (403, "not-owner")),
            # Should a check be forgotten, the door stays shut.
            (ALICE, None, (403, "not-owner")),
            # A standing does not help those who have no session.
            (OUT, "owner", (401, "not-logged-in")),
            (DOWN, "owner", (503, "identity-unavailable")),
        ):
            self.assertEqual(self.refused(BY_PATH, visitor, standing), told, (visitor, standing))  # type: ignore[arg-type]

    def test_entry_points_by_host(self) -> None:
        request = ask(host=TOOL_HOST)
        for visitor, standing, told in (
            (OUT, None, (401, "not-logged-in")),
            (DOWN, None, (503, "identity-unavailable")),
            (ALICE, "gone", (404, "no-such-route")),
            (ALICE, "other", (403, "not-owner")),
            (NOBODY, "unavailable", (503, "identity-unavailable")),
        ):
            refused = self.refused(BY_HOST, visitor, standing, WIDE, request)  # type: ignore[arg-type]
            self.assertEqual(refused, told)

    def test_services(self) -> None:
        admins = ServicePlace(Service(b"/a", APOLLO.address, require="admin"), b"/", b"/")
        for place, visitor, told in (
            (BY_SERVICE, OUT, (401, "not-logged-in")),
            (BY_SERVICE, NOBODY, (401, "not-logged-in")),
            (BY_SERVICE, None, (401, "not-logged-in")),
            (BY_SERVICE, DOWN, (503, "identity-unavailable")),
            (admins, OUT, (401, "not-logged-in")),
            (admins, NOBODY, (401, "not-logged-in")),
            (admins, DOWN, (503, "identity-unavailable")),
            (admins, ALICE, (403, "not-admin")),
        ):
            for policy in (OWNED, OPEN):
                self.assertEqual(self.refused(place, visitor, None, policy), told)

    def test_an_email_that_a_header_cannot_hold(self) -> None:
        for email in (
            "", "b\xfccher@example.org", "a@b\r\nX: 1", "a@b\x00", "a@b\x7f", "a@b\u2028", "a@b ",
            " a@b", "a b@c", "a@b\t", "eve@b, alice@b", "\ud800@b",
        ):  # fmt: skip
            odd = Identity("galaxy", 1, "e1", None, email, True, 11, "k1")
            self.assertEqual(self.refused(BY_SERVICE, odd), (403, "unusable-email"), email)

    def test_own_pages(self) -> None:
        for rest in (b"", b"/", b"/api/v1/whoami", b"/demonstration", b"/loginx", b"/static"):
            self.assertEqual(self.refused(OwnPage(rest), OUT), (401, "not-logged-in"), rest)
            self.assertEqual(self.refused(OwnPage(rest), DOWN), (503, "identity-unavailable"))
        self.assertEqual(access.UNAVAILABLE.retry_after, 5)

    def test_sessions(self) -> None:
        for way in (entrance(), entrance("starting"), entrance("failed"), entrance("stopped")):
            for rest in (b"", b"/", b"/lab"):
                for policy in (OWNED, OPEN, WIDE):
                    for visitor, told in (
                        (None, (401, "not-logged-in")),
                        (OUT, (401, "not-logged-in")),
                        (NOBODY, (401, "not-logged-in")),
                        (DOWN, (503, "identity-unavailable")),
                        (ADMIN, (403, "not-owner")),
                        (OTHER_HOST, (403, "not-owner")),
                    ):
                        place = SpawnedSession("abc", rest)
                        decision = decide(place, ask(), policy, visitor, "owner", way)
                        assert isinstance(decision, Refuse)
                        self.assertEqual((decision.status, decision.code), told)
                        # How it is, and what it printed, is for its owner alone.
                        told_more = (decision.state, decision.log, decision.link)
                        self.assertEqual(told_more, ("", (), None))

    def test_a_session_that_is_somebody_elses_is_named(self) -> None:
        decision = decide(SESSION, ask(), OWNED, ADMIN, None, entrance())
        assert isinstance(decision, Refuse)
        self.assertEqual(
            (decision.kind, decision.route, decision.visitor), ("session", "abc", ADMIN)
        )

    def test_a_session_that_is_not_ready(self) -> None:
        for state in ("queued", "pulling", "creating", "starting", "stopping"):
            way = entrance(state, log=("one",))
            decision = decide(SESSION, ask(), OWNED, ALICE, None, way)
            self.assertEqual(
                decision,
                Refuse(
                    502, "backend-down", "It waits.", 2, "session", "abc", ALICE, state, ("one",),
                    "/giestack/sessions/abc",
                ),
            )  # fmt: skip

    def test_a_session_that_has_ended(self) -> None:
        for state in ("failed", "stopped"):
            for reason, message in (
                ("killed by signal 9", "killed by signal 9"),
                ("", "It waits."),
            ):
                way = entrance(state, reason=reason, log=("a", "b"))
                decision = decide(SESSION, ask(), OWNED, ALICE, None, way)
                assert isinstance(decision, Refuse)
                self.assertEqual((decision.message, decision.retry_after), (message, None))
                self.assertEqual((decision.state, decision.log), (state, ("a", "b")))
                self.assertNotIn("'a'", repr(decision))

    def test_ready_without_an_address_is_not_ready(self) -> None:
        decision = decide(SESSION, ask(), OWNED, ALICE, None, entrance(address=None))
        assert isinstance(decision, Refuse)
        self.assertEqual((decision.status, decision.state), (502, "ready"))

    def test_a_refusal_names_its_route_but_no_token(self) -> None:
        decision = decide(BY_PATH, ask(), OWNED, ALICE, "other")
        assert isinstance(decision, Refuse)
        self.assertEqual(
            (decision.kind, decision.route, decision.visitor), ("entry_point", "key1", ALICE)
        )
        self.assertNotIn("token1", repr(decision))
        decision = decide(
            ServicePlace(Service(b"/a", APOLLO.address, require="admin"), b"/", b"/"),
            ask(), OWNED, ALICE, None,
        )  # fmt: skip
        assert isinstance(decision, Refuse)
        self.assertEqual(
            (decision.kind, decision.route, decision.visitor), ("service", "/a", ALICE)
        )


class AdmittedTests(SynchronousTestCase):
    """What those who may enter are led to."""

    def admitted(
        self,
        place: Place,
        visitor: Visitor | None,
        standing: Standing | None = None,
        policy: Policy = OWNED,
        request: Request | None = None,
    ) -> Forward:
        decision = decide(place, request or ask(), policy, visitor, standing)
        assert isinstance(decision, Forward), decision
        return decision

    def test_owners(self) -> None:
        for visitor in (ALICE, ADMIN, NOBODY):
            forward = self.admitted(BY_PATH, visitor, "owner")
            expected = Destination(TOOL.address, "entry_point", "key1", visitor, PREFIX)
            self.assertEqual(forward.destination, expected)
            self.assertEqual(forward.target, b"/lab/a%2Fb")

    def test_the_query_is_kept_as_it_is(self) -> None:
        request = ask(PREFIX + b"/lab/a%2Fb?x=%20&y=?z")
        self.assertEqual(
            self.admitted(BY_PATH, ALICE, "owner", request=request).target,
            b"/lab/a%2Fb?x=%20&y=?z",
        )
        empty = ask(PREFIX + b"/lab/a%2Fb?")
        self.assertEqual(
            self.admitted(BY_PATH, ALICE, "owner", request=empty).target, b"/lab/a%2Fb?"
        )

    def test_tools_that_want_the_path(self) -> None:
        request = ask(PREFIX + b"/lab?x")
        forward = self.admitted(
            PathEntryPoint(IN_URL, b"/lab", PREFIX), ALICE, "owner", OWNED, request
        )
        self.assertEqual((forward.target, forward.destination.prefix), (request.target, b""))
        forward = self.admitted(
            PathEntryPoint(IN_HEADER, b"/lab", PREFIX), ALICE, "owner", OWNED, request
        )
        self.assertEqual((forward.target, forward.destination.prefix), (b"/lab?x", PREFIX))
        self.assertEqual(forward.destination.headers, ((b"X-My-Path", PREFIX),))

    def test_by_host_the_path_is_untouched(self) -> None:
        request = ask(b"/lab?x", host=TOOL_HOST)
        for tool in (TOOL, IN_URL, IN_HEADER):
            forward = self.admitted(HostEntryPoint(tool, False), ALICE, "owner", WIDE, request)
            self.assertEqual((forward.target, forward.destination.prefix), (b"/lab?x", b""))
            self.assertEqual(forward.destination.visitor, ALICE)

    def test_a_client_cannot_set_the_header_with_the_path(self) -> None:
        request = ask(b"/lab", (b"x_my_path", b"/evil"), host=TOOL_HOST)
        forward = self.admitted(HostEntryPoint(IN_HEADER, False), ALICE, "owner", WIDE, request)
        lines = backend_fields(request.fields, request.seen, forward.destination)
        self.assertNotIn(b"path", lines.lower())
        forward = self.admitted(PathEntryPoint(IN_HEADER, b"/", PREFIX), ALICE, "owner")
        lines = backend_fields(request.fields, request.seen, forward.destination)
        self.assertEqual(lines.lower().count(b"my"), 1)
        self.assertIn(b"\r\nX-My-Path: %b\r\n" % PREFIX, lines)

    def test_where_the_url_is_the_secret(self) -> None:
        for place in (BY_PATH, BY_HOST):
            for visitor in (None, OUT, DOWN, ALICE):
                forward = self.admitted(place, visitor, None, OPEN)
                self.assertIsNone(forward.destination.visitor)
                self.assertEqual(forward.destination.address, TOOL.address)

    def test_the_domains_that_galaxys_cookie_reaches(self) -> None:
        for domain in (b"galaxy.example.org", b"example.org", TOOL_HOST):
            policy = Policy(cookie_domain=domain)
            request = ask(host=TOOL_HOST + b":8443")
            self.assertTrue(cookie_reaches(request.seen, policy))
            self.admitted(BY_HOST, NOBODY, "owner", policy, request)

    def test_the_domains_that_it_does_not_reach(self) -> None:
        for domain in (None, b"other.example", b"axy.example.org", b"org.galaxy"):
            policy = Policy(cookie_domain=domain)
            self.assertFalse(cookie_reaches(ask(host=TOOL_HOST).seen, policy), domain)

    def test_services(self) -> None:
        forward = self.admitted(BY_SERVICE, ALICE, None, OWNED, ask(b"/apollo/x?y"))
        headers = ((b"REMOTE_USER", b"alice@example.org"),)
        self.assertEqual(
            forward.destination,
            Destination(APOLLO.address, "service", "/apollo", ALICE, b"/apollo", headers),
        )
        self.assertEqual(forward.target, b"/base/x?y")
        plain = Service(b"/a", APOLLO.address, strip_path=False, require="admin")
        forward = self.admitted(ServicePlace(plain, b"/", b"/a/"), ADMIN)
        self.assertEqual((forward.destination.prefix, forward.destination.headers), (b"", ()))

    def test_an_odd_email_is_no_matter_where_it_is_not_told(self) -> None:
        odd = Identity("galaxy", 1, "e1", None, "b\xfccher@example.org", False, 11, "k1")
        self.admitted(ServicePlace(Service(b"/a", APOLLO.address), b"/", b"/"), odd)

    def test_sessions(self) -> None:
        request = ask(BASE + b"/lab/a%2Fb?x=%20&y=?z")
        way = entrance()
        forward = decide(SESSION, request, OWNED, ALICE, None, way)
        assert isinstance(forward, Forward)
        self.assertEqual(forward.target, request.target)
        self.assertEqual(
            forward.destination,
            Destination(TOOL.address, "session", "abc", ALICE, b"", (), frozenset(), True, way.use),
        )

    def test_sessions_that_do_not_know_their_path(self) -> None:
        way = entrance(strip_path=True)
        for rest, target in ((b"/", b"/?q"), (b"/lab/a%2Fb", b"/lab/a%2Fb?q"), (b"//", b"//?q")):
            place = SpawnedSession("abc", rest)
            forward = decide(place, ask(BASE + rest + b"?q"), OWNED, ALICE, None, way)
            assert isinstance(forward, Forward)
            self.assertEqual(forward.target, target)
            self.assertEqual(forward.destination.prefix, BASE)

    def test_a_session_is_told_the_host_that_the_visitor_sees(self) -> None:
        request = ask(BASE + b"/lab", host=b"127.0.0.1:8800")
        request.seen = Seen(b"192.0.2.1", b"https", b"galaxy.example.org", b"192.0.2.1")
        forward = decide(SESSION, request, OWNED, ALICE, None, entrance(strip_path=True))
        assert isinstance(forward, Forward)
        lines = backend_fields(request.fields, request.seen, forward.destination)
        self.assertTrue(lines.startswith(b"Host: galaxy.example.org\r\n"))
        self.assertIn(b"\r\nX-Forwarded-Prefix: %b\r\n" % BASE, lines)

    def test_a_client_cannot_set_the_headers_of_a_session(self) -> None:
        root = (b"X-RStudio-Root-Path", BASE)
        claimed = [(name, b"/evil") for name in (b"x-rstudio-root-path", b"X_RStudio_Root_PATH")]
        for sent in (claimed, [*claimed, *WEBSOCKET]):
            request = ask(BASE + b"/x", *sent, (b"X-RStudio", b"kept"))
            forward = decide(SESSION, request, OWNED, ALICE, None, entrance(headers=(root,)))
            assert isinstance(forward, Forward)
            lines = backend_fields(request.fields, request.seen, forward.destination)
            self.assertEqual(lines.lower().count(b"root"), 1)
            self.assertIn(b"\r\nX-RStudio-Root-Path: %b\r\n" % BASE, lines)
            self.assertIn(b"\r\nX-RStudio: kept\r\n", lines)

    def test_a_header_of_a_session_without_a_value_is_only_removed(self) -> None:
        request = ask(BASE + b"/x", (b"X_Trusted_User", b"root"))
        way = entrance(headers=((b"X-Trusted-User", b""),))
        forward = decide(SESSION, request, OWNED, ALICE, None, way)
        assert isinstance(forward, Forward)
        lines = backend_fields(request.fields, request.seen, forward.destination)
        self.assertNotIn(b"trusted", lines.lower())

    def test_a_session_without_a_slash_leads_to_the_one_with_it(self) -> None:
        place = SpawnedSession("abc", b"")
        for way in (entrance(), entrance("starting"), entrance("failed")):
            for query in (b"", b"?", b"?x=%2F&y"):
                decision = decide(place, ask(BASE + query), OWNED, ALICE, None, way)
                self.assertEqual(decision, Redirect(BASE + b"/" + query))

    def test_tools_behind_a_second_proxy(self) -> None:
        far_end = Address("192.0.2.7", 4002)
        policy = Policy(check_owner=False, far_end=far_end)
        for place in (BY_PATH, BY_HOST, PathEntryPoint(IN_HEADER, b"/", PREFIX)):
            to = self.admitted(place, None, None, policy).destination
            told = dict(to.headers)
            self.assertEqual((to.address, to.route), (far_end, "key1"))
            self.assertEqual(told[b"X-Interactive-Tool-Host"], b"10.0.0.5")
            self.assertEqual(told[b"X-Interactive-Tool-Port"], b"8888")
        self.assertEqual(told[b"X-My-Path"], PREFIX)
        # Nothing else is.
        forward = self.admitted(BY_SERVICE, ALICE, None, policy)
        self.assertEqual(forward.destination.address, APOLLO.address)

    def test_redirects_to_localhost(self) -> None:
        for policy in (OPEN, replace(OPEN, reverse_proxy=True)):
            for place in (BY_PATH, BY_HOST):
                to = self.admitted(place, None, None, policy).destination
                self.assertEqual(to.localhost_is_here, policy.reverse_proxy)

    def test_trusted_origins_may_read_answers(self) -> None:
        policy = Policy(
            galaxy_origin=b"https://galaxy.example.org",
            allowed_origins=frozenset((b"https://a.example",)),
        )
        both = frozenset((b"https://galaxy.example.org", b"https://a.example"))
        for forward in (
            self.admitted(BY_PATH, ALICE, "owner", policy),
            self.admitted(BY_SERVICE, ALICE, None, policy),
            decide(SESSION, ask(), policy, ALICE, None, entrance()),
        ):
            assert isinstance(forward, Forward)
            self.assertEqual(forward.destination.allowed_origins, both)
        forward = self.admitted(BY_PATH, ALICE, "owner")
        self.assertEqual(forward.destination.allowed_origins, frozenset())

    def test_own_pages(self) -> None:
        for rest in (b"", b"/", b"/api/v1/whoami", b"/demo", b"/static/x.css"):
            for visitor in (ALICE, ADMIN, NOBODY):
                self.assertEqual(decide(OwnPage(rest), ask(), OWNED, visitor, None), Local(visitor))

    def test_own_pages_for_everybody(self) -> None:
        for rest in (b"/demo", b"/demo/", b"/login", b"/static/style.css", b"/favicon.ico"):
            for visitor in (OUT, DOWN):
                self.assertEqual(decide(OwnPage(rest), ask(), OWNED, visitor, None), Local(None))


class NeedsVisitorTests(SynchronousTestCase):
    def test_only_where_it_matters(self) -> None:
        for place, owned, open_to_all in (
            (BY_PATH, True, False),
            (BY_HOST, True, False),
            (HostEntryPoint(None, False), False, False),
            (BY_SERVICE, True, True),
            (OwnPage(b""), True, True),
            (UnknownEntryPoint(), False, False),
            (Nowhere(), False, False),
            (Environment(True, b""), True, True),
            (SpawnedSession("a", b""), False, False),
        ):
            self.assertEqual(needs_visitor(place, ask(), OWNED), owned, place)
            self.assertEqual(needs_visitor(place, ask(), OPEN), open_to_all, place)
        for policy in (OWNED, OPEN):
            for way in (entrance(), entrance("queued")):
                self.assertTrue(needs_visitor(SESSION, ask(), policy, way))


class EnvironmentTests(SynchronousTestCase):
    """Cookie-routed environments: the session is the route, and it must be valid."""

    ROUTE = EnvironmentRoute("a cookie", Address("10.0.0.7", 8888))
    BELOW, ELSEWHERE = Environment(True, b"/jupyter"), Environment(False, b"/x")
    BARE = Policy(check_owner=False, checks_sessions=False)

    def refused(self, place: Place, visitor: Visitor | None, policy: Policy = OWNED) -> int:
        decision = decide(place, ask(), policy, visitor, None)
        assert isinstance(decision, Refuse)
        return decision.status

    def test_without_a_route(self) -> None:
        for visitor, below, elsewhere in (
            (ALICE, 404, 404),
            (NOBODY, 404, 404),
            (OUT, 401, 404),
            (DOWN, 503, 503),
        ):
            self.assertEqual(self.refused(self.BELOW, visitor), below)
            self.assertEqual(self.refused(self.ELSEWHERE, visitor), elsewhere)
        self.assertEqual(self.refused(self.BELOW, None, self.BARE), 404)

    def test_the_path_is_unchanged(self) -> None:
        for visitor, policy in ((ALICE, OWNED), (NOBODY, OWNED), (None, self.BARE)):
            request = ask(b"/gie_proxy/jupyter/tree%2F?x=1")
            decision = decide(self.BELOW, request, policy, visitor, None, None, self.ROUTE)
            assert isinstance(decision, Forward)
            self.assertEqual(decision.target, request.target)
            to = decision.destination
            self.assertEqual((to.address, to.visitor), (self.ROUTE.address, visitor))
            self.assertEqual((to.kind, to.route, to.prefix), ("environment", "10.0.0.7:8888", b""))

    def test_an_rstudio_gets_what_it_reads(self) -> None:
        form = b"application/x-www-form-urlencoded"
        sent = (b"content-type", form + b"; charset=UTF-8")
        for path, got in (
            (b"/gie_proxy/rstudio/auth-do-sign-in", b"Content-Type: " + form),
            (b"/gie_proxy/jupyter/login", b"content-type: " + sent[1]),
        ):
            request = ask(path, sent)
            decision = decide(self.BELOW, request, OWNED, ALICE, None, None, self.ROUTE)
            assert isinstance(decision, Forward)
            lines = backend_fields(request.fields, request.seen, decision.destination)
            self.assertIn(b"\r\n%b\r\n" % got, lines)
            self.assertNotIn(b"rstudio-root", lines.lower())

    def test_redirects_to_localhost(self) -> None:
        for policy in (OWNED, replace(OWNED, reverse_proxy=True)):
            decision = decide(self.BELOW, ask(), policy, ALICE, None, None, self.ROUTE)
            assert isinstance(decision, Forward)
            self.assertEqual(decision.destination.localhost_is_here, policy.reverse_proxy)

    def test_a_port_that_is_not_known_yet(self) -> None:
        route = EnvironmentRoute("a cookie", None)
        decision = decide(self.BELOW, ask(), OWNED, ALICE, None, None, route)
        assert isinstance(decision, Refuse)
        self.assertEqual((decision.status, decision.code), (502, "backend-down"))
        self.assertIsNotNone(decision.retry_after)

    def test_another_sites_page(self) -> None:
        request = ask(b"/gie_proxy/x", *WEBSOCKET, (b"Origin", b"https://evil.example"))
        decision = decide(self.BELOW, request, OWNED, ALICE, None, None, self.ROUTE)
        self.assertIs(decision, access.FOREIGN_ORIGIN)


class ChatTests(SynchronousTestCase):
    """Contract section 5: what stands at chat's addresses, and for whom."""

    POLICY = Policy(chat=True, galaxy_origin=b"https://galaxy.example.org")
    EVERYBODY: tuple[Visitor, ...] = (ALICE, NOBODY, OUT, DOWN)

    def decided(
        self,
        path: bytes,
        visitor: Visitor,
        *fields: tuple[bytes, bytes],
        method: bytes = b"GET",
        policy: Policy = POLICY,
    ) -> Decision:
        """Ask as the gate does; fails where more is known than was asked for."""
        place = chat_place(path)
        request = ask(b"/giestack/chat" + path + b"?a=b", *fields)
        request.method = method
        asks = needs_visitor(place, request, policy)
        return decide(place, request, policy, visitor if asks else None, None)

    def socket(self, visitor: Visitor, origin: bytes | None = None) -> Decision:
        fields = WEBSOCKET if origin is None else (*WEBSOCKET, (b"Origin", origin))
        return self.decided(b"/ws", visitor, *fields)

    def test_what_a_page_is_made_of_is_for_anybody(self) -> None:
        for path in (b"/", b"/widget.js", b"/static/0123abcd/chat.css"):
            for visitor in self.EVERYBODY:
                self.assertEqual(self.decided(path, visitor), Local(None))

    def test_endpoints_say_themselves_what_they_do_without_a_session(self) -> None:
        for path in (b"/whoami", b"/api/prefs", b"/api/rooms/1/events"):
            self.assertEqual(self.decided(path, ALICE), Local(ALICE))
            self.assertEqual(self.decided(path, NOBODY), Local(NOBODY))
            self.assertEqual(self.decided(path, OUT), Local(None))
            self.assertIs(self.decided(path, DOWN), access.UNAVAILABLE)

    def test_nobody_is_looked_up_for_a_preflight(self) -> None:
        for path in (b"/whoami", b"/api/prefs"):
            for visitor in self.EVERYBODY:
                self.assertEqual(self.decided(path, visitor, method=b"OPTIONS"), Local(None))

    def test_a_page_for_some_needs_a_login(self) -> None:
        self.assertEqual(self.decided(b"/moderation", ALICE), Local(ALICE))
        self.assertIs(self.decided(b"/moderation", OUT), access.NOT_LOGGED_IN)
        self.assertIs(self.decided(b"/moderation", DOWN), access.UNAVAILABLE)

    def test_the_root_has_a_slash_at_its_end(self) -> None:
        self.assertEqual(self.decided(b"", DOWN), Redirect(b"/giestack/chat/?a=b"))

    def test_a_websocket_is_handed_over_whoever_it_is(self) -> None:
        for visitor, known in ((ALICE, ALICE), (NOBODY, NOBODY), (OUT, None)):
            self.assertEqual(self.socket(visitor), HandOver(known, b"giechat.v1.json", "chat"))

    def test_a_websocket_of_somebody_who_cannot_be_looked_up(self) -> None:
        self.assertIs(self.socket(DOWN), access.UNAVAILABLE)

    def test_a_websocket_of_a_foreign_page(self) -> None:
        for visitor in self.EVERYBODY:
            foreign = self.socket(visitor, b"https://evil.example.org")
            self.assertIs(foreign, access.FOREIGN_ORIGIN)
        own = self.socket(ALICE, b"https://galaxy.example.org")
        self.assertIsInstance(own, HandOver)

    def test_the_address_of_the_websocket_speaks_nothing_else(self) -> None:
        for visitor in self.EVERYBODY:
            decision = self.decided(b"/ws", visitor)
            assert isinstance(decision, Refuse)
            self.assertEqual((decision.status, decision.code), (426, "upgrade-required"))

    def test_nothing_else(self) -> None:
        for path in (b"/wsx", b"/ws/", b"/static", b"/api", b"/x/widget.js", b"//ws"):
            self.assertIs(self.decided(path, ALICE, *WEBSOCKET), access.NOT_FOUND)

    def test_no_chat(self) -> None:
        off = replace(self.POLICY, chat=False)
        for path in (b"", b"/", b"/ws", b"/whoami", b"/moderation"):
            for fields in ((), WEBSOCKET):
                decision = self.decided(path, DOWN, *fields, policy=off)
                self.assertIs(decision, access.NOT_FOUND)


class WebSocketTests(SynchronousTestCase):
    """Cross-site WebSocket hijacking: browsers send cookies along, so Origin must be checked."""

    def test_the_rule_holds_for_every_place(self) -> None:
        request = ask(b"/ws", *WEBSOCKET, (b"Origin", b"https://evil.example"))
        for place in (BY_PATH, BY_HOST, BY_SERVICE, OwnPage(b"/sessions"), OwnPage(b"/demo")):
            for policy in (OWNED, OPEN, WIDE):
                decision = decide(place, request, policy, ALICE, "owner")
                self.assertIs(decision, access.FOREIGN_ORIGIN)

    def test_also_for_sessions(self) -> None:
        evil = ask(b"/ws", *WEBSOCKET, (b"Origin", b"https://evil.example"))
        own = ask(b"/ws", *WEBSOCKET, (b"Origin", b"https://galaxy.example.org"))
        for way in (entrance(), entrance("starting")):
            decision = decide(SESSION, evil, OWNED, ALICE, None, way)
            self.assertIs(decision, access.FOREIGN_ORIGIN)
        decision = decide(SESSION, own, OWNED, ALICE, None, entrance())
        self.assertIsInstance(decision, Forward)

    def test_ordinary_requests_may_come_from_anywhere(self) -> None:
        request = ask(b"/x", (b"Origin", b"https://evil.example"))
        self.assertIsInstance(decide(BY_PATH, request, OWNED, ALICE, "owner"), Forward)
