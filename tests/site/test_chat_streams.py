"""Streams of the chat, through the real front door in memory."""

import json

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.chat import wire
from giestack.chat.outlet import batch
from giestack.chat.storage import Page, Rejected
from giestack.database import DatabaseUnavailable
from giestack.proxy.decision import Local
from giestack.proxy.local import OwnPages
from giestack.site.chat_resource import ChatSite, make_chat_site
from giestack.site.chat_streams import ENOUGH
from giestack.site.links import Links
from giestack.site.refusals import RefusalPages
from giestack.site.streams import HEARTBEAT, Streams
from tests.proxy.memory import House, get
from tests.site.conversation import ALICE, NOW
from tests.site.fake_chat import FILES, FakeChat, message

HELLO = wire.Writing(room="r1", user="u", name="bob")


class StreamCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.chat = FakeChat()
        self.clock = Clock()
        self.streams = Streams(self.clock)
        refusals = RefusalPages(Links(), self.clock)
        site = ChatSite(self.chat, refusals, FILES, self.streams, lambda: NOW, frozenset())
        self.house = House(local=OwnPages(make_chat_site(self.clock, site), self.clock))
        self.house.decision = Local(ALICE)
        self.client = self.house.connect()

    def open(self, path: str = "/api/stream", *fields: str) -> bytes:
        self.client.send(get(path, *fields))
        return self.turn()

    def turn(self) -> bytes:
        """What the client gets in the next turn, without the framing of chunks."""
        self.clock.advance(0)
        head, _, body = self.client.take().rpartition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1"):
            head, body = b"", head + b"\r\n\r\n" + body if head else body
        lines = body.split(b"\r\n")
        return b"".join(lines[1::2]) if body else b""

    @property
    def outlet(self):
        assert self.chat.outlet is not None
        return self.chat.outlet


class FrameTests(StreamCase):
    def test_frames_are_events(self) -> None:
        self.open()
        self.outlet.send(batch(HELLO, message(2)))
        told = self.turn()
        self.assertEqual(told, batch(HELLO, message(2)).events)
        first = json.loads(told.split(b"\n\n")[0].removeprefix(b"data: "))
        self.assertEqual(first, {"t": "typing", "room": "r1", "user": "u", "name": "bob"})

    def test_what_was_said_before_the_head_went_out(self) -> None:
        arrive = self.chat.arrive

        def greet(visitor, outlet):
            talk = arrive(visitor, outlet)
            outlet.send(batch(HELLO))
            return talk

        self.chat.arrive = greet  # type: ignore[method-assign]
        self.client.send(get("/api/stream"))
        self.assertIn(batch(HELLO).events, self.client.take())

    def test_events_of_a_room_have_their_numbers(self) -> None:
        self.open("/api/rooms/r1/events?after=1", "Accept: text/event-stream")
        self.outlet.send(batch(message(2), wire.Gap(room="r1", from_=3, to=5)))
        self.outlet.send(batch(wire.Marked(room="r1", seq=2)))
        ids = [line for line in self.turn().split(b"\n") if line.startswith(b"id:")]
        self.assertEqual(ids, [b"id: 2"])

    def test_the_heart_beats(self) -> None:
        self.open()
        self.clock.advance(HEARTBEAT)
        self.assertEqual(self.turn(), b":\n\n")

    def test_a_client_that_goes(self) -> None:
        self.open()
        self.client.lose()
        self.turn()
        self.assertEqual(self.chat.talk.told, ["gone"])
        self.outlet.send(batch(HELLO))
        self.outlet.close(4401, "logged out")
        self.assertEqual(self.chat.talk.told, ["gone"])
        self.assertEqual(self.clock.getDelayedCalls(), [])


class CloseTests(StreamCase):
    def test_the_last_event_says_why(self) -> None:
        self.open()
        self.outlet.send(batch(HELLO))
        self.outlet.close(wire.CLOSE_FORBIDDEN, "banned")
        # All of it goes out at once: giestack may be about to stop.
        told = self.client.take()
        self.assertIn(batch(HELLO).events, told)
        self.assertIn(b'event: close\ndata: {"code": 4403, "reason": "banned"}\n\n', told)
        self.assertTrue(told.endswith(b"0\r\n\r\n"))
        self.assertEqual(self.chat.talk.told, ["gone"])
        self.assertEqual(self.streams.open, 0)
        self.outlet.close(4401, "again")
        self.assertEqual(self.turn(), b"")

    def test_closed_before_the_head_went_out(self) -> None:
        def closing(visitor, outlet):
            outlet.close(1012, "restart")
            return self.chat.talk

        self.chat.arrive = closing  # type: ignore[method-assign]
        self.client.send(get("/api/stream"))
        told = self.client.take()
        self.assertIn(b"event: close\n", told)
        self.assertTrue(told.endswith(b"0\r\n\r\n"))

    def test_who_does_not_read_is_cut_off(self) -> None:
        self.open()
        self.client.producer.pauseProducing()
        self.outlet.send(batch(HELLO))
        self.outlet.close(wire.CLOSE_TOO_SLOW, "too slow")
        self.turn()
        self.assertTrue(self.client.aborted)
        self.assertEqual(self.chat.talk.told, ["gone"])
        self.assertEqual((self.streams.open, self.clock.getDelayedCalls()), (0, []))

    def test_giestack_stops(self) -> None:
        self.open()
        self.streams.end_all()
        self.assertTrue(self.client.take().endswith(b"0\r\n\r\n"))
        self.assertEqual(self.chat.talk.told, ["gone"])


class SlowReaderTests(StreamCase):
    def test_the_chat_waits_for_it(self) -> None:
        self.open()
        self.client.producer.pauseProducing()
        long = batch(message(1, "x" * 3000))
        for _ in range(ENOUGH // 3000):
            self.outlet.send(long)
        self.assertEqual(self.chat.talk.told, [])
        self.outlet.send(long)
        self.outlet.send(long)
        self.assertEqual(self.chat.talk.told, ["pause"])
        self.client.take()
        self.chat.talk.when_resumed = lambda: self.outlet.send(batch(HELLO))
        self.client.producer.resumeProducing()
        told = self.turn()
        self.assertEqual(self.chat.talk.told, ["pause", "resume"])
        self.assertTrue(told.endswith(batch(HELLO).events))
        self.assertEqual(told.count(b'"t":"msg"'), ENOUGH // 3000 + 2)


class ExportTests(StreamCase):
    def export(self, *pages: Page | Exception | Deferred[Page]) -> bytes:
        self.chat.exports = list(pages)
        self.client.send(get("/api/export"))
        return self.client.take()

    def test_page_by_page_as_fast_as_it_is_read(self) -> None:
        second: Deferred[Page] = Deferred()
        told = self.export(Page((message(1),), next=4), second, Page((message(3),)))
        self.assertIn(b'"seq":1', told)
        self.assertEqual(len(self.chat.calls), 2)
        self.client.producer.pauseProducing()
        second.callback(Page((message(2),), next=9))
        self.clock.advance(0)
        self.assertEqual(len(self.chat.calls), 2)
        self.client.producer.resumeProducing()
        self.clock.advance(0)
        told = self.client.take()
        self.assertIn(b'"seq":2', told)
        self.assertIn(b'"seq":3', told)
        self.assertTrue(told.endswith(b"0\r\n\r\n"))
        self.assertEqual([call[-1] for call in self.chat.calls], [None, 4, 9])

    def test_a_page_without_messages_is_no_end(self) -> None:
        told = self.export(Page((), next=4), Page((message(2),)))
        self.clock.advance(0)
        self.assertIn(b'"seq":2', told + self.client.take())

    def test_a_download_that_breaks_off_is_not_whole(self) -> None:
        for error in (DatabaseUnavailable("down"), Rejected("perm", "No.")):
            client = self.client = self.house.connect()
            told = self.export(Page((message(1),), next=4), error)
            self.clock.advance(0)
            self.assertFalse((told + client.take()).endswith(b"0\r\n\r\n"))
            self.assertTrue(client.aborted)
            self.assertEqual(self.streams.open, 0)

    def test_an_error_breaks_it_off_too(self) -> None:
        later: Deferred[Page] = Deferred()
        self.export(Page((message(1),), next=4), later)
        later.errback(ZeroDivisionError())
        self.clock.advance(0)
        self.assertTrue(self.client.aborted)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_who_goes_in_the_middle(self) -> None:
        later: Deferred[Page] = Deferred()
        self.export(Page((message(1),), next=4), later)
        self.client.lose()
        self.clock.advance(0)
        self.assertTrue(later.called)
        self.assertEqual(self.streams.open, 0)
