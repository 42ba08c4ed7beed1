"""Frames on their way to clients."""

from autobahn.websocket.protocol import WebSocketProtocol
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.chat import wire
from giestack.chat.outlet import Batch, batch


def unframed(data):
    """Texts of unmasked, unfragmented text frames, read as RFC 6455 section 5.2 has them."""
    texts = []
    while data:
        first, size, data = data[0], data[1], data[2:]
        assert first == 0x80 | WebSocketProtocol.MESSAGE_TYPE_TEXT
        if size in (126, 127):
            extra = 2 if size == 126 else 8
            size, data = int.from_bytes(data[:extra], "big"), data[extra:]
        texts.append(data[:size])
        assert len(texts[-1]) == size
        data = data[size:]
    return texts


class BatchTests(SynchronousTestCase):
    def test_frames_as_json(self):
        made = batch(wire.Gap(room="r", from_=1, to=2), wire.Ok(id=1))
        self.assertEqual(
            list(made.texts), [b'{"t":"gap","room":"r","from":1,"to":2}', b'{"t":"ok","id":1}']
        )

    def test_each_length_has_its_head(self):
        for size, head in (
            (0, b"\x81\x00"),
            (125, b"\x81\x7d"),
            (126, b"\x81\x7e\x00\x7e"),
            (65_535, b"\x81\x7e\xff\xff"),
            (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
        ):
            self.assertEqual(Batch([b"x" * size]).frames, head + b"x" * size)

    @given(st.lists(st.binary(max_size=300)))
    def test_web_socket_frames_say_what_was_said(self, texts):
        self.assertEqual(unframed(Batch(texts).frames), texts)

    def test_server_sent_events(self):
        self.assertEqual(Batch([b"{}", b"[]"]).events, b"data: {}\n\ndata: []\n\n")

    def test_nothing_is_nothing(self):
        self.assertEqual((batch().frames, batch().events), (b"", b""))

    def test_made_once_for_everybody(self):
        made = batch(wire.Ok(id=1))
        self.assertIs(made.frames, made.frames)
        self.assertIs(made.events, made.events)
