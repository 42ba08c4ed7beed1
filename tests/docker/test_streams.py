"""Answers that go on: their end, their faults, and how they are stopped and slowed down."""

from typing import Any

from twisted.internet.defer import CancelledError

from giestack.docker.api import Api
from giestack.docker.errors import DockerError, Unreachable
from giestack.docker.lines import Bytes, JsonLines
from giestack.docker.request import Request
from giestack.docker.streams import Stream
from tests.docker.scripted_engine import ScriptedCase, cut, pieces, raw, said, silent

GET = Request(kind="thing watch", method="GET", path="/thing")


class StreamTests(ScriptedCase):
    def setUp(self) -> None:
        super().setUp()
        self.api = Api(self.clock, self.agent, lambda *_: None)
        self.addCleanup(self.api.close)
        self.heard: list[Any] = []

    def stream(self, heard: Any = None, *, quiet: float | None = None) -> Stream:
        async def begin(hear: Any) -> Any:
            return await self.api.open(GET), JsonLines(hear)

        return self.api.stream(begin, heard or self.heard.append, quiet=quiet)

    def bytes(self, heard: Any) -> Stream:
        async def begin(hear: Any) -> Any:
            return await self.api.open(GET), Bytes(hear)

        return self.api.stream(begin, heard)

    def told_at_once(self, found: Any) -> None:
        self.heard.append(found)
        self.engine.changed()

    async def test_what_comes_is_heard_at_once_and_not_kept(self) -> None:
        self.engine.on("GET /thing", pieces(b'{"a": 1}\n{"b"', end=False))
        stream = self.stream(self.told_at_once)
        await self.engine.until(lambda: self.heard)
        self.assertEqual(self.heard, [{"a": 1}])
        [wire] = self.engine.wires
        wire.more(b': 2}\n{"c": 3}')
        wire.end()
        await stream.ended
        self.assertEqual(self.heard, [{"a": 1}, {"b": 2}, {"c": 3}])
        self.assertTrue(stream.whole)

    async def test_one_that_is_refused(self) -> None:
        self.engine.on("GET /thing", said(500, {"message": "not now"}))
        error: Any = await self.assertFailure(self.stream().ended, DockerError)
        self.assertEqual(str(error), "not now")

    async def test_one_that_is_cut(self) -> None:
        self.engine.on("GET /thing", pieces(b'{"a": 1}\n{"b"', cut=True))
        stream = self.stream()
        error: Any = await self.assertFailure(stream.ended, Unreachable)
        self.assertIn("within its answer", str(error))
        self.assertEqual(self.heard, [{"a": 1}])
        self.assertFalse(stream.whole)

    async def test_one_that_never_begins(self) -> None:
        self.engine.on("GET /thing", cut)
        await self.assertFailure(self.stream().ended, Unreachable)

    async def test_where_the_connections_end_is_the_end_something_may_be_missing(
        self,
    ) -> None:
        self.engine.on("GET /thing", raw(b'HTTP/1.1 200 OK\r\n\r\n{"a": 1}\n', close=True))
        stream = self.stream()
        await stream.ended
        self.assertEqual((self.heard, stream.whole), ([{"a": 1}], False))

    async def test_nothing_is_heard_after_it_was_stopped(self) -> None:
        # Also of what came in the same piece.
        self.engine.on("GET /thing", pieces(b'{"a": 1}\n{"a": 2}\n', end=False))
        streams: list[Stream] = []

        def heard(message: Any) -> None:
            self.heard.append(message)
            streams[0].stop()
            streams[0].stop()

        streams.append(self.stream(heard))
        await streams[0].ended
        await self.engine.until(lambda: not self.engine.open)
        self.assertEqual(self.heard, [{"a": 1}])

    async def test_stopping_before_it_has_begun(self) -> None:
        self.engine.on("GET /thing", silent)
        stream = self.stream()
        await self.engine.until(lambda: self.engine.asked)
        stream.stop()
        self.assertIsNone(self.successResultOf(stream.ended))
        await self.engine.until(lambda: not self.engine.open)

    async def test_stopping_what_is_over(self) -> None:
        self.engine.on("GET /thing", said(200, {"a": 1}))
        stream = self.stream()
        await stream.ended
        stream.stop()
        stream.pause()
        stream.resume()

    async def test_cancelling_the_end_ends_it(self) -> None:
        self.engine.on("GET /thing", pieces(b"{}\n", end=False))
        stream = self.stream()
        await self.engine.until(lambda: self.engine.asked)
        stream.ended.cancel()
        await self.assertFailure(stream.ended, CancelledError)
        await self.engine.until(lambda: not self.engine.open)
        stream.stop()

    async def test_who_hears_may_fail(self) -> None:
        self.engine.on("GET /thing", pieces(b'{"a": 0}\n{"a": 1}\n', end=False))
        stream = self.stream(lambda message: self.heard.append(1 // message["a"]))
        await self.assertFailure(stream.ended, ZeroDivisionError)
        self.assertEqual(self.heard, [])
        await self.engine.until(lambda: not self.engine.open)

    async def test_who_hears_the_last_may_fail(self) -> None:
        self.engine.on("GET /thing", pieces(b'{"a": 0}'))
        stream = self.stream(lambda message: self.heard.append(1 // message["a"]))
        await self.assertFailure(stream.ended, ZeroDivisionError)

    async def test_silence_ends_one_that_should_talk(self) -> None:
        self.engine.on("GET /thing", pieces(b'{"a": 1}\n', end=False))
        stream = self.stream(self.told_at_once, quiet=30)
        self.clock.advance(29)
        await self.engine.until(lambda: self.heard)
        self.clock.advance(29)
        self.assertNoResult(stream.ended)
        self.clock.advance(1)
        error: Any = await self.assertFailure(stream.ended, Unreachable)
        self.assertIn("nothing for 30 seconds", str(error))
        await self.engine.until(lambda: not self.engine.open)

    async def test_one_that_never_begins_is_silent(self) -> None:
        self.engine.on("GET /thing", silent)
        stream = self.stream(quiet=30)
        await self.engine.until(lambda: self.engine.asked)
        self.clock.advance(30)
        await self.assertFailure(stream.ended, Unreachable)
        await self.engine.until(lambda: not self.engine.open)

    async def test_one_without_a_limit_may_be_silent(self) -> None:
        self.engine.on("GET /thing", pieces(end=False))
        stream = self.stream()
        await self.engine.until(lambda: self.engine.asked)
        self.clock.advance(10**6)
        self.assertNoResult(stream.ended)
        stream.stop()

    async def test_who_is_slow_is_not_overrun(self) -> None:
        size = 0

        def heard(data: bytes) -> None:
            nonlocal size
            size += len(data)
            stream.pause()
            self.engine.changed()

        total = 64 * 1024 * 1024
        self.engine.on("GET /thing", pieces(b"x" * total))
        stream = self.bytes(heard)
        rounds = 0
        while not stream.ended.called:
            before = size
            await self.engine.until(lambda: size > before or stream.ended.called)  # noqa: B023
            # What had been read already may come, and no more than that.
            self.assertLess(size - before, 1024 * 1024)
            rounds += 1
            stream.resume()
        self.assertEqual(size, total)
        self.assertGreater(rounds, 60)

    async def test_pausing_before_it_has_begun(self) -> None:
        self.engine.on("GET /thing", silent)
        sizes: list[int] = []
        stream = self.bytes(lambda data: sizes.append(len(data)))
        stream.pause()
        await self.engine.until(lambda: self.engine.asked)
        [wire] = self.engine.wires
        pieces(b"x" * 10_000_000)(wire)
        for _ in range(200):
            await self.api.ping()  # meanwhile all could have come
        self.assertLess(sum(sizes), 1_000_000)
        stream.resume()
        await stream.ended
        self.assertEqual(sum(sizes), 10_000_000)

    async def test_stopping_while_its_answer_begins(self) -> None:
        streams: list[Stream] = []

        async def begin(hear: Any) -> Any:
            response = await self.api.open(GET)
            streams[0].stop()
            return response, JsonLines(hear)

        self.engine.on("GET /thing", pieces(b"{}\n", end=False))
        streams.append(self.api.stream(begin, self.heard.append))
        await streams[0].ended
        await self.engine.until(lambda: not self.engine.open)
        self.assertEqual(self.heard, [])
