"""Which pieces of a WebSocket are data."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.proxy.frames import MOST, Frames

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def frame(opcode: int, payload: bytes, masked: bool = False, widest: bool = False) -> bytes:
    """One frame; ``widest``: with more bytes of length than it needs."""
    size = len(payload)
    mask = 128 if masked else 0
    if size > 65535 or (widest and size > 125):
        length = bytes((mask | 127,)) + size.to_bytes(8, "big")
    elif size > 125:
        length = bytes((mask | 126,)) + size.to_bytes(2, "big")
    else:
        length = bytes((mask | size,))
    return bytes((128 | opcode,)) + length + (b"mask" if masked else b"") + payload


class Untouchable(bytes):
    """Bytes whose payload nobody may copy."""

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            start, stop, _ = key.indices(len(self))
            assert stop - start <= 14, "that was a copy of payload"
        return super().__getitem__(key)

    def __add__(self, other: object) -> bytes:
        raise AssertionError("that was a copy of payload")

    __radd__ = __add__


class FramesTests(SynchronousTestCase):
    def test_sorts(self) -> None:
        for masked in (False, True):
            for opcode in range(16):
                for size in (0, 1, 125):
                    told = Frames().feed(frame(opcode, b"x" * size, masked))
                    self.assertEqual(told, opcode not in (CLOSE, PING, PONG))

    def test_compressed_ones_too(self) -> None:
        self.assertTrue(Frames().feed(b"\xc1\x01x"))

    def test_one_piece_with_many_frames(self) -> None:
        pings = frame(PING, b"p") * 3
        for data in (TEXT, BINARY, CONTINUATION):
            for masked in (False, True):
                one = frame(data, b"x", masked)
                self.assertTrue(Frames().feed(pings + one))
                self.assertTrue(Frames().feed(one + pings))
                self.assertTrue(Frames().feed(pings + one + pings))
        self.assertFalse(Frames().feed(pings))

    def test_a_ping_amid_a_message(self) -> None:
        frames = Frames()
        begun = bytes((TEXT,)) + b"\x02ab"
        self.assertTrue(frames.feed(begun))
        self.assertFalse(frames.feed(frame(PING, b"")))
        self.assertTrue(frames.feed(frame(CONTINUATION, b"cd")))
        self.assertFalse(frames.feed(frame(PONG, b"")))

    def test_the_last_bytes_of_data_before_a_ping(self) -> None:
        frames = Frames()
        data = frame(BINARY, b"abcdef")
        self.assertTrue(frames.feed(data[:-2]))
        self.assertTrue(frames.feed(data[-2:] + frame(PING, b"x")))
        self.assertFalse(frames.feed(frame(PING, b"x")))

    def test_the_last_bytes_of_a_ping_before_data(self) -> None:
        frames = Frames()
        ping = frame(PING, b"abcdef", True)
        self.assertFalse(frames.feed(ping[:-2]))
        self.assertTrue(frames.feed(ping[-2:] + frame(TEXT, b"")))

    def test_large_frames_cost_nothing_per_byte(self) -> None:
        for size in (126, 65535, 65536, 1 << 20):
            for masked in (False, True):
                frames = Frames()
                data = frame(BINARY, bytes(size), masked)
                self.assertFalse(frames.feed(Untouchable(data[:1])))
                self.assertTrue(frames.feed(Untouchable(data[1:])))
                self.assertFalse(frames.feed(frame(PING, b"")))

    def test_a_head_in_single_bytes(self) -> None:
        for masked in (False, True):
            for size in (0, 125, 126, 70_000):
                frames = Frames()
                data = frame(TEXT, bytes(size), masked)
                head = len(data) - size
                told = [frames.feed(data[at : at + 1]) for at in range(head)]
                self.assertEqual(told, [False] * (head - 1) + [True])
                if size:
                    self.assertTrue(frames.feed(data[head:]))
                self.assertFalse(frames.feed(frame(PING, b"")))

    def test_garbage_is_data(self) -> None:
        # Reserved opcodes, and control frames that are longer than any may be.
        for garbage in (b"\x83\x00", b"\x8f\x00", b"\x89\x7e\x00\x05hello", b"\xff" * 14):
            self.assertTrue(Frames().feed(garbage), garbage)
        frames = Frames()
        self.assertTrue(frames.feed(b"\x8a\x7f" + b"\xff" * 8))
        # Nothing ever ends such a frame.
        self.assertTrue(frames.feed(frame(PING, b"")))

    def test_nothing_is_nothing(self) -> None:
        frames = Frames()
        self.assertFalse(frames.feed(b""))
        self.assertFalse(frames.feed(b"\x81"))
        self.assertFalse(frames.feed(b""))
        self.assertTrue(frames.feed(b"\x00"))

    def test_very_many_at_once_are_not_measured(self) -> None:
        frames = Frames()
        ping = frame(PING, b"")
        self.assertFalse(frames.feed(ping * (MOST - 1)))
        self.assertFalse(frames.feed(ping))
        self.assertTrue(frames.feed(ping * 30_000))
        self.assertTrue(frames.feed(ping))

    @settings(deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG)),
                st.sampled_from((0, 1, 5, 125, 126, 300)),
                st.booleans(),
                st.booleans(),
            ),
            max_size=8,
        ),
        st.lists(st.integers(1, 400), min_size=1, max_size=12),
    )
    def test_any_split(self, sent: list[tuple[int, int, bool, bool]], cuts: list[int]) -> None:
        stream = b""
        ends: list[tuple[int, int, bool]] = []
        for opcode, size, masked, widest in sent:
            control = opcode >= 8
            size = min(size, 125) if control else size
            head_ends = len(stream) + len(frame(opcode, bytes(size), masked, widest)) - size
            stream += frame(opcode, bytes(size), masked, widest)
            ends.append((head_ends, len(stream), not control))
        frames = Frames()
        at = 0
        while at < len(stream):
            piece = stream[at : at + cuts[at % len(cuts)]]
            until = at + len(piece)
            # A head has moved when its last byte has, a payload with each of its bytes.
            expected = any(
                data and (at < head <= until or max(at, head) < min(until, end))
                for head, end, data in ends
            )
            self.assertEqual(frames.feed(piece), expected)
            at = until

    @settings(deadline=None)
    @given(st.lists(st.binary(max_size=300), max_size=20))
    def test_any_bytes_have_an_answer(self, pieces: list[bytes]) -> None:
        frames = Frames()
        for piece in pieces:
            self.assertIn(frames.feed(piece), (False, True))
