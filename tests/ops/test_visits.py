"""Who enters and who is refused, as the audit log hears of it."""

from typing import Any, cast

from twisted.internet.address import UNIXAddress
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address
from giestack.ops import visits
from giestack.ops.masking import Masking
from giestack.ops.traffic import Traffic
from giestack.ops.visits import AWAY, Visits
from giestack.proxy.decision import Destination
from giestack.visitor import Anonymous, Identity
from tests.ops.test_traffic import ALICE, make_exchange, make_front

BOB = Identity("galaxy", 13, "abc", "bob", "b@example.org", False, 8, "0ther")
SOMEWHERE = Destination(Address("127.0.0.1", 1), "entry_point", "KEY", ALICE)


class VisitsTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.clock.advance(1000)
        self.told: list[Any] = []
        self.traffic = Traffic(self.clock)
        self.visits = Visits(self.traffic, self.audit, self.clock, Masking("/interactivetool/ep"))

    def audit(self, event, who, **fields):
        self.told.append((event, who, fields))

    def finish(self, target=b"/", **given):
        given.setdefault("destination", SOMEWHERE)
        given.setdefault("visitor", ALICE)
        given.setdefault("route", "KEY")
        given.setdefault("answered", self.clock.seconds())
        self.visits.finished(make_exchange(self.clock, target, **given), b"198.51.100.1")

    def events(self):
        told, self.told = self.told, []
        return [(event, who, fields.get("route")) for event, who, fields in told]

    def test_the_first_request_enters(self):
        self.finish()
        self.finish(target=b"/other")
        self.assertEqual(
            self.told,
            [
                (
                    "entered",
                    ALICE,
                    {"address": b"192.0.2.17", "kind": "entry_point", "route": "KEY"},
                )
            ],
        )
        # All are counted, whoever has entered before.
        self.assertEqual(len(self.traffic.take()), 2)

    def test_each_visitor_and_each_route(self):
        for visitor in (ALICE, BOB, Anonymous(3, "4n0n"), None):
            for route in ("KEY", "OTHER"):
                self.finish(visitor=visitor, route=route)
                self.finish(visitor=visitor, route=route)
        self.assertEqual(len(self.events()), 8)

    def test_after_a_while_without_they_enter_anew(self):
        for _ in range(3):
            self.finish()
            self.clock.advance(AWAY)
        self.assertEqual(len(self.events()), 1)
        self.clock.advance(1)
        self.finish()
        self.finish()
        self.assertEqual(len(self.events()), 1)

    def test_nobody_enters_where_nothing_answers(self):
        self.finish(answered=0.0, status=502)
        self.assertEqual(self.events(), [])
        self.finish()
        self.assertEqual(len(self.events()), 1)

    def test_own_pages_are_not_entered(self):
        self.finish(destination=None, kind="own", route="-")
        self.assertEqual(self.events(), [])

    def test_refused(self):
        self.finish(destination=None, answered=0.0, status=403, code="not-owner", visitor=BOB)
        self.assertEqual(
            self.told,
            [
                (
                    "refused",
                    BOB,
                    {
                        "address": b"192.0.2.17",
                        "kind": "entry_point",
                        "route": "KEY",
                        "path": None,
                        "code": "not-owner",
                    },
                )
            ],
        )

    def test_no_login_and_no_such_thing_are_no_refusals(self):
        for status in (401, 404, 502, 503):
            self.finish(destination=None, answered=0.0, status=status)
        self.assertEqual(self.events(), [])

    def test_a_backends_own_403_is_its_own_business(self):
        self.finish(status=403)
        self.assertEqual([event for event, _, _ in self.events()], ["entered"])

    def test_own_pages_refuse_without_secrets(self):
        target = b"/giestack/x/interactivetool/ep/KEY/TOKEN/y?token=SECRET"
        self.finish(target, destination=None, status=403, kind="own", route="-")
        [(_, _, fields)] = self.told
        self.assertEqual(fields["path"], b"/giestack/x/interactivetool/ep/KEY/-/y")
        self.assertEqual((fields["route"], fields["code"]), (None, None))
        self.visits.configure(Masking("/it"))
        self.finish(b"/x/it/KEY/TOKEN", destination=None, status=403, kind="own", route="-")
        self.assertEqual(self.told[1][2]["path"], b"/x/it/KEY/-")

    def test_memory_is_bounded(self):
        self.patch(visits, "REMEMBERED", 10)
        for number in range(10):
            self.finish(route=f"old{number}")
        self.clock.advance(AWAY + 1)
        for number in range(25):
            self.finish(route=f"new{number}")
        self.assertLessEqual(len(self.visits._visits), 10)
        self.assertEqual(len(self.events()), 35)

    def test_told_by_the_front(self):
        front = make_front(self.clock, cast(Traffic, self.visits))
        connection = front.buildProtocol(None)
        connection.makeConnection(StringTransport(peerAddress=UNIXAddress("x")))
        connection.dataReceived(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual((self.events(), len(self.traffic.take())), ([], 1))
