"""Commands that are run in a container."""

import struct
from typing import Any

from twisted.internet.defer import CancelledError

from giestack.docker import execution
from giestack.docker.errors import Conflict, DockerError, Unreachable
from giestack.docker.execution import Executed
from tests.docker.scripted_engine import ScriptedCase, cut, pieces, said

CREATE, START, INSPECT = "POST /containers/c/exec", "POST /exec/e1/start", "GET /exec/e1/json"


def frame(kind: int, payload: bytes) -> bytes:
    return struct.pack(">BxxxL", kind, len(payload)) + payload


class ExecutionTests(ScriptedCase):
    def setUp(self) -> None:
        super().setUp()
        self.engine.on(CREATE, said(201, {"Id": "e1"}))
        self.engine.on(START, pieces(frame(1, b"out\n"), frame(2, b"err\n")))
        self.engine.on(INSPECT, said(200, {"Running": False, "ExitCode": 3}))

    async def run_it(self, **options: Any) -> Executed:
        return await self.docker.containers.execute("c", ["sh", "-c", "x"], **options)

    async def test_what_it_prints_and_how_it_ends(self) -> None:
        self.assertEqual(await self.run_it(user="root", env=["A=1"]), Executed(3, "out\nerr\n"))
        create, start, _ = self.engine.asked
        self.assertEqual(
            create.json(),
            {
                "AttachStdout": True,
                "AttachStderr": True,
                "Cmd": ["sh", "-c", "x"],
                "User": "root",
                "Env": ["A=1"],
            },
        )
        self.assertEqual(start.json(), {"Detach": False, "Tty": False})

    async def test_characters_may_be_cut_between_frames(self) -> None:
        first, second = "☃".encode()[:1], "☃".encode()[1:]
        self.engine.on(START, pieces(frame(1, first), frame(1, second)))
        self.assertEqual((await self.run_it()).output, "☃")

    async def test_the_end_of_much_output(self) -> None:
        self.patch(execution, "MOST", 10)
        self.engine.on(START, pieces(*(frame(1, b"%d" % n * 4) for n in range(10))))
        self.assertEqual((await self.run_it()).output, "7788889999")

    async def test_a_container_that_is_paused(self) -> None:
        self.engine.on(CREATE, said(409, {"message": "Container c is paused"}))
        await self.failing(Conflict, self.run_it())

    async def test_it_could_not_be_started(self) -> None:
        self.engine.on(START, said(400, {"message": "OCI runtime exec failed"}))
        error = await self.failing(DockerError, self.run_it())
        self.assertEqual(str(error), "OCI runtime exec failed")

    async def test_it_takes_too_long(self) -> None:
        self.engine.on(START, pieces(frame(1, b"x"), end=False))
        running = self.start(self.run_it(seconds=5))
        await self.engine.until(lambda: START in self.engine.kinds())
        self.clock.advance(5)
        await self.assertFailure(running, Unreachable)
        await self.engine.until(lambda: self.engine.asked[1].connection not in self.engine.open)

    async def test_its_end_is_written_down_a_moment_later(self) -> None:
        self.engine.on(
            INSPECT,
            said(200, {"Running": True, "ExitCode": None}),
            said(200, {"Running": True, "ExitCode": 0}),
            said(200, {"Running": False, "ExitCode": 0}),
        )
        running = self.start(self.run_it())
        while not running.called:
            await self.docker.ping()
            self.clock.advance(0.05)
        self.assertEqual(await running, Executed(0, "out\nerr\n"))

    async def test_its_end_is_never_told(self) -> None:
        self.patch(execution, "_TRIES", 1)
        self.engine.on(INSPECT, said(200, {"Running": True}))
        running = self.start(self.run_it())
        await self.engine.until(lambda: INSPECT in self.engine.kinds())
        while not running.called:
            await self.docker.ping()
            self.clock.advance(0.05)
        await self.assertFailure(running, Unreachable)

    async def test_closing_does_not_wait_for_its_end(self) -> None:
        self.engine.on(INSPECT, said(200, {"Running": True}))
        running = self.start(self.run_it())
        while self.engine.kinds().count(INSPECT) < 3:
            await self.docker.ping()
            self.clock.advance(0.05)
        await self.docker.close()
        await self.assertFailure(running, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_a_command_is_not_run_twice(self) -> None:
        self.engine.on(START, cut)
        await self.failing(Unreachable, self.run_it())
        self.assertEqual(self.engine.kinds(), [CREATE, START])
        self.assertNotEqual(self.engine.asked[0].connection, self.engine.asked[1].connection)
