"""One client's WebSocket: what it may send, what it is told, and how it ends."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.chat.outlet import Outlet
from giestack.chat.websocket import LINGER, ODD, SLOW, STEPS
from giestack.visitor import USER_DELETED
from tests.chat.web_sockets import (
    BINARY,
    CLOSE,
    HEAD,
    PING,
    PONG,
    TEXT,
    Client,
    Frame,
    Host,
    Talk,
    batch_of,
    frame,
    frames,
)


class SocketCase(SynchronousTestCase):
    """One open WebSocket."""

    def setUp(self) -> None:
        self.host = Host()
        self.client = self.open()
        self.talk = self.host.talks[0]

    def open(self) -> Client:
        client = self.host.connect()
        client.shake_hands()
        return client

    def closed_with(self, code: int) -> Frame:
        """Fails where the last frame is not a close with this code; returns it."""
        last = self.client.read()[-1]
        self.assertEqual((last.opcode, last.code), (CLOSE, code), last)
        return last

    def turn(self) -> None:
        """What was put off to the next turns of the reactor."""
        while any(call.getTime() <= self.host.clock.seconds() for call in self.calls()):
            self.host.clock.advance(0)

    def calls(self) -> Any:
        return self.host.clock.getDelayedCalls()

    def nothing_is_left(self) -> None:
        """Once a connection has ended nothing knows of it."""
        self.assertEqual((len(self.host.edge.pulse), self.host.held), (0, []))
        # The pulse itself goes on.
        self.assertEqual(len(self.calls()), 1)


class HandshakeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.host = Host()

    def refused(self, head: bytes) -> bytes:
        client = self.host.connect(head=head)
        self.assertTrue(client.closing)
        answer = client.take()
        client.lose()
        self.assertEqual((self.host.talks, self.host.visitors), ([], []))
        return answer

    def test_it_is_answered(self) -> None:
        head = self.host.connect().shake_hands()
        self.assertTrue(head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n"))
        self.assertIn(b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", head)
        self.assertIn(b"\r\nSec-WebSocket-Protocol: giechat.v1.json", head)

    def test_who_answers_is_not_told(self) -> None:
        head = self.host.connect().shake_hands()
        self.assertNotIn(b"Server:", head)
        self.assertNotIn(b"utobahn", head)

    def test_compression_is_declined(self) -> None:
        offer = b"\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
        client = self.host.connect(head=HEAD[:-4] + offer)
        self.assertNotIn(b"Extensions", client.shake_hands())
        client.send(frame(b"\xf2H\xcd\xc9\xc9\x07\x00", rsv=4))
        self.assertEqual(client.read()[-1].code, 1002)

    def test_without_the_subprotocol(self) -> None:
        answer = self.refused(HEAD.replace(b"giechat.v1.json", b"chat"))
        self.assertEqual(answer, b"HTTP/1.1 400 Bad Request\r\n\r\n")

    def test_what_is_wrong_is_not_repeated(self) -> None:
        for head in (
            HEAD.replace(b"dGhl", b"<b>!"),
            HEAD.replace(b"Version: 13", b"Version: <b>"),
            HEAD.replace(b"GET", b"<b>"),
            HEAD.replace(b"Host: galaxy.example.org", b"Host: galaxy.example.org:<b>"),
            b"<b>\r\n\r\n",
        ):
            answer = self.refused(head)
            self.assertRegex(answer, rb"\AHTTP/1.1 4\d\d [A-Za-z ]+\r\n\r\n\Z")

    def test_no_other_version(self) -> None:
        self.assertIn(b"400", self.refused(HEAD.replace(b"Version: 13", b"Version: 8")))

    def test_no_web_page(self) -> None:
        answer = self.refused(HEAD.replace(b"Upgrade: websocket\r\n", b""))
        self.assertEqual(answer, b"HTTP/1.1 426 Upgrade Required\r\n\r\n")

    def test_an_origin_that_nobody_has_checked(self) -> None:
        foreign = b"\r\nOrigin: https://evil.example.org\r\n\r\n"
        self.assertIn(b"400", self.refused(HEAD[:-4] + foreign))
        self.assertIn(b"400", self.refused(HEAD[:-4] + b"\r\nOrigin: null\r\n\r\n"))

    def test_half_of_it(self) -> None:
        client = self.host.connect(head=HEAD[:40])
        self.host.pass_time(4)
        self.assertFalse(client.aborted)
        self.host.pass_time(2)
        self.assertTrue(client.aborted)
        self.assertEqual(self.host.talks, [])

    def test_a_client_that_leaves_in_the_middle(self) -> None:
        self.host.connect(head=HEAD[:40]).lose()
        self.host.pass_time(10)
        self.assertEqual(self.host.talks, [])

    def test_frames_that_come_with_it(self) -> None:
        self.host.connect(head=HEAD + frame(b"one") + frame(b"two"))
        self.assertEqual(self.host.talks[0].heard, [b"one", b"two"])

    def test_nobody_is_handed_on_as_nobody(self) -> None:
        def not_welcome(outlet: Outlet) -> None:
            outlet.close(4401, "not logged in")

        self.host.welcome = not_welcome
        client = self.host.connect(None)
        self.assertTrue(client.shake_hands().startswith(b"HTTP/1.1 101 "))
        self.assertEqual(
            client.read(), [Frame(CLOSE, (4401).to_bytes(2, "big") + b"not logged in")]
        )
        self.assertEqual((self.host.visitors, self.host.held), ([None], []))
        client.text(b"hello?")
        self.host.pass_time(2)
        self.assertTrue(client.aborted)

    def test_a_chat_that_fails(self) -> None:
        def failing(outlet: Outlet) -> None:
            raise ZeroDivisionError("secret")

        self.host.welcome = failing
        client = self.host.connect()
        client.shake_hands()
        answer = client.take()
        self.assertEqual(frames(answer)[0].code, 1011)
        self.assertNotIn(b"secret", answer)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        client.lose()
        self.assertEqual(len(self.host.edge.pulse), 0)

    def test_one_who_is_nobody_and_welcome(self) -> None:
        client = self.host.connect(None)
        client.shake_hands()
        client.text(b"hello")
        self.assertEqual((self.host.talks[0].heard, self.host.held), ([b"hello"], []))
        client.lose()
        self.assertEqual(self.host.talks[0].told, ["gone"])

    def test_a_head_that_nobody_can_read(self) -> None:
        def broken(socket: object) -> None:
            raise ZeroDivisionError

        self.patch(self.host.edge._socket, "processHandshake", broken)
        client = self.host.connect()
        self.assertEqual((client.aborted, client.take()), (True, b""))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_handshake_that_fails_here(self) -> None:
        def broken(request: object) -> None:
            raise ZeroDivisionError("secret")

        self.patch(self.host.edge._socket, "onConnect", broken)
        self.assertEqual(self.refused(HEAD), b"HTTP/1.1 500 Internal Server Error\r\n\r\n")


class MessageTests(SocketCase):
    def test_messages(self) -> None:
        self.client.text(b"hello")
        self.client.text("grüße".encode())
        self.client.text(b"")
        self.assertEqual(self.talk.heard, [b"hello", "grüße".encode(), b""])

    def test_in_any_pieces(self) -> None:
        message = "\N{GRINNING FACE}" * 30
        data = frame(message.encode(), fin=False) + frame(b"", 0, fin=False) + frame(b"!", 0)
        for size in (1, 2, 3, 7, len(data)):
            for at in range(0, len(data), size):
                self.client.send(data[at : at + size])
            self.assertEqual(self.talk.heard.pop(), f"{message}!".encode())

    def test_fragments_may_break_a_character(self) -> None:
        first, second = "ü".encode()[:1], "ü".encode()[1:]
        self.client.send(frame(first, fin=False) + frame(b"", PING) + frame(second, 0))
        self.assertEqual(self.talk.heard, ["ü".encode()])
        self.assertEqual(self.client.read(), [Frame(PONG, b"")])

    def test_binary_frames_are_not_understood(self) -> None:
        self.client.send(frame(b"\x00\xff", BINARY) + frame(b"text"))
        [said] = self.client.read()
        self.assertIn(b'"code":"bad"', said.payload)
        self.assertEqual(self.talk.heard, [b"text"])

    def test_what_is_sent(self) -> None:
        self.talk.outlet.send(batch_of(b"a" * 125, b"b" * 126, b"c" * 70000))
        self.assertEqual(
            self.client.read(),
            [Frame(TEXT, b"a" * 125), Frame(TEXT, b"b" * 126), Frame(TEXT, b"c" * 70000)],
        )

    def test_the_largest_message(self) -> None:
        self.client.text(b"x" * 8192)
        self.assertEqual(len(self.talk.heard[0]), 8192)

    def test_a_larger_message(self) -> None:
        self.client.text(b"x" * 8193)
        self.closed_with(1009)
        self.assertEqual(self.talk.heard, [])

    def test_a_larger_message_is_refused_by_its_head(self) -> None:
        for size in (8193, 1 << 40):
            self.client = self.open()
            self.client.send(
                b"\x81\xff" + size.to_bytes(8, "big")
                if size > 65535
                else b"\x81\xfe" + size.to_bytes(2, "big")
            )
            self.client.send(b"mask")
            self.closed_with(1009)

    def test_a_larger_message_in_fragments(self) -> None:
        self.client.send(frame(b"x" * 8000, fin=False) + frame(b"x" * 193, 0, fin=False))
        self.closed_with(1009)

    def test_another_limit_from_now_on(self) -> None:
        self.host.edge.configure(frame=10)
        self.client.text(b"x" * 11)
        self.closed_with(1009)

    def test_no_utf_8(self) -> None:
        for payload in (b"\xff", b"\xc3", b"\xed\xa0\x80", b"ok \xf4\x90\x80\x80"):
            self.client = self.open()
            self.client.text(payload)
            self.closed_with(1007)
            self.assertEqual(self.host.talks[-1].heard, [])

    def test_what_breaks_the_rules_of_frames(self) -> None:
        for data in (
            frame(b"hello", masked=False),
            frame(b"", 3),
            frame(b"", 11),
            frame(b"", rsv=1),
            frame(b"", rsv=4),
            frame(b"x", 0),
            frame(b"x", fin=False) + frame(b"x"),
            frame(b"", PING, fin=False),
            frame(b"x" * 126, PING),
            frame(b"x", CLOSE),
            frame((999).to_bytes(2, "big"), CLOSE),
            frame((1006).to_bytes(2, "big"), CLOSE),
            b"\x81\xfe\x00\x05mask" + b"x" * 5,
        ):
            self.client = self.open()
            self.client.send(data)
            self.closed_with(1002)
            self.assertEqual(self.host.talks[-1].heard, [], data)

    def test_after_a_broken_rule_nothing_is_read(self) -> None:
        self.client.send(frame(b"", 3) + frame(b"late"))
        self.client.text(b"later")
        for _ in range(100):
            self.client.send(b"\x00" * 65536)
        self.assertEqual(self.talk.heard, [])
        self.assertEqual(len(self.client.protocol.data), 0)
        self.closed_with(1002)

    def test_a_chat_that_fails(self) -> None:
        self.talk.answer = lambda data: 1 // len(data)
        self.client.text(b"")
        said = self.closed_with(1011)
        self.assertNotIn(b"division", said.payload)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.client.text(b"still there?")
        self.assertEqual(self.talk.heard, [b""])

    def test_frames_that_nobody_can_read(self) -> None:
        def broken() -> None:
            raise ZeroDivisionError

        self.patch(self.client.protocol, "processData", broken)
        self.client.text(b"hello")
        self.closed_with(1011)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    @given(st.lists(st.binary(max_size=200), max_size=5))
    def test_any_bytes_end_in_an_orderly_way(self, pieces: list[bytes]) -> None:
        host = Host()
        client = host.connect()
        client.shake_hands()
        for data in pieces:
            client.send(data)
        said = client.read()
        self.assertEqual([one for one in said[:-1] if one.opcode == CLOSE], [])
        client.lose()
        self.assertEqual(host.talks[0].told, ["gone"])
        host.pass_time(60)
        self.assertEqual((len(host.edge.pulse), len(host.clock.getDelayedCalls())), (0, 1))


class FloodTests(SocketCase):
    def test_others_get_their_turn(self) -> None:
        self.client.send(frame(b"[]") * 10000)
        heard = len(self.talk.heard)
        self.assertTrue(0 < heard <= STEPS)
        self.assertTrue(self.client.paused)
        self.turn()
        self.assertEqual(len(self.talk.heard), 10000)
        self.assertFalse(self.client.paused)

    def test_what_comes_meanwhile_waits(self) -> None:
        self.client.send(frame(b"[]") * STEPS)
        self.client.text(b"last")
        self.assertLess(len(self.talk.heard), STEPS)
        self.turn()
        self.assertEqual((len(self.talk.heard), self.talk.heard[-1]), (STEPS + 1, b"last"))

    def test_a_client_that_leaves_meanwhile(self) -> None:
        self.client.send(frame(b"[]") * STEPS)
        heard = len(self.talk.heard)
        self.client.lose()
        self.turn()
        self.assertEqual((len(self.talk.heard), self.talk.told), (heard, ["gone"]))
        self.nothing_is_left()

    def test_a_chat_that_has_enough(self) -> None:
        def enough(data: bytes) -> None:
            if len(self.talk.heard) == 20:
                self.talk.outlet.close(4429, "asked for far too much")

        self.talk.answer = enough
        self.client.send(frame(b"[]") * 10000)
        self.turn()
        self.closed_with(4429)
        self.assertEqual(len(self.talk.heard), 20)

    def test_what_is_no_message_counts(self) -> None:
        for one, first in (
            (frame(b"", PING), b""),
            (frame(b"x", PONG), b""),
            (frame(b"", 0, fin=False), frame(b"", fin=False)),
            (frame(b"\x00", BINARY), b""),
        ):
            self.client = self.open()
            self.client.send(first + one * (ODD - 1))
            self.turn()
            self.assertNotIn(CLOSE, [frame.opcode for frame in self.client.read()])
            self.client.send(one * 2)
            self.turn()
            self.closed_with(4429)

    def test_but_not_for_ever(self) -> None:
        for _ in range(5):
            self.client.send(frame(b"", PING) * (ODD - 100))
            self.turn()
            self.host.pass_time(25)
            self.client.send(frame(b"", PONG))
        self.assertNotIn(CLOSE, [frame.opcode for frame in self.client.read()])


class PulseTests(SocketCase):
    def test_pings_are_answered(self) -> None:
        self.client.send(frame(b"are you there?", PING))
        self.assertEqual(self.client.read(), [Frame(PONG, b"are you there?")])

    def test_the_client_is_asked(self) -> None:
        self.host.pass_time(24)
        self.assertEqual(self.client.read(), [])
        self.host.pass_time(1)
        self.assertEqual(self.client.read(), [Frame(PING, b"")])

    def test_one_that_is_closing_is_not_asked(self) -> None:
        self.host.pass_time(24)
        self.talk.outlet.close(4403, "")
        self.client.protocol.ask()
        self.assertEqual([one.opcode for one in self.client.read()], [CLOSE])

    def test_anything_is_an_answer(self) -> None:
        for answer in (frame(b"", PONG), frame(b"hello"), frame(b"", PING), b"\x81"):
            self.client = self.open()
            for _ in range(4):
                self.host.pass_time(25)
                self.client.send(answer)
            self.assertTrue(self.client.open)
            self.client.lose()

    def test_a_client_that_is_not_there(self) -> None:
        self.host.pass_time(44)
        self.assertFalse(self.client.aborted)
        self.host.pass_time(1)
        self.assertTrue(self.client.aborted)
        self.assertEqual(self.talk.told, ["gone"])
        self.nothing_is_left()

    def test_one_that_reads_slowly_answers_late(self) -> None:
        self.host.pass_time(25)
        self.client.producer.pauseProducing()
        self.host.pass_time(20)
        self.assertFalse(self.client.aborted)


class SlowReaderTests(SocketCase):
    def test_a_pause(self) -> None:
        self.client.producer.pauseProducing()
        self.assertEqual(self.talk.told, ["pause"])
        self.client.producer.pauseProducing()
        self.client.producer.resumeProducing()
        self.assertEqual(self.talk.told, ["pause", "resume"])
        self.host.pass_time(int(SLOW) - 7)
        self.assertTrue(self.client.open)

    def test_a_resume_without_a_pause(self) -> None:
        self.client.producer.resumeProducing()
        self.assertEqual(self.talk.told, [])

    def test_one_who_does_not_read(self) -> None:
        self.client.producer.pauseProducing()
        self.host.pass_time(int(SLOW))
        self.closed_with(4408)
        self.host.pass_time(int(LINGER))
        self.assertTrue(self.client.aborted)
        self.assertEqual(self.talk.told, ["pause", "gone"])
        self.nothing_is_left()

    def test_one_who_has_not_read_the_first_words(self) -> None:
        def welcome(outlet: Outlet) -> Talk:
            # What it sends fills the buffers.
            outlet.pauseProducing()  # type: ignore[attr-defined]
            return Talk(outlet)

        self.host.welcome = welcome
        client = self.open()
        self.assertEqual(self.host.talks[-1].told, ["pause"])
        client.producer.resumeProducing()
        self.assertEqual(self.host.talks[-1].told, ["pause", "resume"])

    def test_one_whose_welcome_was_read_in_time(self) -> None:
        def welcome(outlet: Outlet) -> Talk:
            outlet.pauseProducing()  # type: ignore[attr-defined]
            outlet.resumeProducing()  # type: ignore[attr-defined]
            return Talk(outlet)

        self.host.welcome = welcome
        self.open()
        self.assertEqual(self.host.talks[-1].told, [])

    def test_one_who_leaves(self) -> None:
        self.client.producer.pauseProducing()
        self.client.lose()
        self.host.pass_time(60)
        self.assertEqual(self.talk.told, ["pause", "gone"])
        self.nothing_is_left()

    def test_once_it_is_closing_nobody_cares(self) -> None:
        self.client.producer.pauseProducing()
        self.talk.outlet.close(4401, "")
        self.client.producer.resumeProducing()
        self.client.producer.pauseProducing()
        self.assertEqual(self.talk.told, ["pause"])

    def test_the_producer_is_never_stopped_by_itself(self) -> None:
        self.client.producer.stopProducing()
        self.assertTrue(self.client.open)


class EndTests(SocketCase):
    def test_the_client_closes(self) -> None:
        self.client.send(frame((1000).to_bytes(2, "big") + b"bye", CLOSE))
        self.assertEqual(self.client.read()[0].code, 1000)
        self.assertTrue(self.client.closing)
        self.assertFalse(self.client.aborted)
        self.client.lose()
        self.assertEqual(self.talk.told, ["gone"])
        self.nothing_is_left()

    def test_the_client_closes_and_does_not_read(self) -> None:
        self.client.send(frame(b"", CLOSE))
        self.assertTrue(self.client.closing)
        self.client.send(b"more and more")
        self.client.protocol.dropConnection(abort=True)
        self.host.pass_time(int(LINGER))
        self.assertTrue(self.client.aborted)
        self.assertEqual(self.talk.told, ["gone"])
        self.nothing_is_left()

    def test_the_client_is_lost(self) -> None:
        self.client.lose()
        self.assertEqual(self.talk.told, ["gone"])
        self.talk.outlet.send(batch_of(b"late"))
        self.talk.outlet.close(4401, "late")
        self.assertEqual(self.client.take(), b"")
        self.nothing_is_left()

    def test_the_chat_closes(self) -> None:
        for code in (1012, 4401, 4403, 4408, 4429):
            self.client = self.open()
            outlet = self.host.talks[-1].outlet
            outlet.close(code, "because")
            outlet.close(4401, "once is enough")
            outlet.send(batch_of(b"nor this"))
            [said] = self.client.read()
            self.assertEqual((said.code, said.payload[2:]), (code, b"because"))
            self.client.send(frame(said.payload, CLOSE))
            # Both have said it: that is no reason for a reset.
            self.assertTrue(self.client.closing)
            self.assertFalse(self.client.aborted)
            self.client.lose()
            self.assertEqual(self.host.talks[-1].told, ["gone"])

    def test_the_chat_closes_and_nobody_answers(self) -> None:
        self.talk.outlet.close(1012, "")
        self.assertFalse(self.client.aborted)
        self.host.pass_time(int(LINGER))
        self.assertTrue(self.client.aborted)
        self.assertEqual(self.talk.told, ["gone"])
        self.nothing_is_left()

    def test_what_the_client_says_after_that_is_not_heard(self) -> None:
        self.talk.outlet.close(4403, "")
        self.client.text(b"but")
        self.client.send(frame(b"", PING) + frame(b"", BINARY))
        self.assertEqual((self.talk.heard, len(self.client.read())), ([], 1))

    def test_a_reason_is_cut_at_a_character(self) -> None:
        self.talk.outlet.close(4403, "ü" * 100)
        [said] = self.client.read()
        self.assertEqual(said.payload[2:], ("ü" * 61).encode())

    def test_the_session_ends(self) -> None:
        [cut] = self.host.held
        cut("the session has ended; its key is k1")
        said = self.closed_with(4401)
        self.assertNotIn(b"k1", said.payload)
        self.client.send(frame(said.payload, CLOSE))
        self.client.lose()
        self.assertEqual(self.talk.told, ["gone"])
        self.nothing_is_left()

    def test_the_user_is_deleted(self) -> None:
        [cut] = self.host.held
        cut(USER_DELETED)
        self.closed_with(4403)

    def test_a_chat_that_cannot_even_let_go(self) -> None:
        def failing() -> None:
            raise ZeroDivisionError

        self.patch(self.talk, "gone", failing)
        self.client.lose()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.nothing_is_left()

    def test_a_thousand_leave_nothing(self) -> None:
        self.client.lose()
        for number in range(1000):
            client = self.open()
            client.text(b"hello")
            if number % 3 == 0:
                client.send(frame(b"", CLOSE))
            elif number % 3 == 1:
                client.send(frame(b"", 3))
            client.lose()
        self.assertEqual([talk.told for talk in self.host.talks], [["gone"]] * 1001)
        self.nothing_is_left()


class AtRestTests(SocketCase):
    def test_little_is_kept(self) -> None:
        self.assertLessEqual(len(vars(self.client.protocol)), 8, vars(self.client.protocol))

    def test_little_more_after_a_talk(self) -> None:
        for _ in range(10):
            self.client.text(b"hello")
            self.host.pass_time(10)
        self.assertLessEqual(len(vars(self.client.protocol)), 24, vars(self.client.protocol))

    def test_connections_are_themselves(self) -> None:
        other = self.open()
        self.client.send(frame(b"half", fin=False))
        other.text(b"whole")
        self.client.send(frame(b"!", 0))
        self.assertEqual([talk.heard for talk in self.host.talks], [[b"half!"], [b"whole"]])
        other.send(frame(b"", 3))
        self.client.text(b"fine")
        self.assertEqual(self.talk.heard[-1], b"fine")
