"""One engine: is it there, what does it say of itself, and what happens in it."""

from typing import Any

from twisted.internet import reactor  # noqa: TID251 - real sockets

from giestack.docker.docker import Docker
from giestack.docker.endpoint import agent_for
from giestack.docker.errors import Unreachable
from tests.docker.scripted_engine import ScriptedCase, cut, pieces, said


class DockerTests(ScriptedCase):
    def setUp(self) -> None:
        super().setUp()
        self.heard: list[Any] = []

    def hear(self, event: dict[str, Any]) -> None:
        self.heard.append(event)
        self.engine.changed()

    async def test_ping_agrees_on_a_version(self) -> None:
        self.assertEqual(self.docker.version, "")
        await self.docker.ping()
        self.assertEqual(self.docker.version, "1.41")
        self.engine.version = "1.40"
        await self.docker.ping()
        self.assertEqual(self.docker.version, "1.40")

    async def test_it_is_gone_and_comes_back(self) -> None:
        await self.docker.ping()
        await self.engine.down()
        await self.failing(Unreachable, self.docker.ping())
        self.engine.up()
        await self.docker.ping()

    async def test_after_closing_it_is_asked_no_more(self) -> None:
        await self.docker.ping()
        await self.docker.close()
        await self.docker.close()
        for doing in (self.docker.ping(), self.docker.info(), self.docker.images.pull("a", print)):
            error = await self.failing(Unreachable, doing)
            self.assertIn("closed", str(error))
        await self.assertFailure(self.docker.events(self.hear).ended, Unreachable)
        self.assertEqual((self.engine.pings, self.engine.asked), (1, []))

    async def test_nobody_needs_to_count(self) -> None:
        self.engine.on("GET /info", said(200, {"NCPU": 2}))
        docker = Docker(self.clock, agent_for(reactor, self.engine.location))
        self.addCleanup(docker.close)
        self.assertEqual(await docker.info(), {"NCPU": 2})

    async def test_events(self) -> None:
        # Some come in the middle of a chunk, some over two.
        self.engine.on("GET /events", pieces(b'{"Action": "start"}\n{"Act', end=False))
        stream = self.docker.events(
            self.hear, filters={"label": ["org.giestack.instance=a"], "type": ["container"]}
        )
        await self.engine.until(lambda: self.heard)
        self.engine.wires[0].more(b'ion": "oom"}\n{"Action": "die"}\n')
        await self.engine.until(lambda: len(self.heard) == 3)
        self.assertEqual([event["Action"] for event in self.heard], ["start", "oom", "die"])
        self.assertEqual(
            self.engine.asked[0].query,
            {"filters": ['{"label": ["org.giestack.instance=a"], "type": ["container"]}']},
        )
        stream.stop()

    async def test_events_since_the_last_one(self) -> None:
        self.engine.on("GET /events", pieces())
        stream = self.docker.events(self.hear, since="1700000000.123456789")
        await stream.ended
        self.assertEqual(self.engine.asked[0].query, {"since": ["1700000000.123456789"]})

    async def test_an_engine_that_is_restarted_ends_them(self) -> None:
        # Well, or by a cut: both are heard of at once, and the next subscription works.
        self.engine.on(
            "GET /events", pieces(b"{}\n"), pieces(b"{}\n", cut=True), cut, pieces(b"{}\n")
        )
        await self.docker.events(self.hear).ended
        for _ in range(2):
            self.agent.forget_idle()
            await self.assertFailure(self.docker.events(self.hear).ended, Unreachable)
        await self.docker.events(self.hear).ended
        self.assertEqual(self.heard, [{}, {}, {}])

    async def test_events_have_no_limit_of_time(self) -> None:
        self.engine.on("GET /events", pieces(end=False))
        stream = self.docker.events(self.hear)
        await self.engine.until(lambda: self.engine.asked)
        self.clock.advance(10**6)
        self.assertNoResult(stream.ended)
