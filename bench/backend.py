"""The backend of the long run, with all a container may do: ``python -m bench.backend PORT``.

The path says what happens: ``/hello/N`` N bytes; ``/length`` how long the request's body was;
``/chunks/N`` N chunks of 1,000 bytes; ``/until-close/N`` N bytes and the end of the connection;
``/slow`` an answer after 0.2 s; ``/die`` no answer; ``/die-midway`` half an answer; and for
WebSockets ``/echo``, ``/hang-up`` and ``/die``, the last two at the first bytes.
"""

import asyncio
import base64
import hashlib
import sys
from asyncio import IncompleteReadError, StreamReader, StreamWriter

from bench.processes import LOOPBACK

_PIECE = 65536
_WEBSOCKET_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3


async def serve_connection(reader: StreamReader, writer: StreamWriter) -> None:
    """Answer the requests of one connection, until one of the two ends it."""
    try:
        while await _serve_request(reader, writer):
            pass
    except (IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _serve_request(reader: StreamReader, writer: StreamWriter) -> bool:
    head = await reader.readuntil(b"\r\n\r\n")
    request, *lines = head[:-4].split(b"\r\n")
    path = request.split(b" ")[1]
    pairs = (line.partition(b":") for line in lines)
    fields = {name.lower(): value.strip() for name, _, value in pairs}
    if b"sec-websocket-key" in fields and path != b"/hello/0":
        await _serve_tunnel(reader, writer, path, fields[b"sec-websocket-key"])
        return False
    length = await _swallow(reader, fields)
    _, what, *more = path.split(b"/")
    count = int(more[0]) if more else 0
    if what == b"die":
        writer.transport.abort()
        return False
    if what == b"slow":
        await asyncio.sleep(0.2)
    if what == b"chunks":
        await _write_chunks(writer, count)
    elif what == b"until-close":
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + bytes(count))
        await writer.drain()
        return False
    elif what == b"die-midway":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + bytes(50000))
        await writer.drain()
        writer.transport.abort()
        return False
    elif what == b"length":
        _answer(writer, b"%d" % length)
    elif request.startswith(b"HEAD"):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % count)
    else:
        await _write_large(writer, count)
    await writer.drain()
    return True


def _answer(writer: StreamWriter, body: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


async def _write_large(writer: StreamWriter, count: int) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % count)
    for start in range(0, count, _PIECE):
        writer.write(bytes(min(_PIECE, count - start)))
        await writer.drain()


async def _write_chunks(writer: StreamWriter, count: int) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(count):
        writer.write(b"3e8\r\n" + bytes(1000) + b"\r\n")
        await writer.drain()
        # So that the chunks do not all go out as one.
        await asyncio.sleep(0)
    writer.write(b"0\r\n\r\n")


async def _swallow(reader: StreamReader, fields: dict[bytes, bytes]) -> int:
    """Read a request's body; how long it was."""
    length = 0
    if fields.get(b"transfer-encoding") == b"chunked":
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await reader.readexactly(size + 2)
            length += size
        await reader.readuntil(b"\r\n")
        return length
    left = int(fields.get(b"content-length", b"0"))
    while left:
        data = await reader.read(min(left, _PIECE))
        if not data:
            raise IncompleteReadError(b"", left)
        left -= len(data)
        length += len(data)
    return length


async def _serve_tunnel(
    reader: StreamReader, writer: StreamWriter, path: bytes, key: bytes
) -> None:
    accept = base64.b64encode(hashlib.sha1(key + _WEBSOCKET_MAGIC).digest())
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Accept: %b\r\n\r\n" % accept
    )
    while data := await reader.read(_PIECE):
        if path == b"/die":
            writer.transport.abort()
            return
        if path == b"/hang-up":
            return
        writer.write(data)
        await writer.drain()


async def main(port: int) -> None:
    """Serve until the process is ended."""
    server = await asyncio.start_server(serve_connection, LOOPBACK, port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
