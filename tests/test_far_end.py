"""The far end of a double proxy: an open relay for nobody."""

from typing import Any

from twisted.internet.testing import EventLoggingObserver
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from giestack.access import FOREIGN_ORIGIN, NOT_FOUND, Policy
from giestack.address import Address
from giestack.double_proxy import AllowedTargets
from giestack.far_end import BAD_TARGET, FORBIDDEN_TARGET, FOREIGN_PROXY, FarEnd, far_end_of
from giestack.gate import DOT_SEGMENT
from giestack.proxy.decision import Decision, Forward, Request
from giestack.proxy.head import GuardedNames, RequestFields
from giestack.proxy.request_head import backend_fields
from giestack.proxy.seen import seen_by_visitor
from giestack.settings.schema import Forward as ForwardSettings
from giestack.settings.schema import ProxySettings

NEAR_END = b"192.0.2.7"
TARGET = ((b"x-interactive-tool-host", b"10.0.0.5"), (b"x-interactive-tool-port", b"8888"))
WEBSOCKET = ((b"Upgrade", b"websocket"), (b"Connection", b"upgrade"))


def ask(
    *fields: tuple[bytes, bytes], target: bytes = b"/lab/a%2Fb?x=%20", peer: bytes = NEAR_END
) -> Request:
    raw = [(b"Host", b"galaxy.example.org"), *fields]
    request = Request(b"GET", target, "1.1", raw)
    request.fields = RequestFields(raw, "1.1", GuardedNames())
    request.seen = seen_by_visitor(request.fields, peer, frozenset((NEAR_END,)), False, b"https")
    return request


class FarEndTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.others: list[Request] = []
        self.end = self.far_end(Policy())

    def far_end(self, policy: Policy) -> FarEnd:
        return FarEnd(self.other, AllowedTargets(("10.0.0.0/24", "node1:80")), policy)

    def other(self, request: Request) -> Decision:
        self.others.append(request)
        return NOT_FOUND

    def sent(self, request: Request, end: FarEnd | None = None) -> Forward:
        decision = (end or self.end)(request)
        assert isinstance(decision, Forward), decision
        self.assertEqual(self.others, [])
        return decision

    def test_where_the_near_end_says(self) -> None:
        forward = self.sent(ask(*TARGET))
        to = forward.destination
        self.assertEqual((to.address, forward.target), (Address("10.0.0.5", 8888), ask().target))
        self.assertEqual((to.kind, to.route, to.visitor), ("entry_point", "10.0.0.5:8888", None))
        forward = self.sent(ask((b"X-Interactive-Tool-Host", b"node1:80")))
        self.assertEqual(forward.destination.address, Address("node1", 80))

    def test_the_tool_is_not_told_of_it(self) -> None:
        request = ask(*TARGET, (b"X-Forwarded-Prefix", b"/interactivetool/ep/k/t"))
        lines = backend_fields(request.fields, request.seen, self.sent(request).destination)
        self.assertNotIn(b"interactive-tool", lines.lower())
        # But of where its visitor sees it.
        self.assertIn(b"\r\nX-Forwarded-Prefix: /interactivetool/ep/k/t\r\n", lines)
        for odd in ((b"", b"/a"), (b"a",), (b"",)):
            request = ask(*TARGET, *((b"X-Forwarded-Prefix", one) for one in odd))
            self.assertEqual(self.sent(request).destination.prefix, b"")

    def test_whoever_names_nothing_is_anybody(self) -> None:
        for peer in (NEAR_END, b"203.0.113.9"):
            request = ask(peer=peer)
            self.assertIs(self.end(request), NOT_FOUND)
            self.assertIs(self.others.pop(), request)

    def test_never_an_open_relay(self) -> None:
        for request, expected in (
            (ask(*TARGET, peer=b"203.0.113.9"), FOREIGN_PROXY),
            (ask((b"X-Interactive-Tool-Host", b"10.0.1.5:80")), FORBIDDEN_TARGET),
            (ask((b"X-Interactive-Tool-Host", b"node1:81")), FORBIDDEN_TARGET),
            (ask((b"X-Interactive-Tool-Host", b"169.254.169.254:80")), FORBIDDEN_TARGET),
            (ask((b"X-Interactive-Tool-Host", b"10.0.0.5")), BAD_TARGET),
            (ask(*TARGET, *TARGET), BAD_TARGET),
            (ask(*TARGET, target=b"/a/%2e%2E/b"), DOT_SEGMENT),
        ):
            self.assertIs(self.end(request), expected)
        self.assertEqual(self.others, [])

    def test_websockets_of_foreign_pages(self) -> None:
        evil, own = (b"Origin", b"https://evil.example"), (b"Origin", b"https://galaxy.example.org")
        self.assertIs(self.end(ask(*TARGET, *WEBSOCKET, evil)), FOREIGN_ORIGIN)
        self.sent(ask(*TARGET, *WEBSOCKET, own))
        self.sent(ask(*TARGET, *WEBSOCKET))
        self.sent(ask(*TARGET, evil))
        policy = Policy(allowed_origins=frozenset((b"https://evil.example",)))
        forward = self.sent(ask(*TARGET, *WEBSOCKET, evil), self.far_end(policy))
        self.assertEqual(forward.destination.allowed_origins, policy.origins)

    def test_one_in_the_middle(self) -> None:
        next_one = Address("10.9.9.9", 4002)
        to = self.sent(ask(*TARGET), self.far_end(Policy(far_end=next_one))).destination
        self.assertEqual((to.address, to.headers[0][1]), (next_one, b"10.0.0.5"))

    def test_each_refusal_is_said_once(self) -> None:
        events = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)  # type: ignore[arg-type]
        for number in range(3):
            named = (b"X-Interactive-Tool-Host", b"10.0.0.%d:8888" % number)
            self.end(ask(named, peer=b"203.0.113.9"))
            self.end(ask((b"X-Interactive-Tool-Host", b"10.0.1.5:80")))
        said = [formatEvent(event) for event in events]
        self.assertEqual(len(said), 2)
        self.assertIn("203.0.113.9 wants to reach 10.0.0.0:8888 and is not in proxy.trust", said[0])
        self.assertIn("10.0.1.5:80 and may not: it is not in proxy.forward.allowed", said[1])

    def test_many_refusals_are_forgotten(self) -> None:
        self.patch(FarEnd, "log", _Deaf())
        for number in range(2500):
            self.end(ask((b"X-Interactive-Tool-Host", b"10.0.1.5:%d" % (number + 1))))
        self.assertLessEqual(len(self.end._said), 1000)


class _Deaf:
    def warn(self, *_: object, **__: Any) -> None:
        pass


class SettingsTests(SynchronousTestCase):
    def test_only_where_there_are_targets(self) -> None:
        def other(request: Request) -> Decision:
            return NOT_FOUND

        self.assertIs(far_end_of(ProxySettings(), other, Policy()), other)
        proxy = ProxySettings(forward=ForwardSettings(allowed_targets=("10.0.0.5:8888",)))
        end = far_end_of(proxy, other, Policy())
        self.assertIsInstance(end(ask(*TARGET)), Forward)
        self.assertIs(end(ask()), NOT_FOUND)
