"""What is created under a name, where the engine's answer gets lost."""

from giestack.docker.errors import Conflict, Unreachable
from tests.docker.scripted_engine import Reply, ScriptedCase, cut, said, silent

CREATE, FIND = "POST /containers/create", "GET /containers/mine/json"
BODY = {"Image": "busybox", "Labels": {"a": "1", "b": "2"}}


def found(**labels: str) -> Reply:
    return said(200, {"Id": "found", "Config": {"Labels": labels}})


class CreationTests(ScriptedCase):
    async def keep(self) -> None:
        """One connection that is kept."""
        self.engine.on("GET /info", said(200, {}))
        await self.docker.info()
        self.engine.asked.clear()

    async def fresh(self) -> None:
        """No connection that is kept."""
        await self.docker.ping()
        self.agent.forget_idle()

    async def create(self, body=BODY) -> str:
        return await self.docker.containers.create("mine", body)

    async def test_its_id(self) -> None:
        self.engine.on(CREATE, said(201, {"Id": "new", "Warnings": []}))
        self.assertEqual(await self.create(), "new")
        [asked] = self.engine.asked
        self.assertEqual((asked.query, asked.json()), ({"name": ["mine"]}, BODY))

    async def test_the_answer_was_lost_and_it_is_there(self) -> None:
        # A container has its image's labels, too.
        self.engine.on(CREATE, cut)
        self.engine.on(FIND, found(a="1", b="2", maintainer="x"))
        self.assertEqual(await self.create(), "found")
        self.assertEqual(self.engine.kinds(), [CREATE, FIND])

    async def test_the_answer_came_too_late_and_it_is_there(self) -> None:
        self.engine.on(CREATE, silent)
        self.engine.on(FIND, found(a="1", b="2"))
        creating = self.start(self.create())
        await self.engine.until(lambda: self.engine.asked)
        self.clock.advance(60)
        self.assertEqual(await creating, "found")

    async def test_it_is_not_ours(self) -> None:
        for labels in ({}, {"a": "1"}, {"a": "1", "b": "3"}):
            self.engine.on(CREATE, cut)
            self.engine.on(FIND, found(**labels))
            await self.failing(Unreachable, self.create())

    async def test_without_labels_nothing_is_known_to_be_ours(self) -> None:
        self.engine.on(CREATE, cut)
        self.engine.on(FIND, found())
        await self.failing(Unreachable, self.create({"Image": "busybox"}))

    async def test_it_is_not_there(self) -> None:
        await self.fresh()
        self.engine.on(CREATE, cut)
        await self.failing(Unreachable, self.create())
        self.assertEqual(self.engine.kinds(), [CREATE, FIND])

    async def test_it_can_not_be_told(self) -> None:
        for reply in (cut, said(500, {"message": "no"})):
            await self.fresh()
            self.engine.on(CREATE, cut)
            self.engine.on(FIND, reply)
            error = await self.failing(Unreachable, self.create())
            self.assertIn("closed", str(error))

    async def test_a_kept_connection_was_closed_before_it_was_seen(self) -> None:
        await self.keep()
        self.engine.on(CREATE, cut, said(201, {"Id": "second"}))
        self.assertEqual(await self.create(), "second")
        self.assertEqual(self.engine.kinds(), [CREATE, FIND, CREATE])
        self.assertEqual(self.engine.asked[0].connection, 1)
        self.assertNotEqual(self.engine.asked[2].connection, 1)

    async def test_a_kept_connection_was_closed_after_it_was_done(self) -> None:
        await self.keep()
        self.engine.on(CREATE, cut)
        self.engine.on(FIND, found(a="1", b="2"))
        self.assertEqual(await self.create(), "found")
        self.assertEqual(self.engine.kinds(), [CREATE, FIND])

    async def test_a_kept_connection_was_closed_and_the_name_is_somebody_elses(self) -> None:
        await self.keep()
        self.engine.on(CREATE, cut, said(409, {"message": "name is in use"}))
        self.engine.on(FIND, found(c="1"))
        error = await self.failing(Conflict, self.create())
        self.assertEqual(str(error), "name is in use")

    async def test_a_name_that_is_taken_is_told_and_not_used(self) -> None:
        self.engine.on(CREATE, said(409, {"message": "name is in use"}))
        self.engine.on(FIND, found(a="1", b="2"))
        await self.failing(Conflict, self.create())
        self.assertEqual(self.engine.kinds(), [CREATE])
