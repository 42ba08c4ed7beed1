"""Answers that go on are cut anywhere: what comes out does not depend on where."""

import json
import struct
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.docker.errors import DockerError
from giestack.docker.lines import (
    LONGEST_JSON,
    LONGEST_LINE,
    Bytes,
    FramedLines,
    Frames,
    JsonLines,
    Lines,
    Receiver,
    printable,
)

CUTS = st.lists(st.integers(0, 400), max_size=12)


def feed(receiver: Receiver, data: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for start, end in pairwise(places):
        receiver.received(data[start:end])
    receiver.finished()


def frame(kind: int, payload: bytes) -> bytes:
    return struct.pack(">BxxxL", kind, len(payload)) + payload


class JsonLinesTests(SynchronousTestCase):
    def heard(self, data: bytes, *cuts: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        feed(JsonLines(found.append), data, list(cuts))
        return found

    @given(CUTS)
    def test_the_ends_of_chunks_are_no_ends_of_lines(self, cuts: list[int]) -> None:
        messages = [{"status": "Ångström ☃"}, {"id": 2, "a": {"b": "\n"}}, {}]
        text = "\r\n".join(json.dumps(message, ensure_ascii=False) for message in messages)
        self.assertEqual(self.heard(text.encode(), *cuts), messages)

    def test_what_is_no_object_is_skipped(self) -> None:
        self.assertEqual(
            self.heard(b'\n[1]\n"x"\nnull\n{"a"\n' + b"[" * 100_000 + b'\n{"a": 1}\n\xff\n'),
            [{"a": 1}],
        )

    def test_a_line_without_end_breaks_off(self) -> None:
        receiver = JsonLines(lambda _: None)
        with self.assertRaisesRegex(DockerError, "does not end"):
            for _ in range(LONGEST_JSON // 65536 + 1):
                receiver.received(b"x" * 65536)


class LinesTests(SynchronousTestCase):
    def heard(self, data: bytes, *cuts: int) -> list[str]:
        found: list[str] = []
        feed(Lines(found.append), data, list(cuts))
        return found

    @given(CUTS)
    def test_characters_and_ends_of_lines_may_be_cut(self, cuts: list[int]) -> None:
        text = "one\r\n☃ zwei\n\ndrei ☃☃☃\rfour\nno end"
        self.assertEqual(
            self.heard(text.encode(), *cuts), ["one", "☃ zwei", "", "drei ☃☃☃\rfour", "no end"]
        )

    def test_bytes_that_are_no_text_are_told_as_such(self) -> None:
        self.assertEqual(self.heard(b"a\xff\xfeb\n"), ["a��b"])

    def test_a_line_without_end_comes_in_pieces_between_characters(self) -> None:
        text = "x" + "☃" * LONGEST_LINE
        for chunk in (1000, 65536, 10**6):
            found: list[str] = []
            lines, data = Lines(found.append), text.encode() + b"\nend\n"
            for start in range(0, len(data), chunk):
                lines.received(data[start : start + chunk])
            lines.finished()
            self.assertEqual(found.pop(), "end")
            self.assertEqual("".join(found), text)
            self.assertTrue(all(len(line.encode()) <= LONGEST_LINE for line in found))

    def test_a_line_of_continuation_bytes_comes_to_an_end_too(self) -> None:
        found = self.heard(b"\x80" * (2 * LONGEST_LINE + 1))
        self.assertEqual([len(line) for line in found], [LONGEST_LINE, LONGEST_LINE, 1])


class FramesTests(SynchronousTestCase):
    @given(CUTS)
    def test_heads_and_payloads_may_be_cut(self, cuts: list[int]) -> None:
        data = frame(1, b"out") + frame(2, b"") + frame(2, b"err") + frame(0, b"in")
        found = [b"", b""]

        def heard(kind: int, piece: bytes) -> None:
            found[kind - 1] += piece

        feed(Frames(heard), data, cuts)
        self.assertEqual(found, [b"outin", b"err"])

    @given(CUTS)
    def test_lines_of_the_two_streams_are_not_mixed_up(self, cuts: list[int]) -> None:
        data = frame(1, b"half ") + frame(2, "Fehler ☃\nne".encode()) + frame(1, b"line\ntail")
        found: list[str] = []
        feed(FramedLines(found.append), data + frame(2, b"w"), cuts)
        self.assertEqual(found, ["Fehler ☃", "half line", "tail", "new"])

    def test_what_is_not_framed_is_refused(self) -> None:
        for data in (b"plain text of a terminal", frame(4, b"x"), b"\1\1\0\0\0\0\0\0"):
            with self.assertRaisesRegex(DockerError, "not framed"):
                Frames(lambda *_: None).received(data)

    def test_an_error_of_the_engine_is_told_at_the_end(self) -> None:
        found: list[str] = []
        lines = FramedLines(found.append)
        lines.received(frame(1, b"so far\n") + frame(3, b"log driver ") + frame(3, b"failed\n"))
        error = self.assertRaises(DockerError, lines.finished)
        self.assertEqual((str(error), found), ("log driver failed", ["so far"]))


class BytesTests(SynchronousTestCase):
    def test_they_are_passed_on(self) -> None:
        found: list[bytes] = []
        feed(Bytes(found.append), b"abc", [1])
        self.assertEqual(found, [b"a", b"bc"])


class PrintableTests(SynchronousTestCase):
    def test_the_first_line_that_says_something(self) -> None:
        self.assertEqual(printable("\r\n  \n no  such\timage \n more"), "no such image")

    def test_no_control_characters(self) -> None:
        self.assertEqual(printable("a\x1b[31mb\0c\u202ed"), "a [31mb c d")

    def test_no_more_than_is_asked_for(self) -> None:
        self.assertEqual(printable("x" * 600), "x" * 500)
        self.assertEqual(printable(""), "")
