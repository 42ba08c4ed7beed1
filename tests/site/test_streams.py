"""Answers that go on, through the real front door in memory."""

from collections.abc import Hashable
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.proxy.decision import Local
from giestack.proxy.local import OwnPages
from giestack.site.asked import Answer, Asked, Stream
from giestack.site.endpoint import Endpoint, OwnSite
from giestack.site.links import Links
from giestack.site.refusals import RefusalPages
from giestack.site.streams import HEARTBEAT, Streams, WakeOrCut
from tests.proxy.memory import House, Wire, get
from tests.site.conversation import ALICE


class Words:
    """A source of what the test puts in."""

    def __init__(self, *words: bytes, idle: bytes = b":idle ") -> None:
        self.idle = idle
        self.words = list(words)
        self.resumed = True
        self.over = False
        self.started = 0
        self.stopped = 0
        self.error: Exception | None = None
        self.wake: WakeOrCut = lambda full=False, cut=False: None

    def start(self, wake: WakeOrCut) -> None:
        self.started += 1
        self.wake = wake
        if self.error is not None:
            raise self.error

    def take(self) -> bytes | None:
        if self.words:
            taken, self.words = b"".join(self.words), []
            return taken
        return None if self.over else b""

    def stop(self) -> None:
        self.stopped += 1

    def say(self, word: bytes) -> None:
        self.words.append(word)
        self.wake()

    def end(self) -> None:
        self.over = True
        self.wake()


class StreamTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.streams = Streams(self.clock, per_user=3)
        self.source = Words(b"one ")
        self.whose: Hashable = "alice"
        refusals = RefusalPages(Links(), self.clock)
        site = OwnSite(Endpoint({}, refusals.answer), self.clock)
        site.resource.putChild(b"s", Endpoint({b"GET": self.stream}, refusals.answer))
        self.house = House(local=OwnPages(site, self.clock))
        self.house.decision = Local(ALICE)
        self.client = self.house.connect()

    async def stream(self, asked: Asked) -> Answer | Stream:
        return self.streams.answer(self.source, b"text/x-words", self.whose)

    def ask(self, *fields: str, client: Wire | None = None) -> bytes:
        client = client or self.client
        client.send(get("/s", *fields))
        return client.take()

    def turn(self) -> bytes:
        """What the client gets in the next turn."""
        self.clock.advance(0)
        return self.client.take()

    def test_the_head_and_what_there_is_come_at_once(self) -> None:
        head, _, body = self.ask().partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 200 OK\r\n"))
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        self.assertEqual(fields[b"content-type"], b"text/x-words")
        self.assertEqual(fields[b"cache-control"], b"no-store")
        self.assertEqual(fields[b"x-accel-buffering"], b"no")
        self.assertEqual(fields[b"x-content-type-options"], b"nosniff")
        self.assertNotIn(b"server", fields)
        self.assertNotIn(b"content-length", fields)
        self.assertEqual(body, b"4\r\none \r\n")
        self.assertEqual((self.source.started, self.streams.open), (1, 1))

    def test_one_by_one(self) -> None:
        self.ask()
        for word in (b"two ", b"three "):
            self.source.say(word)
            self.assertEqual(self.turn(), b"%x\r\n%b\r\n" % (len(word), word))

    def test_what_comes_together_goes_together(self) -> None:
        self.ask()
        self.source.say(b"two ")
        self.source.say(b"three ")
        self.assertEqual(self.client.take(), b"")
        self.assertEqual(self.turn(), b"a\r\ntwo three \r\n")

    def test_what_has_no_room_does_not_wait(self) -> None:
        self.ask()
        self.source.say(b"two ")
        self.source.words.append(b"three ")
        self.source.wake(True)
        self.assertEqual(self.client.take(), b"a\r\ntwo three \r\n")
        self.assertEqual(self.turn(), b"")
        self.client.producer.pauseProducing()
        self.source.words.append(b"four ")
        self.source.wake(True)
        self.assertEqual((self.client.take(), self.source.words), (b"", [b"four "]))
        self.client.lose()
        self.turn()
        self.source.wake(True)
        self.assertEqual(self.source.words, [b"four "])

    def test_the_end(self) -> None:
        self.ask()
        self.source.say(b"two")
        self.source.end()
        self.assertEqual(self.turn(), b"3\r\ntwo\r\n0\r\n\r\n")
        self.assertEqual((self.source.stopped, self.streams.open), (1, 0))
        self.assertTrue(self.client.open)
        self.source.wake()
        self.assertEqual(self.turn(), b"")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        # The connection goes on.
        self.source = Words(b"again")
        self.assertIn(b"again", self.ask())

    def test_one_that_is_over_before_it_began(self) -> None:
        self.source.over = True
        self.assertTrue(self.ask().endswith(b"4\r\none \r\n0\r\n\r\n"))
        self.assertEqual((self.source.stopped, self.streams.open), (1, 0))
        self.turn()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_client_that_goes(self) -> None:
        self.ask()
        self.source.say(b"two")
        self.client.lose()
        self.turn()
        self.assertEqual((self.source.stopped, self.streams.open), (1, 0))
        self.source.wake()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_session_that_ends(self) -> None:
        """The front door holds what goes on under the visitor's session."""
        self.ask()
        [cut] = self.house.held
        cut("logged out")
        self.assertTrue(self.client.aborted)
        self.turn()
        self.assertEqual((self.source.stopped, self.streams.open), (1, 0))
        self.assertEqual((self.house.held, self.clock.getDelayedCalls()), ([], []))

    def test_a_client_that_does_not_read(self) -> None:
        self.ask()
        self.source.say(b"two ")
        self.client.producer.pauseProducing()
        self.source.say(b"three ")
        self.assertEqual(self.turn(), b"")
        # What there is stays with the source, which knows how much it may keep.
        self.assertEqual(self.source.words, [b"two ", b"three "])
        self.client.producer.resumeProducing()
        self.assertEqual(self.turn(), b"a\r\ntwo three \r\n")

    def test_nothing_is_added_for_a_client_that_does_not_read(self) -> None:
        self.ask()
        self.client.producer.pauseProducing()
        self.clock.advance(HEARTBEAT * 3)
        self.assertEqual(self.client.take(), b"")
        self.client.producer.resumeProducing()
        self.clock.advance(HEARTBEAT)
        self.assertEqual(self.client.take(), b"6\r\n:idle \r\n")

    def test_a_client_that_stops_reading_in_the_middle(self) -> None:
        class Endless(Words):
            def take(self) -> bytes | None:
                return b"x"

        self.source = Endless()
        wire = self.client
        plain = wire.write

        def write(data: bytes) -> None:
            plain(data)
            if len(wire.written) > 1000:
                wire.producer.pauseProducing()

        wire.write = write  # type: ignore[method-assign]
        self.assertLess(len(self.ask()), 1100)

    def test_the_heart_beats_when_nothing_happens(self) -> None:
        self.ask()
        self.clock.advance(HEARTBEAT - 1)
        self.source.say(b"two")
        self.turn()
        self.clock.advance(HEARTBEAT - 1)
        self.assertEqual(self.client.take(), b"")
        for seconds in (1, HEARTBEAT):
            self.clock.advance(seconds)
            self.assertEqual(self.client.take(), b"6\r\n:idle \r\n")

    def test_a_stream_without_a_heartbeat(self) -> None:
        self.source.idle = b""
        self.ask()
        self.clock.advance(HEARTBEAT * 3)
        self.assertEqual(self.client.take(), b"")

    def test_all_end_when_giestack_stops(self) -> None:
        others = [self.house.connect(), self.house.connect()]
        sources = []
        for client in (self.client, *others):
            self.source = Words(b"word")
            sources.append(self.source)
            self.ask(client=client)
        self.assertEqual(self.streams.open, 3)
        others[0].producer.pauseProducing()
        sources[0].say(b"more")
        self.house.front.drain()
        self.streams.end_all()
        self.assertEqual(self.client.take(), b"0\r\n\r\n")
        self.assertEqual([source.stopped for source in sources], [1, 1, 1])
        self.assertEqual(self.streams.open, 0)
        # Nothing holds the connections any more.
        self.assertTrue(all(client.closing for client in (self.client, *others)))
        self.turn()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.streams.end_all()

    def test_who_would_not_come_back_is_cut_off(self) -> None:
        self.source.resumed = False
        self.ask()
        self.streams.end_all()
        self.assertEqual(self.client.take(), b"")
        self.assertTrue(self.client.aborted)
        self.assertEqual((self.source.stopped, self.streams.open), (1, 0))
        self.turn()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_none_begins_when_giestack_stops(self) -> None:
        self.streams.end_all()
        told = self.ask("Accept: application/json")
        self.assertTrue(told.startswith(b"HTTP/1.1 503 "))
        self.assertIn(b'"error": "draining"', told)
        self.assertIn(b"Retry-After: 2\r\n", told)
        self.assertEqual(self.source.started, 0)

    def test_one_too_many(self) -> None:
        clients = [self.house.connect() for _ in range(3)]
        for client in clients:
            self.assertIn(b" 200 ", self.ask(client=client))
        told = self.ask("Accept: application/json")
        self.assertTrue(told.startswith(b"HTTP/1.1 503 "))
        self.assertIn(b'"error": "too-many-streams"', told)
        self.whose = "bob"
        self.assertIn(b" 200 ", self.ask())
        self.whose = "alice"
        clients[0].lose()
        self.clock.advance(0)
        self.assertIn(b" 200 ", self.ask(client=self.house.connect()))

    def test_only_the_head(self) -> None:
        self.client.send(get("/s").replace(b"GET", b"HEAD"))
        told = self.client.take()
        self.assertTrue(told.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertTrue(told.endswith(b"\r\n\r\n"))
        self.assertEqual((self.source.started, self.streams.open), (0, 0))
        self.assertIn(b"one", self.ask())

    def test_the_head_does_not_wait_for_the_first_word(self) -> None:
        self.source = Words()
        self.assertTrue(self.ask().endswith(b"\r\n\r\n"))
        self.source.say(b"one")
        self.assertEqual(self.turn(), b"3\r\none\r\n")

    def test_a_source_that_can_not_go_on(self) -> None:
        self.ask()
        self.client.producer.pauseProducing()
        for _ in range(2):
            self.source.wake(cut=True)
            self.assertTrue(self.client.aborted)
            self.assertEqual((self.source.stopped, self.streams.open), (1, 0))
        self.turn()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_source_that_fails(self) -> None:
        self.source.error = ZeroDivisionError()
        self.ask()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(self.client.aborted)
        self.assertEqual((self.source.stopped, self.streams.open), (1, 0))
        self.turn()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_source_that_fails_later(self) -> None:
        self.ask()

        def take() -> Any:
            raise ZeroDivisionError

        self.source.take = take  # type: ignore[method-assign]
        self.source.wake()
        self.turn()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(self.client.aborted)
        self.assertEqual((self.source.stopped, self.streams.open), (1, 0))

    def test_over_http_1_0(self) -> None:
        self.client.send(get("/s").replace(b"HTTP/1.1", b"HTTP/1.0"))
        self.assertTrue(self.client.take().endswith(b"\r\n\r\none "))
        self.source.say(b"two")
        self.assertEqual(self.turn(), b"two")
        self.source.end()
        self.turn()
        self.assertTrue(self.client.closing)

    def test_over_a_connection_that_is_not_ours(self) -> None:
        """As on the admin listener, whose transport stops what it is a consumer of."""
        self.ask()
        [flow] = self.streams._flows
        flow.stopProducing()
        self.assertEqual((self.source.stopped, self.streams.open), (1, 0))
