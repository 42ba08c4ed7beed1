"""What streams tell of a session."""

import json
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from giestack.site.session_streams import LONGEST, FollowedLines, MomentEvents, as_lines
from giestack.site.spawning import Spawning
from giestack.spawner.view import Moment
from tests.site.fake_spawning import MOMENTS, FakeSpawning, session


class Reader:
    """Takes what a source has."""

    def __init__(self, source: MomentEvents | FollowedLines) -> None:
        self.source = source
        self.woken = 0
        self.full = False
        source.start(self.wake)

    def wake(self, full: bool = False) -> None:
        self.woken += 1
        self.full = full

    def take(self) -> bytes | None:
        return self.source.take()

    @property
    def event(self) -> Any:
        """The one event that there is to take."""
        taken = self.source.take()
        assert taken is not None
        self.first, lines = taken.startswith(b"retry:"), taken.removeprefix(b"retry: 2000\n")
        assert lines.startswith(b"data: ")
        assert lines.endswith(b"}\n\n")
        assert lines.count(b"\n") == 2
        return json.loads(lines[6:])


class MomentTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.spawning = FakeSpawning(session("queued"))
        self.reader = self.read()

    def read(self, *, to_end: bool = False) -> Reader:
        spawning: Spawning = self.spawning
        view = spawning.view("s1")
        assert view is not None
        return Reader(MomentEvents(spawning, view, to_end=to_end))

    def test_the_present_moment_then_each_change(self) -> None:
        event = self.reader.event
        self.assertEqual(
            event,
            {
                "state": "queued",
                "step": "queued",
                "percent": None,
                "message": "Waiting for a place: 2nd in the queue",
                "eta": None,
                "place": 2,
            },
        )
        self.assertTrue(self.reader.first)
        self.assertEqual(self.reader.take(), b"")
        woken = self.reader.woken
        self.spawning.become("s1", "pulling")
        self.assertEqual(self.reader.woken, woken + 1)
        event = self.reader.event
        self.assertEqual((event["state"], event["percent"], event["eta"]), ("pulling", 12.5, 30.0))
        self.assertFalse(self.reader.first)
        self.assertEqual(self.reader.take(), b"")

    def test_ready_is_the_last(self) -> None:
        self.spawning.become("s1", "ready")
        event = self.reader.event
        self.assertEqual((event["state"], event["url"]), ("ready", "/giestack/session/s1/lab"))
        self.assertIsNone(self.reader.take())
        woken = self.reader.woken
        self.spawning.become("s1", "stopping")
        self.assertIsNone(self.reader.take())
        self.assertEqual(self.reader.woken, woken)

    def test_to_the_end_goes_on_behind_ready(self) -> None:
        reader = self.read(to_end=True)
        self.spawning.become("s1", "ready")
        self.assertEqual(reader.event["state"], "ready")
        self.assertEqual(reader.take(), b"")
        self.spawning.become("s1", "failed")
        self.assertEqual(reader.event["reason"], "exit status 1")
        self.assertIsNone(reader.take())

    def test_failed_is_the_last_and_says_why(self) -> None:
        self.spawning.become("s1", "failed")
        event = self.reader.event
        self.assertEqual((event["state"], event["reason"]), ("failed", "exit status 1"))
        self.assertEqual(event["log"], list(MOMENTS["failed"].log))
        self.assertNotIn("url", event)
        self.assertIsNone(self.reader.take())

    def test_stopped_is_the_last(self) -> None:
        self.spawning.become("s1", "stopping")
        self.assertEqual(self.reader.event["state"], "stopping")
        self.spawning.become("s1", "stopped")
        event = self.reader.event
        self.assertEqual((event["state"], event["reason"]), ("stopped", "It was idle for an hour."))
        self.assertNotIn("log", event)
        self.spawning.forget("s1")
        self.assertIsNone(self.reader.take())

    def test_only_the_newest_is_kept(self) -> None:
        for state in ("pulling", "creating", "starting"):
            self.spawning.become("s1", state)
        self.assertEqual(self.reader.event["state"], "starting")
        self.assertEqual(self.reader.take(), b"")

    def test_one_that_is_gone(self) -> None:
        self.reader.take()
        self.spawning.become("s1", "stopping")
        self.spawning.forget("s1")
        event = self.reader.event
        self.assertEqual((event["state"], event["message"]), ("stopped", "It is gone."))
        self.assertIsNone(self.reader.take())

    def test_the_reason_is_not_lost_when_it_is_gone_at_once(self) -> None:
        self.spawning.become("s1", "failed")
        self.spawning.forget("s1")
        self.assertEqual(self.reader.event["reason"], "exit status 1")
        self.assertIsNone(self.reader.take())

    def test_giestack_stops(self) -> None:
        """The stream is cut short: the page asks again, and maybe another giestack answers."""
        self.reader.take()
        for _, end in self.spawning.subscribers["s1"]:
            end()
        self.assertIsNone(self.reader.take())

    def test_nobody_listens_any_more(self) -> None:
        other = self.read()
        self.assertEqual(self.spawning.listeners, 2)
        self.reader.source.stop()
        self.assertEqual(self.spawning.listeners, 1)
        self.spawning.become("s1", "pulling")
        self.assertEqual(other.event["state"], "pulling")
        other.source.stop()
        self.assertEqual(self.spawning.listeners, 0)

    def test_stopped_before_it_has_begun(self) -> None:
        for source in (
            MomentEvents(self.spawning, session()),
            FollowedLines(self.spawning, "s1", 1),
        ):
            source.stop()
            self.assertEqual(self.spawning.listeners, 1)

    def test_one_line_whatever_a_session_says(self) -> None:
        words = "a\n\ndata: b\r\u2028"
        self.spawning.become("s1", Moment(state="creating", step="creating", message=words))
        self.assertEqual(self.reader.event["message"], words)


class LineTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.spawning = FakeSpawning(session())
        self.spawning.lines["s1"] = ["one", "two", "three"]

    def read(self, tail: int) -> Reader:
        return Reader(FollowedLines(self.spawning, "s1", tail))

    def test_the_last_lines_then_each_further_one(self) -> None:
        reader = self.read(2)
        self.assertEqual(reader.take(), b"two\nthree\n")
        self.assertEqual(reader.take(), b"")
        woken = reader.woken
        self.spawning.say("s1", "four", "fünf")
        self.assertEqual(reader.woken, woken + 2)
        self.assertEqual(reader.take(), "four\nfünf\n".encode())

    def test_only_what_comes(self) -> None:
        reader = self.read(0)
        self.assertEqual(reader.take(), b"")
        self.spawning.say("s1", "four")
        self.assertEqual(reader.take(), b"four\n")

    def test_the_end(self) -> None:
        reader = self.read(1)
        self.spawning.fall_silent("s1")
        self.assertEqual(reader.take(), b"three\n")
        self.assertIsNone(reader.take())

    def test_one_that_is_not_started_yet(self) -> None:
        self.spawning = FakeSpawning(session("queued"))
        reader = self.read(5)
        self.spawning.fall_silent("s1")
        self.assertEqual(reader.take(), b"")
        for state in ("pulling", "creating"):
            self.spawning.become("s1", state)
            self.assertEqual(self.spawning.followers, {})
        self.spawning.say("s1", "one", "two")
        self.spawning.become("s1", "starting")
        self.assertEqual(reader.take(), b"one\ntwo\n")
        self.spawning.become("s1", "ready")
        self.spawning.say("s1", "three")
        self.assertEqual(reader.take(), b"three\n")
        reader.source.stop()
        self.assertEqual(self.spawning.listeners, 0)

    def test_one_that_is_started_again(self) -> None:
        reader = self.read(1)
        self.spawning.become("s1", "stopping")
        self.spawning.fall_silent("s1")
        self.spawning.lines["s1"] = []
        self.assertEqual(reader.take(), b"three\n")
        self.assertEqual(reader.take(), b"")
        self.spawning.become("s1", "starting")
        self.spawning.say("s1", "new")
        self.assertEqual(reader.take(), b"new\n")

    def test_one_that_ends_while_it_is_silent(self) -> None:
        for end in (
            lambda: self.spawning.become("s1", "failed"),
            lambda: self.spawning.forget("s1"),
        ):
            self.spawning = FakeSpawning(session("stopping"))
            reader = self.read(1)
            self.spawning.fall_silent("s1")
            self.assertEqual(reader.take(), b"")
            end()
            self.assertIsNone(reader.take())

    def test_one_that_has_ended(self) -> None:
        class Ended(FakeSpawning):
            def follow(
                self, session_id: str, tail: int, line: Callable[[str], None], end: Any
            ) -> Callable[[], None]:
                line("its last words")
                end()
                return lambda: None

        self.spawning = Ended(session("failed"))
        reader = self.read(1)
        self.assertEqual(reader.take(), b"its last words\n")
        self.assertIsNone(reader.take())
        self.assertEqual(self.spawning.listeners, 0)

    def test_much_at_once_does_not_wait_for_the_next_turn(self) -> None:
        reader = self.read(0)
        self.spawning.say("s1", "x" * 60_000)
        self.assertFalse(reader.full)
        self.spawning.say("s1", "x" * 60_000)
        self.assertTrue(reader.full)
        reader.take()
        self.spawning.say("s1", "more")
        self.assertFalse(reader.full)

    def test_stopped_while_it_begins(self) -> None:
        source = FollowedLines(self.spawning, "s1", 1)
        source.start(lambda full=False: source.stop())
        self.assertEqual(self.spawning.listeners, 0)

    def test_the_oldest_go_where_nobody_reads(self) -> None:
        reader = self.read(0)
        line = "x" * 999
        for _ in range(400):
            self.spawning.say("s1", line)
        self.spawning.say("s1", "the last")
        taken = reader.take()
        assert taken is not None
        first, *lines = taken.decode().splitlines()
        self.assertEqual(first, f"… {401 - len(lines)} lines left out …")
        self.assertEqual(set(lines[:-1]), {line})
        self.assertEqual(lines[-1], "the last")
        self.assertLessEqual(len("".join(lines)), LONGEST)
        self.assertGreater(len("".join(lines)), LONGEST - 2000)
        # And then all of it again.
        self.spawning.say("s1", "on")
        self.assertEqual(reader.take(), b"on\n")

    def test_a_line_longer_than_all_that_is_kept(self) -> None:
        reader = self.read(0)
        self.spawning.say("s1", "short")
        self.spawning.say("s1", "x" * (LONGEST + 1))
        taken = reader.take()
        assert taken is not None
        self.assertTrue(taken.startswith("… 1 lines left out …\nxxx".encode()))

    def test_nobody_listens_any_more(self) -> None:
        reader = self.read(0)
        self.assertEqual(self.spawning.listeners, 2)
        reader.source.stop()
        self.assertEqual(self.spawning.listeners, 0)

    def test_what_is_no_text(self) -> None:
        self.assertEqual(as_lines(["a\ud800b", ""]), b"a?b\n\n")
        self.assertEqual(as_lines([]), b"")
