"""Notifications between nodes, as texts, and where no server answers."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from giestack.chat.storage import Signal
from giestack.chat.store.engines import open_engines
from giestack.chat.store.wakeups import (
    LONGEST,
    Announcer,
    payloads,
    read_payload,
    signal_payload,
)

NOWHERE = "postgresql://nobody@/none?host=/nonexistent"


def joined(thread):
    thread.join(20)
    return not thread.is_alive()


class PayloadTests(SynchronousTestCase):
    @given(st.dictionaries(st.text(min_size=1, max_size=80), st.integers(1, 2**53), max_size=300))
    def test_rooms(self, rooms):
        told = list(payloads("e", "here", rooms))
        self.assertTrue(all(len(one.encode()) < 8000 for one in told))
        found: dict[Any, Any] = {}
        for one in told:
            rooms_of_one: Any = read_payload(one, "e", "there")
            found.update(rooms_of_one)
            self.assertIsNone(read_payload(one, "e", "here"))
            self.assertIsNone(read_payload(one, "another log", "there"))
        self.assertEqual(found, rooms)

    def test_many_rooms_are_few_notifications(self):
        rooms = {f"room-{n:04}-abcdefgh": n for n in range(1000)}
        self.assertEqual(len(list(payloads("e", "n", rooms))), 4)
        self.assertEqual(list(payloads("e", "n", {})), [])

    def test_signals(self):
        signal = Signal(kind="typing", node="a", body={"who": "Ä" * 3000, "n": [1, None]})
        told = signal_payload("e", "here", signal) or ""
        self.assertEqual(read_payload(told, "e", "there"), signal)
        self.assertIsNone(read_payload(told, "e", "here"))
        long = Signal(kind="typing", node="a", body={"who": "x" * LONGEST})
        self.assertIsNone(signal_payload("e", "here", long))

    def test_anything_may_be_in_a_notification(self):
        for payload in (
            "",
            "x",
            "[]",
            "null",
            "{}",
            '{"e": "e"}',
            '{"e": "e", "n": "n"}',
            '{"e": "e", "n": "n", "m": 1}',
            '{"e": "e", "n": "n", "m": {"a": "b"}}',
            '{"e": "e", "n": "n", "m": {"a": 1e999}}',
            '{"e": "e", "n": "n", "s": 1}',
            '{"e": "e", "n": "n", "s": ["a"]}',
            '{"e": "e", "n": "n", "s": ["a", "b", 1]}',
            "[" * 7000,
        ):
            self.assertIsNone(read_payload(payload, "e", "here"), payload[:50])

    @given(st.text())
    def test_any_text(self, text):
        read_payload(text, "e", "here")
        read_payload(json.dumps({"e": "e", "n": "n", "m": text}), "e", "here")


class NobodyAnswersTests(SynchronousTestCase):
    def setUp(self):
        self.engine = open_engines(NOWHERE).write

    def test_announcements_get_lost(self):
        announcer = Announcer(self.engine, "e", "n")
        announcer.start()
        announcer.moved({"a": 1})
        announcer.tell(Signal(kind="typing", node="a", body={}))
        announcer.stop()
        self.assertTrue(joined(announcer._thread))

    def test_a_signal_that_is_too_long_is_told_in_the_log(self):
        announcer = Announcer(self.engine, "e", "n")
        with capturedLogs() as events:
            announcer.tell(Signal(kind="typing", node="a", body={"x": "y" * 8000}))
        self.assertIn("typing", [event.get("kind") for event in events])
