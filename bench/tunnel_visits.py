"""WebSockets of the long run, and how they end."""

import asyncio
import os

from bench.asking import PATIENCE, Line, head, upgrade
from bench.visits import CUT, LEFT, WRONG, Kinds, Refused, Visitor

TUNNELS = Kinds()

OPEN = "101"


async def _tunnel(visitor: Visitor, path: str, room: int = 0) -> Line:
    """Open a WebSocket.

    :raises Refused: with the status, where there is none.
    """
    places = visitor.places
    line = await Line.open(places.port, room)
    try:
        await line.send(head("GET", path, upgrade(places.headers)))
        answer = await line.answer()
        if answer.status != 101:
            raise Refused(str(answer.status))
    except BaseException:
        line.reset()
        raise
    return line


async def _talk(line: Line, rounds: int = 5, size: int = 200) -> str:
    """Send something and wait until it is back, some times."""
    for _ in range(rounds):
        data = os.urandom(size)
        await line.send(data)
        if await asyncio.wait_for(line.reader.readexactly(size), PATIENCE) != data:
            return WRONG
    return OPEN


@TUNNELS.add("closed by the visitor", 300, OPEN)
async def _close(visitor: Visitor) -> str:
    async with await _tunnel(visitor, f"{visitor.places.steady}/echo") as line:
        return await _talk(line)


@TUNNELS.add("half closed by the visitor", 100, OPEN)
async def _half_close(visitor: Visitor) -> str:
    async with await _tunnel(visitor, f"{visitor.places.steady}/echo") as line:
        await line.send(bytes(100_000))
        line.end_sending()
        # What was under way still arrives, then the other side closes too.
        await asyncio.wait_for(line.reader.readexactly(100_000), PATIENCE)
        return OPEN if await line.at_end() else WRONG


@TUNNELS.add("reset by the visitor", 150, LEFT)
async def _reset(visitor: Visitor) -> str:
    async with await _tunnel(visitor, f"{visitor.places.steady}/echo") as line:
        await _talk(line, rounds=1)
        line.reset()
        return LEFT


@TUNNELS.add("closed by the backend", 150, OPEN)
async def _hang_up(visitor: Visitor) -> str:
    async with await _tunnel(visitor, f"{visitor.places.steady}/hang-up") as line:
        await line.send(b"anything")
        return OPEN if await line.at_end() else WRONG


@TUNNELS.add("reset by the backend", 150, OPEN, CUT)
async def _die(visitor: Visitor) -> str:
    async with await _tunnel(visitor, f"{visitor.places.steady}/die") as line:
        await line.send(b"anything")
        return OPEN if await line.at_end() else WRONG


@TUNNELS.add("much, read slowly", 30, OPEN)
async def _slow_reader(visitor: Visitor) -> str:
    async with await _tunnel(visitor, f"{visitor.places.steady}/echo", room=16384) as line:
        data = os.urandom(3_000_000)
        sending = asyncio.ensure_future(line.send(data))
        await asyncio.sleep(0.2)
        back = await asyncio.wait_for(line.reader.readexactly(len(data)), PATIENCE)
        await sending
        return OPEN if back == data else WRONG


@TUNNELS.add("left with much under way", 30, LEFT)
async def _left_full(visitor: Visitor) -> str:
    async with await _tunnel(visitor, f"{visitor.places.steady}/echo", room=16384) as line:
        sending = asyncio.ensure_future(line.send(bytes(3_000_000)))
        await asyncio.sleep(0.2)
        line.reset()
        await asyncio.gather(sending, return_exceptions=True)
        return LEFT


@TUNNELS.add("idle for a while", 50, OPEN)
async def _idle(visitor: Visitor) -> str:
    async with await _tunnel(visitor, f"{visitor.places.steady}/echo") as line:
        await asyncio.sleep(1)
        return await _talk(line, rounds=1)


@TUNNELS.add("from another site", 20, "403")
async def _foreign_origin(visitor: Visitor) -> str:
    places = visitor.places
    headers = upgrade({**places.headers, "Origin": "https://evil.example.net"})
    async with await Line.open(places.port) as line:
        await line.send(head("GET", f"{places.steady}/echo", headers))
        return str((await line.answer()).status)


@TUNNELS.add("to somebody else's tool", 20, "403")
async def _foreign(visitor: Visitor) -> str:
    return await _not_opened(visitor, f"{visitor.places.foreign}/echo")


@TUNNELS.add("to a backend that answers otherwise", 20, "200")
async def _not_switched(visitor: Visitor) -> str:
    return await _not_opened(visitor, f"{visitor.places.steady}/hello/0")


@TUNNELS.add("to a backend that is not there", 20, "502")
async def _gone(visitor: Visitor) -> str:
    return await _not_opened(visitor, f"{visitor.places.gone}/echo")


async def _not_opened(visitor: Visitor, path: str) -> str:
    async with await _tunnel(visitor, path):
        return OPEN


@TUNNELS.add("to a backend that is killed", 100, OPEN, "502", CUT)
async def _mortal(visitor: Visitor) -> str:
    async with await _tunnel(visitor, f"{visitor.places.mortal}/echo") as line:
        for _ in range(10):
            if await _talk(line, rounds=1) == WRONG:
                return WRONG
            await asyncio.sleep(0.1)
        return OPEN
