"""Work that takes long: an answer that began well may still tell that it failed."""

import json
from typing import Any

from twisted.internet.defer import CancelledError

from giestack.docker.api import Api
from giestack.docker.errors import DockerError, NotFound, Unreachable
from giestack.docker.long_work import QUIET, text_of, worked
from giestack.docker.request import Request
from tests.docker.scripted_engine import Reply, ScriptedCase, pieces, raw, said

WORK = Request(kind="image work", method="POST", path="/work")


def lines(*messages: Any, **options: Any) -> Reply:
    return pieces(*(json.dumps(message).encode() + b"\r\n" for message in messages), **options)


class LongWorkTests(ScriptedCase):
    def setUp(self) -> None:
        super().setUp()
        self.api = Api(
            self.clock, self.agent, lambda kind, status, _: self.told.append((kind, status))
        )
        self.addCleanup(self.api.close)
        self.heard: list[Any] = []

    async def work(self, *replies: Reply) -> bool:
        self.engine.on("POST /work", *replies)
        return await worked(self.api, WORK, self.heard.append)

    async def test_it_is_heard_to_its_end(self) -> None:
        self.assertTrue(await self.work(lines({"status": "a"}, {"status": "b"})))
        self.assertEqual(self.heard, [{"status": "a"}, {"status": "b"}])
        self.assertEqual(self.told[-1], ("image work", 200))

    async def test_a_failure_comes_last(self) -> None:
        text = 'Head "https://r/v2/": unauthorized:\x1b access denied'
        error = await self.failing(
            DockerError,
            self.work(lines({"status": "a"}, {"error": text, "errorDetail": {"message": text}})),
        )
        self.assertEqual(
            (error.status, str(error)),
            (500, 'Head "https://r/v2/": unauthorized: access denied'),
        )
        self.assertEqual(self.told[-1], ("image work", 500))
        self.assertEqual(self.heard, [{"status": "a"}])

    async def test_a_failure_without_an_end_of_line(self) -> None:
        error = await self.failing(DockerError, self.work(pieces(b'{"error": "disk ', b'full"}')))
        self.assertEqual(str(error), "disk full")

    async def test_the_status_that_a_failure_tells(self) -> None:
        for code, kind, status in ((404, NotFound, 404), (403, DockerError, 403)):
            message = {"errorDetail": {"code": code, "message": "x"}}
            error = await self.failing(kind, self.work(lines(message)))
            self.assertEqual(error.status, status)
        for odd in (0, 200, 1, "x"):
            told = {"errorDetail": {"code": odd, "message": "x"}}
            error = await self.failing(DockerError, self.work(lines(told)))
            self.assertEqual(error.status, 500)

    async def test_it_is_refused(self) -> None:
        await self.failing(NotFound, self.work(said(404, {"message": "no"})))
        self.assertEqual(self.told[-1], ("image work", 404))

    async def test_it_is_cut(self) -> None:
        await self.failing(Unreachable, self.work(lines({"status": "a"}, cut=True)))
        self.assertEqual(self.told[-1], ("image work", 0))

    async def test_it_may_have_been_cut(self) -> None:
        ended = raw(b'HTTP/1.1 200 OK\r\n\r\n{"status": "a"}\n', close=True)
        self.assertFalse(await self.work(ended))

    async def test_silence(self) -> None:
        working = self.start(self.work(lines({"status": "a"}, end=False)))
        await self.engine.until(lambda: self.engine.asked)
        self.clock.advance(QUIET)
        await self.assertFailure(working, Unreachable)
        await self.engine.until(lambda: not self.engine.open)

    async def test_cancelling_ends_it(self) -> None:
        working = self.start(self.work(lines({"status": "a"}, end=False)))
        await self.engine.until(lambda: self.engine.asked)
        working.cancel()
        await self.assertFailure(working, CancelledError)
        await self.engine.until(lambda: not self.engine.open)

    def test_what_is_said_to_people(self) -> None:
        self.assertEqual(text_of({"stream": " ---> abc\n"}), "---> abc")
        self.assertEqual(text_of({"status": "Loading\nmore"}), "Loading")
        self.assertEqual([text_of({}), text_of({"stream": 1})], ["", ""])
