"""What a container prints: with a terminal or without, some of it or all that comes."""

import struct
from typing import Any

from giestack.docker import logs
from giestack.docker.errors import DockerError, NotFound, Unreachable
from tests.docker.scripted_engine import ScriptedCase, cut, pieces, said

INSPECT, LOGS = "GET /containers/c/json", "GET /containers/c/logs"


def frame(kind: int, text: str) -> bytes:
    payload = text.encode()
    return struct.pack(">BxxxL", kind, len(payload)) + payload


class LogTests(ScriptedCase):
    def setUp(self) -> None:
        super().setUp()
        self.terminal(False)
        self.lines: list[str] = []

    def terminal(self, has_one: bool) -> None:
        self.engine.on(INSPECT, said(200, {"Config": {"Tty": has_one}}))

    async def logs(self, tail: int = 100) -> list[str]:
        return await self.docker.containers.logs("c", tail)

    async def test_both_streams_out_of_frames(self) -> None:
        data = frame(1, "out ☃\n") + frame(2, "err\n") + frame(1, "tail")
        self.engine.on(LOGS, pieces(*(data[i : i + 1] for i in range(len(data)))))
        self.assertEqual(await self.logs(), ["out ☃", "err", "tail"])
        self.assertEqual(
            self.engine.asked[-1].query,
            {"stdout": ["1"], "stderr": ["1"], "tail": ["100"], "follow": ["0"]},
        )

    async def test_a_terminal_has_no_frames(self) -> None:
        self.terminal(True)
        self.engine.on(LOGS, pieces(b"one\r\n\1\0\0\0\0\0\0\3tw", b"o\r\n"))
        self.assertEqual(await self.logs(), ["one", "\1\0\0\0\0\0\0\3two"])

    async def test_no_lines_are_wanted(self) -> None:
        self.assertEqual([await self.logs(0), await self.logs(-1)], [[], []])
        self.assertEqual(self.engine.asked, [])

    async def test_there_is_no_such_container(self) -> None:
        self.engine.on(INSPECT, said(404, {"message": "No such container: c"}))
        await self.failing(NotFound, self.logs())

    async def test_the_engine_can_not_read_them(self) -> None:
        self.engine.on(LOGS, said(501, {"message": "driver does not support reading"}))
        error = await self.failing(DockerError, self.logs())
        self.assertEqual(str(error), "driver does not support reading")

    async def test_an_engine_that_hangs_is_given_up(self) -> None:
        self.engine.on(LOGS, pieces(frame(1, "a\n"), end=False))
        reading = self.start(self.logs())
        await self.engine.until(lambda: LOGS in self.engine.kinds())
        self.clock.advance(30)
        await self.assertFailure(reading, Unreachable)

    async def test_more_lines_than_wanted_are_dropped(self) -> None:
        text = "".join(f"{number}\n" for number in range(10_000))
        self.engine.on(LOGS, pieces(frame(1, text)))
        self.assertEqual(await self.logs(3), ["9997", "9998", "9999"])

    async def test_memory_is_bounded_however_long_the_lines(self) -> None:
        self.patch(logs, "MOST", 1000)
        self.engine.on(LOGS, pieces(*(frame(1, str(n) * 300 + "\n") for n in range(10))))
        self.assertEqual(await self.logs(), ["7" * 300, "8" * 300, "9" * 300])

    def follow(self, tail: int = 5) -> Any:
        def line(text: str) -> None:
            self.lines.append(text)
            self.engine.changed()

        return self.docker.containers.follow("c", tail, line)

    async def test_following(self) -> None:
        self.engine.on(LOGS, pieces(frame(1, "one\ntw"), end=False))
        stream = self.follow()
        await self.engine.until(lambda: self.lines)
        self.assertEqual(self.lines, ["one"])
        wire = self.engine.wires[-1]
        wire.more(frame(1, "o\n"))
        wire.more(frame(2, "end"))
        wire.end()
        await stream.ended
        self.assertEqual(self.lines, ["one", "two", "end"])
        query = self.engine.asked[-1].query
        self.assertEqual((query["tail"], query["follow"]), (["5"], ["1"]))

    async def test_following_from_now_on(self) -> None:
        self.engine.on(LOGS, pieces())
        await self.follow(-1).ended
        self.assertEqual(self.engine.asked[-1].query["tail"], ["0"])

    async def test_following_is_stopped_before_it_began(self) -> None:
        stream = self.follow()
        stream.stop()
        await stream.ended
        self.engine.on(INSPECT, cut)
        await self.assertFailure(self.follow().ended, Unreachable)
