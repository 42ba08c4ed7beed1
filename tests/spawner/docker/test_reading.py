"""What is shown of what sessions print and use."""

from twisted.internet.defer import Deferred

from tests.docker.fake_http import answers
from tests.spawner.docker.fake_case import FakeCase
from tests.spawner.docker.suite import MISSING


class PrintedTests(FakeCase):
    """What is shown of what they print."""

    async def test_no_secrets_and_no_codes(self):
        engine = await self.engine()
        secrets = {"API": "s3cret-of-profile"}
        more = {"api_key": "key-of-alice", "env": {"MY_TOKEN": "t0ken-of-hook"}}
        line = "\x1b[1ms3cret-of-profile\x1b[0m key-of-alice t0ken-of-hook"
        heard: list[str] = []
        over: Deferred[None] = Deferred()
        started = self.start(engine, "tick", "0.02", line, secrets=secrets, more=more)
        # From before there is a container.
        engine.follow("s1", 10, heard.append, lambda: over.callback(None))
        await started
        await self.until(lambda: heard != [])
        self.assertEqual(heard, ["… … …"])
        self.assertEqual(list(await engine.logs("s1", 10)), ["… … …"])
        await engine.stop("s1", 1)
        await over

    async def test_follow_a_start_that_fails(self):
        engine = await self.engine()
        started = self.start(engine, image=MISSING)
        ends: list[str] = []
        engine.follow("s1", 10, ends.append, lambda: ends.append("end"))
        await self.refused(started)
        self.assertEqual(ends, ["end"])
        self.assertEqual(list(await engine.logs("s1", 10)), [])
        engine.follow("s1", 10, ends.append, lambda: ends.append("end"))
        self.assertEqual(ends, ["end", "end"])
        await engine.stop("s1", 1)

    async def test_follow_until_it_is_closed(self):
        engine = await self.engine()
        await self.start(engine)
        ends: list[str] = []
        engine.follow("s1", 10, ends.append, lambda: ends.append("end"))
        await engine.close()
        self.assertEqual(ends, ["end"])

    async def test_gone_meanwhile(self):
        engine = await self.engine()
        await self.start(engine)
        self.fake.faults.add("container logs", answers(404, "No such container"))
        self.fake.faults.add("container stats", answers(404, "No such container"))
        self.assertEqual(list(await engine.logs("s1", 10)), [])
        self.assertIsNone(await engine.stats("s1"))
        self.fake.faults.add("container logs", answers(409, "dead or marked for removal"))
        self.assertEqual(list(await engine.logs("s1", 10)), [])
        await engine.stop("s1", 1)

    async def test_engine_does_not_tell(self):
        engine = await self.engine()
        await self.start(engine)
        self.fake.faults.add("container logs", answers(500, "disk full"))
        self.fake.faults.add("container stats", answers(500, "disk full"))
        self.assertIn("disk full", await self.refused(engine.logs("s1", 10)))
        self.assertIn("disk full", await self.refused(engine.stats("s1")))
        await engine.stop("s1", 1)

    async def test_who_has_left_is_forgotten(self):
        engine = await self.engine()
        await self.start(engine)
        for _ in range(5):
            engine.follow("s1", 10, self.fail, self.fail)()
        (session,) = engine._sessions.known.values()
        self.assertEqual(len(session.followers), 1)
        await engine.stop("s1", 1)
