"""Requests to an engine: versions, time limits, errors in its words, kept connections."""

from typing import Any

from treq.testing import RequestTraversalAgent
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseFailed
from twisted.web.resource import Resource

from giestack.docker.api import Api
from giestack.docker.errors import Conflict, DockerError, NotFound, Unreachable
from giestack.docker.lines import JsonLines
from giestack.docker.request import Request
from tests.docker.scripted_engine import Producer, ScriptedCase, cut, pieces, raw, said, silent

GET = Request(kind="thing inspect", method="GET", path="/thing")
POST = Request(kind="thing make", method="POST", path="/thing", body={"a": "ü"})


class ApiCase(ScriptedCase):
    def setUp(self) -> None:
        super().setUp()
        self.api = Api(
            self.clock, self.agent, lambda kind, status, _: self.told.append((kind, status))
        )
        self.addCleanup(self.api.close)


class VersionTests(ApiCase):
    async def agreed(self, theirs: str) -> str:
        self.engine.version = theirs
        self.engine.on("GET /thing", said(200, {}))
        await self.api.call(GET)
        self.assertEqual(self.engine.asked[-1].version, self.api.version)
        return self.api.version

    async def test_an_older_engine_is_asked_in_its_version(self) -> None:
        self.assertEqual(self.api.version, "")
        self.assertEqual(await self.agreed("1.41"), "1.41")

    async def test_one_that_is_newer_in_ours(self) -> None:
        self.assertEqual(await self.agreed("1.52"), "1.44")

    async def test_1_9_is_older_than_1_41(self) -> None:
        self.assertEqual(await self.agreed("1.9"), "1.9")

    async def test_it_is_asked_for_once(self) -> None:
        self.engine.on("GET /thing", said(200, {}))
        for _ in range(3):
            await self.api.call(GET)
        self.assertEqual(self.engine.pings, 1)

    async def test_after_a_failure_another_engine_may_be_there(self) -> None:
        await self.agreed("1.41")
        self.engine.on("GET /thing", cut, cut, said(200, {}))
        await self.failing(Unreachable, self.api.call(GET))
        self.engine.version = "1.40"
        await self.api.call(GET)
        self.assertEqual(self.api.version, "1.40")

    async def test_an_engine_that_does_not_take_our_version_any_more_is_asked_anew(self) -> None:
        self.engine.on(
            "GET /thing",
            said(400, {"message": "client version 1.41 is too new. Maximum is 1.40"}),
            said(200, {}),
        )
        await self.failing(DockerError, self.api.call(GET))
        self.engine.version = "1.40"
        await self.api.call(GET)
        self.assertEqual(self.engine.asked[-1].version, "1.40")

    async def test_what_is_no_engine_is_told(self) -> None:
        for version in ("", "latest", "1"):
            self.engine.version = version
            error = await self.failing(DockerError, self.api.ping())
            self.assertIn("no Docker engine", str(error))

    async def test_an_engine_that_refuses_to_say(self) -> None:
        self.engine.on("GET /_ping", said(403, b"not for you"))
        error = await self.failing(DockerError, self.api.call(GET))
        self.assertEqual((error.status, str(error)), (403, "not for you"))
        self.assertEqual(self.told, [("ping", 403), ("thing inspect", 403)])

    async def test_one_that_is_not_there(self) -> None:
        await self.engine.down()
        error = await self.failing(Unreachable, self.api.ping())
        self.assertIn("does an engine run there?", str(error))
        self.assertEqual(self.told, [("ping", 0)])


class AnswerTests(ApiCase):
    async def test_queries_and_bodies_arrive_as_they_are(self) -> None:
        self.engine.on("POST /thing", said(201, {"Id": "x"}))
        request = Request(
            kind="thing make",
            method="POST",
            path="/thing",
            query={"name": "a b+c&d=ü%", "names": ["1", "2"], "empty": ""},
            body={"a": "ü"},
            headers={"X-Registry-Auth": "abc=="},
        )
        answer = await self.api.call(request)
        self.assertEqual((answer.status, answer.object()), (201, {"Id": "x"}))
        [asked] = self.engine.asked
        self.assertEqual(asked.query, {"name": ["a b+c&d=ü%"], "names": ["1", "2"], "empty": [""]})
        self.assertEqual(asked.json(), {"a": "ü"})
        self.assertEqual(asked.headers["content-type"], "application/json")
        self.assertEqual(asked.headers["x-registry-auth"], "abc==")

    async def test_errors_are_in_the_engines_words(self) -> None:
        for status, kind in ((404, NotFound), (409, Conflict), (500, DockerError)):
            self.engine.on("GET /thing", said(status, {"message": "No such\nthing"}))
            error = await self.failing(kind, self.api.call(GET))
            self.assertEqual((error.status, str(error)), (status, "No such"))
            self.assertEqual(self.told[-1], ("thing inspect", status))

    async def test_a_redirection_is_no_answer(self) -> None:
        self.engine.on("GET /thing", said(301, b"", Location="/other"))
        error = await self.failing(DockerError, self.api.call(GET))
        self.assertEqual(error.status, 301)
        self.assertEqual(self.engine.kinds(), ["GET /thing"])

    async def test_nothing_changed_is_fine_where_it_is_said_to_be(self) -> None:
        self.engine.on("POST /thing", said(304))
        fine = Request(kind="thing start", method="POST", path="/thing", fine=(304,))
        self.assertEqual((await self.api.call(fine)).status, 304)
        await self.failing(DockerError, self.api.call(POST))

    async def test_a_larger_answer_than_wanted_is_not_kept(self) -> None:
        self.engine.on("GET /thing", pieces(*[b"x" * 1000] * 11, end=False))
        error = await self.failing(DockerError, self.api.call(GET, most=10_000))
        self.assertIn("10000 bytes", str(error))
        await self.engine.until(lambda: not self.engine.open)

    async def test_an_error_without_end_is_read_in_part(self) -> None:
        self.engine.on(
            "GET /thing", pieces(b"no good\n", *[b"x" * 60_000] * 3, end=False, status=500)
        )
        self.assertEqual(str(await self.failing(DockerError, self.api.call(GET))), "no good")

    async def test_an_error_that_is_cut_is_told_as_far_as_it_came(self) -> None:
        self.engine.on("GET /thing", pieces(b"no go", cut=True, status=500))
        error = await self.failing(DockerError, self.api.call(GET))
        self.assertEqual((error.status, str(error)), (500, "no go"))

    async def test_an_answer_that_is_cut_is_none(self) -> None:
        self.engine.on("GET /thing", pieces(b'{"Id": "x"}', cut=True))
        error = await self.failing(Unreachable, self.api.call(GET))
        self.assertIn("within its answer", str(error))
        self.assertEqual(self.told[-1], ("thing inspect", 0))

    async def test_an_answer_that_lasts_until_the_connection_ends(self) -> None:
        self.engine.on("GET /thing", raw(b'HTTP/1.1 200 OK\r\n\r\n{"a": 1}', close=True))
        self.assertEqual((await self.api.call(GET)).object(), {"a": 1})

    async def test_what_does_not_speak_http(self) -> None:
        self.engine.on("GET /thing", raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", close=True))
        error = await self.failing(Unreachable, self.api.call(GET))
        self.assertIn("no answer that can be read", str(error))


class TimeTests(ApiCase):
    async def test_an_engine_that_hangs_is_given_up(self) -> None:
        self.engine.on("GET /thing", silent)
        calling = self.start(self.api.call(GET, seconds=7))
        await self.engine.until(lambda: self.engine.asked)
        self.clock.advance(6.9)
        self.assertNoResult(calling)
        self.clock.advance(0.2)
        error = await self.assertFailure(calling, Unreachable)
        self.assertIn("within 7 seconds", str(error))
        self.assertEqual(self.told[-1], ("thing inspect", 0))
        await self.engine.until(lambda: not self.engine.open)

    async def test_the_limit_is_for_the_whole_answer(self) -> None:
        self.engine.on("GET /thing", pieces(b'{"a"', end=False))
        calling = self.start(self.api.call(GET, seconds=7))
        await self.engine.until(lambda: self.engine.asked)
        self.clock.advance(7)
        await self.assertFailure(calling, Unreachable)
        await self.engine.until(lambda: not self.engine.open)

    async def test_the_limit_is_for_the_version_too(self) -> None:
        self.engine.on("GET /_ping", silent)
        calling = self.start(self.api.call(GET, seconds=7))
        await self.engine.until(lambda: self.engine.asked)
        self.clock.advance(7)
        await self.assertFailure(calling, Unreachable)

    async def test_an_answer_that_comes_late_goes_nowhere(self) -> None:
        self.engine.on("GET /thing", silent, said(200, {"which": "second"}))
        calling = self.start(self.api.call(GET, seconds=7))
        await self.engine.until(lambda: self.engine.asked)
        self.clock.advance(7)
        said(200, {"which": "first"})(self.engine.wires[0])
        await self.assertFailure(calling, Unreachable)
        self.assertEqual((await self.api.call(GET)).object(), {"which": "second"})

    async def test_some_answers_take_as_long_as_they_take(self) -> None:
        self.engine.on("GET /thing", silent)
        calling = self.start(self.api.call(GET, seconds=None))
        await self.engine.until(lambda: self.engine.asked)
        self.clock.advance(10**6)
        said(200, {"a": 1})(self.engine.wires[0])
        self.assertEqual((await calling).object(), {"a": 1})

    async def test_cancelling_ends_the_connection(self) -> None:
        self.engine.on("GET /thing", silent, pieces(b"[", end=False))
        for number in (1, 2):
            calling = self.start(self.api.call(GET))
            await self.engine.until(lambda: len(self.engine.asked) == number)  # noqa: B023
            calling.cancel()
            await self.assertFailure(calling, CancelledError)
            await self.engine.until(lambda: not self.engine.open)
        self.assertEqual(self.told, [("ping", 200)])

    async def test_closing_ends_what_goes_on(self) -> None:
        self.engine.on("GET /thing", silent, pieces(b'{"a": 1}\n', end=False))
        calling = self.start(self.api.call(GET))
        await self.engine.until(lambda: self.engine.asked)
        heard: list[object] = []

        async def begin(hear):
            return await self.api.open(GET), JsonLines(hear)

        stream = self.api.stream(begin, heard.append)
        await self.engine.until(lambda: len(self.engine.asked) == 2)
        closing = self.start(self.api.close())
        await self.assertFailure(calling, CancelledError)
        self.assertIsNone(self.successResultOf(stream.ended))
        await closing
        self.assertEqual(self.clock.getDelayedCalls(), [])
        await self.failing(Unreachable, self.api.call(GET))
        await self.assertFailure(self.api.stream(begin, heard.append).ended, Unreachable)
        self.assertEqual(len(self.engine.asked), 2)


class KeptConnectionTests(ApiCase):
    """The engine, or what is in front of it, closes a connection that is kept at any time."""

    async def warm(self, *replies) -> None:
        self.engine.on("GET /warm", said(200, {}))
        await self.api.call(Request(kind="warm", method="GET", path="/warm"))
        self.assertEqual(len(self.engine.open), 1)
        self.engine.on("GET /thing", *replies)
        self.engine.on("POST /thing", *replies)

    async def test_it_is_used_for_the_next_request(self) -> None:
        await self.warm(said(200, {}))
        await self.api.call(GET)
        self.assertEqual({asked.connection for asked in self.engine.asked}, {1})

    async def test_a_request_that_got_no_answer_on_it_is_sent_once_more(self) -> None:
        await self.warm(cut, said(200, {"a": 1}))
        self.assertEqual((await self.api.call(GET)).object(), {"a": 1})
        self.assertEqual([asked.connection for asked in self.engine.asked], [1, 1, 2])

    async def test_a_post_too_where_it_may_be(self) -> None:
        await self.warm(cut, said(200, {"a": 1}))
        request = Request(
            kind="thing start", method="POST", path="/thing", body={"b": 2}, kept="repeated"
        )
        self.assertEqual((await self.api.call(request)).object(), {"a": 1})
        self.assertEqual([asked.body for asked in self.engine.asked[1:]], [b'{"b": 2}'] * 2)

    async def test_once_only(self) -> None:
        await self.warm(cut, cut, said(200, {"a": 1}))
        error = await self.failing(Unreachable, self.api.call(GET))
        self.assertIn("closed the connection before its answer", str(error))

    async def test_not_where_the_connection_was_new(self) -> None:
        self.engine.on("GET /thing", cut, said(200, {}))
        await self.api.ping()
        self.agent.forget_idle()
        await self.failing(Unreachable, self.api.call(GET))
        self.assertEqual(len(self.engine.asked), 1)

    async def test_not_where_some_of_an_answer_came(self) -> None:
        await self.warm(raw(b"HTTP/1.1 20", close=True), said(200, {}))
        await self.failing(Unreachable, self.api.call(GET))
        self.assertEqual(self.engine.kinds(), ["GET /warm", "GET /thing"])

    async def test_what_can_not_be_repeated_goes_over_a_new_one(self) -> None:
        await self.warm(said(200, {}))
        await self.api.call(POST)
        self.assertEqual([asked.connection for asked in self.engine.asked], [1, 2])

    async def test_others_that_were_kept_as_long_are_not_tried(self) -> None:
        self.engine.on("GET /thing", silent)
        both = [self.start(self.api.call(GET)) for _ in range(2)]
        await self.engine.until(lambda: len(self.engine.asked) == 2)
        for wire, calling in zip(self.engine.wires, both, strict=True):
            said(200, {})(wire)
            await calling
        self.engine.on("GET /thing", cut, said(200, {}))
        await self.api.call(GET)
        self.assertEqual([asked.connection for asked in self.engine.asked], [1, 2, 1, 3])


class UploadTests(ApiCase):
    async def test_a_producer_is_not_asked_twice(self) -> None:
        self.engine.on("POST /thing", said(200, {}))
        await self.api.ping()
        await self.api.call(
            Request(
                kind="thing load",
                method="POST",
                path="/thing",
                body=Producer([b"abc", b"def"]),
                kept="repeated",
            )
        )
        [asked] = self.engine.asked
        self.assertEqual((asked.body, asked.connection), (b"abcdef", 2))

    async def test_a_producer_that_fails_fails_the_call(self) -> None:
        request = Request(kind="load", method="POST", path="/thing", body=Producer([b"a", None]))
        await self.failing(ZeroDivisionError, self.api.call(request))
        await self.engine.until(lambda: not self.engine.open)

    async def test_cancelling_stops_it(self) -> None:
        await self.api.ping()
        heads, producer = self.engine.heads, Producer([b"a"], ends=False)
        request = Request(kind="load", method="POST", path="/thing", body=producer)
        calling = self.start(self.api.call(request))
        await self.engine.until(lambda: self.engine.heads > heads)
        calling.cancel()
        await self.assertFailure(calling, CancelledError)
        await self.engine.until(lambda: not self.engine.open)
        self.assertTrue(producer.is_stopped)


class OtherAgentTests(SynchronousTestCase):
    """An agent that is none of ours: Twisted's own, or one of a test."""

    def test_its_failures_are_no_answers(self) -> None:
        class Broken:
            def request(self, *arguments: object) -> "Deferred[Any]":
                return fail(ResponseFailed([Failure(OSError("x"))]))

        api = Api(Clock(), Broken(), lambda *_: None)  # type: ignore[arg-type]
        calling = Deferred.fromCoroutine(api.call(POST))
        self.assertIn("no answer", str(self.failureResultOf(calling, Unreachable).value))
        self.successResultOf(Deferred.fromCoroutine(api.close()))

    def test_an_answer_from_memory(self) -> None:
        class Engine(Resource):
            isLeaf = True

            def render(self, request: Any) -> bytes:
                request.setHeader("Api-Version", "1.41")
                return request.method + b" " + request.uri

        api = Api(Clock(), RequestTraversalAgent(Engine()), lambda *_: None)
        calling = Deferred.fromCoroutine(api.call(POST))
        self.assertEqual(self.successResultOf(calling).body, b"POST /v1.41/thing")
