"""A WebSocket server that sends back what it gets: ``python -m tests.neighbours.echo PORT``."""

import asyncio
import sys
from pathlib import Path

from websockets.asyncio.server import ServerConnection, serve

from tests.neighbours.galaxy import new_folder
from tests.neighbours.program import CleanUp, Program, free_port


class Echo:
    """That server in a process of its own.

    :ivar port: where it listens on 127.0.0.1.
    """

    def __init__(self, test: CleanUp) -> None:
        self.port = free_port()
        program = Program(
            test,
            [sys.executable, "-m", "tests.neighbours.echo", str(self.port)],
            new_folder(test),
            {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        program.until_it_accepts(self.port)


async def _echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def _serve(port: int) -> None:
    # More may come at once than the usual queue of a listener holds.
    async with serve(_echo, "127.0.0.1", port, compression=None, backlog=4096):
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
