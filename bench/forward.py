"""Forwards a port of the loopback address to a UNIX socket: ``python -m bench.forward PORT PATH``.

To giestack, what is behind it is an engine on another machine.
"""

import asyncio
import sys
from asyncio import StreamReader, StreamWriter

from bench.processes import LOOPBACK


async def _copy(reader: StreamReader, writer: StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def _main(port: int, path: str) -> None:
    async def forward(reader: StreamReader, writer: StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(path)
        await asyncio.gather(_copy(reader, back), _copy(there, writer))

    server = await asyncio.start_server(forward, LOOPBACK, port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), sys.argv[2]))
