"""What is counted and remembered of an exchange."""

from typing import cast

from twisted.internet.address import UNIXAddress
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from giestack.ops.traffic import BOUNDS, LONGEST_FIELD, LONGEST_TARGET, Tally, Traffic
from giestack.proxy.client import ClientConnection
from giestack.proxy.decision import Refuse, Request
from giestack.proxy.exchange import Exchange
from giestack.proxy.front import AnswerLocally, Front, Limits
from giestack.proxy.head import GuardedNames, RequestFields
from giestack.proxy.pool import Pool
from giestack.proxy.seen import Seen
from giestack.visitor import Anonymous, Identity

ALICE = Identity("galaxy", 12, "f2db41e1fa331b3e", "alice", "a@example.org", False, 7, "s3ss10n")


def make_exchange(
    clock, target=b"/", *, lasted=0.0, fields=(), seen=True, method=b"GET", version="1.1", **given
):
    """A real exchange, as it is when `Traffic.finished` gets it at the clock's time."""
    raw = [(b"Host", b"galaxy.example.org"), *fields]
    request = Request(method, target, version, raw)
    if seen:
        request.fields = RequestFields(raw, version, GuardedNames())
        request.seen = Seen(b"192.0.2.17", b"https", b"galaxy.example.org", b"192.0.2.17")
    exchange = Exchange(cast(ClientConnection, None), request, clock.seconds() - lasted)
    exchange.kind = "entry_point"
    exchange.status = 200
    for name, value in given.items():
        setattr(exchange, name, value)
    return exchange


class ClientTransport(StringTransport):
    """A connection of which one half can be closed."""

    def loseWriteConnection(self):
        self.disconnecting = True


def make_front(clock, traffic):
    """A real front door behind which there is nothing."""
    return Front(
        clock,
        decide=lambda request: Refuse(404, "no-such-route", "Nothing.", visitor=ALICE),
        pool=Pool(clock, lambda address: TCP4ClientEndpoint(None, "127.0.0.1", 1)),
        local=cast(AnswerLocally, None),
        refusal_page=lambda refuse, request: (b"", b"nothing"),
        hold=lambda visitor, cut: lambda: None,
        watch=traffic,
        guarded=GuardedNames(),
        limits=Limits(),
        trusted=frozenset(),
    )


class TrafficTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.clock.advance(1000)
        self.traffic = Traffic(self.clock, 3)

    def finish(self, target=b"/", **given):
        self.traffic.finished(make_exchange(self.clock, target, **given), b"198.51.100.1")

    def only_line(self):
        (line,) = self.traffic.take()
        return line

    def test_counts_by_kind_and_status(self):
        self.finish()
        self.finish()
        self.finish(status=404)
        self.finish(kind="own")
        self.assertEqual(
            {key: sum(tally.buckets) for key, tally in self.traffic.tallies.items()},
            {("entry_point", 200): 2, ("entry_point", 404): 1, ("own", 200): 1},
        )

    def test_bytes(self):
        self.finish(sent=10, received=1)
        self.finish(sent=100, received=2)
        tally = self.traffic.tallies["entry_point", 200]
        self.assertEqual((tally.sent, tally.received), (110, 3))

    def test_durations(self):
        for lasted in (0.0, 0.005, 0.25, 61.0):
            self.finish(lasted=lasted)
        tally = self.traffic.tallies["entry_point", 200]
        self.assertEqual(tally.buckets[0], 2)
        self.assertEqual(tally.buckets[BOUNDS.index(0.25)], 1)
        self.assertEqual(tally.buckets[-1], 1)
        self.assertAlmostEqual(tally.seconds, 61.255)

    def test_a_clock_set_back(self):
        self.finish(lasted=-3600.0)
        tally = self.traffic.tallies["entry_point", 200]
        self.assertEqual((tally.buckets[0], tally.seconds), (1, 0.0))

    def test_line(self):
        self.finish(
            b"/a?b",
            lasted=2.0,
            asked=998.5,
            answered=999.0,
            sent=42,
            route="entry-point/3r3t",
            visitor=ALICE,
            method=b"POST",
            version="1.0",
            fields=[(b"Referer", b"https://r/"), (b"User-Agent", b"Firefox")],
        )
        self.assertEqual(
            self.only_line(),
            (
                1000.0,
                998.0,
                998.5,
                999.0,
                b"192.0.2.17",
                "alice",
                b"POST",
                b"/a?b",
                "1.0",
                200,
                42,
                b"https://r/",
                b"Firefox",
                "entry-point/3r3t",
            ),
        )

    def test_no_session_key_waits_to_be_logged(self):
        for visitor in (ALICE, Anonymous(7, "s3ss10n")):
            self.finish(visitor=visitor)
            self.assertNotIn("s3ss10n", str(self.only_line()))

    def test_an_anonymous_visitor_has_no_name(self):
        self.finish(visitor=Anonymous(7, "s3ss10n"))
        self.assertIs(self.only_line()[5], None)

    def test_a_malformed_request_has_its_connections_address(self):
        self.finish(seen=False)
        line = self.only_line()
        self.assertEqual(line[4], b"198.51.100.1")
        self.assertEqual(line[11:13], (None, None))

    def test_long_texts_are_cut(self):
        self.finish(
            b"/" + b"a" * 10_000,
            fields=[(b"Referer", b"r" * 10_000), (b"User-Agent", b"u" * 10_000)],
        )
        line = self.only_line()
        self.assertEqual(
            [len(text) for text in (line[7], line[11], line[12])],
            [LONGEST_TARGET, LONGEST_FIELD, LONGEST_FIELD],
        )

    def test_lines_that_find_no_room(self):
        for number in range(5):
            self.finish(b"/%d" % number)
        self.assertEqual(self.traffic.dropped, 2)
        self.assertEqual([line[7] for line in self.traffic.take()], [b"/0", b"/1", b"/2"])
        self.finish(b"/5")
        self.assertEqual([line[7] for line in self.traffic.take()], [b"/5"])
        self.assertEqual(self.traffic.dropped, 2)

    def test_without_an_access_log(self):
        traffic = Traffic(self.clock, 0)
        traffic.finished(make_exchange(self.clock), b"")
        self.assertEqual((traffic.take(), traffic.dropped), ([], 0))
        self.assertIsInstance(traffic.tallies["entry_point", 200], Tally)

    def test_an_access_log_that_comes_and_goes(self):
        self.finish()
        self.traffic.keep(False)
        self.finish()
        # What waits already is not lost.
        self.assertEqual(len(self.traffic.take()), 1)
        self.finish()
        self.traffic.keep(True)
        self.finish()
        self.assertEqual((len(self.traffic.take()), self.traffic.dropped), (1, 0))

    def test_told_by_the_front(self):
        client = make_front(self.clock, self.traffic).buildProtocol(None)
        client.makeConnection(ClientTransport(peerAddress=UNIXAddress("x")))
        client.dataReceived(b"GET /a?b HTTP/1.1\r\nHost: h\r\nReferer: http://r/\r\n\r\n" * 2)
        client.dataReceived(b"\x00\r\n\r\n")
        good, _, bad = self.traffic.take()
        self.assertEqual(
            (good[4:11], good[11:]),
            (
                (b"unix:", "alice", b"GET", b"/a?b", "1.1", 404, 7),
                (b"http://r/", None, "-"),
            ),
        )
        self.assertEqual(bad[4:11], (b"unix:", None, b"-", b"-", "1.1", 400, 7))
        self.assertEqual(set(self.traffic.tallies), {("refused", 404), ("refused", 400)})
