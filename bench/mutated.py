"""Requests, good ones and what becomes of them when they are damaged; raw bytes."""

import random
import re
from collections.abc import Callable

_HOST = b"Host: fuzz.example\r\n"
_MARK = b"X-Mark: 1234567\r\n"
_WEBSOCKET = (
    b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def _request(start: bytes, fields: bytes = b"", body: bytes = b"") -> bytes:
    return start + b"\r\n" + _HOST + _MARK + fields + b"\r\n" + body


SEEDS: tuple[bytes, ...] = (
    _request(b"GET / HTTP/1.1"),
    _request(b"GET /a/b%2Fc?d=e&f HTTP/1.1", b"Accept: text/html\r\nUser-Agent: fuzz/1\r\n"),
    _request(b"HEAD /head HTTP/1.1"),
    _request(b"OPTIONS /options HTTP/1.1", b"Origin: http://fuzz.example\r\n"),
    _request(b"DELETE /x HTTP/1.1", b"Content-Length: 0\r\n"),
    _request(b"POST /short HTTP/1.1", b"Content-Length: 5\r\n", b"hello"),
    _request(b"PUT /long HTTP/1.1", b"Content-Length: 300\r\n", b"0123456789" * 30),
    _request(b"POST /none HTTP/1.1"),
    _request(
        b"POST /chunks HTTP/1.1", b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"
    ),
    _request(
        b"PUT /more HTTP/1.1",
        b"Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n",
        b'3;name="value"\r\nabc\r\n10;x\r\n0123456789abcdef\r\n0\r\nX-Sum: 1\r\nX-Two: 2\r\n\r\n',
    ),
    _request(b"POST /expect HTTP/1.1", b"Expect: 100-continue\r\nContent-Length: 3\r\n", b"abc"),
    _request(b"GET /old HTTP/1.0"),
    _request(b"GET /old/stays HTTP/1.0", b"Connection: keep-alive\r\n"),
    b"GET /old/nameless HTTP/1.0\r\n\r\n",
    _request(b"GET http://fuzz.example/absolute HTTP/1.1"),
    _request(b"GET /ws HTTP/1.1", _WEBSOCKET, b"\x81\x85\x01\x02\x03\x04hello"),
    _request(
        b"GET /h2c HTTP/1.1",
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
    ),
    _request(b"GET /nginx HTTP/1.1", b"Connection: upgrade\r\n"),
    _request(
        b"GET /cookies HTTP/1.1",
        b'Cookie: a=1; galaxysession=SECRET; b="2"\r\nCookie: GALAXYSESSION="SECRET"\r\n',
    ),
    _request(
        b"GET /claims HTTP/1.1",
        b"REMOTE_USER: eve\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: evil.example\r\n"
        b"X-Real-IP: 192.0.2.1\r\nForwarded: for=192.0.2.1\r\n",
    ),
    _request(b"GET /named HTTP/1.1", b"X-A: 1\r\nConnection: X-A, X-Forwarded-For, close\r\n"),
    _request(b"GET /many HTTP/1.1", b"".join(b"X-%d: %d\r\n" % (n, n) for n in range(60))),
    _request(b"POST /first HTTP/1.1", b"Content-Length: 2\r\n", b"ab")
    + _request(b"GET /second HTTP/1.1"),
    _request(
        b"POST /hidden HTTP/1.1",
        b"Content-Length: 50\r\n",
        b"GET /smuggled HTTP/1.1\r\nHost: fuzz.example\r\n\r\nabcdef",
    ),
)

# Before and after the damaged one.
GOOD = _request(b"GET /good HTTP/1.1")
LAST = _request(b"GET /last HTTP/1.1", b"Connection: close\r\n")

_BYTES = b"\0\t\n\r \x0b\x0c\x1b\x7f\x80\x85\xa0\xff:;,=\"'\\/#?%@[]0159aAfFgxX-_.~"
_ENDS = (
    b"\n",
    b"\r",
    b"\n\r",
    b"\r\r\n",
    b"\r\n\r\n",
    b"\r\n ",
    b"\r\n\t",
    b" \r\n",
    b"\0\r\n",
    b"",
)
_FIELDS = (
    b"Content-Length: 5", b"Content-Length: 0", b"content-length:05", b"Content_Length: 7",
    b"Content-Length: 5, 5", b"Content-Length: +5", b"Content-Length : 5",
    b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity",
    b"Transfer-Encoding: gzip, chunked", b"Transfer_Encoding: chunked",
    b"Transfer-Encoding:\tchunked", b"Transfer-Encoding: xchunked", b"Transfer-Encoding : chunked",
    b"Transfer-Encoding: chunked, identity", b"Host: evil.example", b"host: fuzz.example",
    b"Host:", b"Connection: close", b"Connection: keep-alive", b"Connection: upgrade",
    b"Upgrade: websocket", b"Upgrade: h2c", b"Connection: Content-Length", b"Expect: 100-continue",
    b"Expect: x", b"REMOTE_USER: eve", b"Remote-User: eve", b"remote.user: eve",
    b"X-Forwarded-For: 192.0.2.1", b"x_forwarded_for: 192.0.2.1", b"Cookie: galaxysession=SECRET",
    b"Cookie: x=y galaxysession=SECRET", b"Cookie: x=y,galaxysession=SECRET", b"X: a\x00b",
    b"X: a\x0bb", b": x", b"X", b" folded", b"\tfolded", b"TE: trailers",
    b"Trailer: Content-Length", b"X-Long: " + b"a" * 3000,
)  # fmt: skip
_VERSIONS = (
    b"HTTP/1.0",
    b"HTTP/1.1",
    b"HTTP/0.9",
    b"HTTP/2.0",
    b"HTTP/1.2",
    b"RTSP/1.0",
    b"http/1.1",
    b"",
)
_NUMBERS = (
    b"0", b"1", b"2", b"4", b"6", b"7", b"00", b"+1", b"-1", b"0x5", b"5 ", b"99", b"a",
    b"ffffffffffffffff", b"18446744073709551616", b"\xb2", b"1_0", b"5;x=y", b"",
)  # fmt: skip

Damage = Callable[[random.Random, bytes], bytes]


def _flip_a_bit(pick: random.Random, data: bytes) -> bytes:
    at = pick.randrange(len(data))
    return data[:at] + bytes((data[at] ^ 1 << pick.randrange(8),)) + data[at + 1 :]


def _replace_a_byte(pick: random.Random, data: bytes) -> bytes:
    at = pick.randrange(len(data))
    return data[:at] + bytes((pick.choice(_BYTES),)) + data[at + 1 :]


def _insert_bytes(pick: random.Random, data: bytes) -> bytes:
    at = pick.randrange(len(data) + 1)
    return data[:at] + bytes(pick.choices(_BYTES, k=pick.randint(1, 3))) + data[at:]


def _cut_out(pick: random.Random, data: bytes) -> bytes:
    at = pick.randrange(len(data))
    return data[:at] + data[at + pick.randint(1, 12) :]


def _cut_off(pick: random.Random, data: bytes) -> bytes:
    return data[: pick.randrange(1, len(data) + 1)]


def _splice(pick: random.Random, data: bytes) -> bytes:
    other = pick.choice(SEEDS)
    return data[: pick.randrange(len(data))] + other[pick.randrange(len(other)) :]


def _repeat_a_line(pick: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\r\n")
    line = pick.choice(lines)
    lines.insert(pick.randrange(len(lines)), pick.choice((line, line.upper(), line.lower())))
    return b"\r\n".join(lines)


def _drop_a_line(pick: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\r\n")
    del lines[pick.randrange(len(lines))]
    return b"\r\n".join(lines)


def _move_a_line(pick: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\r\n")
    line = lines.pop(pick.randrange(len(lines)))
    lines.insert(pick.randrange(len(lines) + 1), line)
    return b"\r\n".join(lines)


def _end_a_line_otherwise(pick: random.Random, data: bytes) -> bytes:
    ends = [match.start() for match in re.finditer(rb"\r\n", data)]
    if not ends:
        return data
    at = pick.choice(ends)
    return data[:at] + pick.choice(_ENDS) + data[at + 2 :]


def _add_a_field(pick: random.Random, data: bytes) -> bytes:
    ends = [match.end() for match in re.finditer(rb"\r\n", data)]
    if not ends:
        return data
    at = pick.choice(ends[:8])
    return data[:at] + pick.choice(_FIELDS) + b"\r\n" + data[at:]


def _change_a_number(pick: random.Random, data: bytes) -> bytes:
    numbers = list(re.finditer(rb"(?<=: )\d+|(?<=\n)[0-9a-f]+(?=[\r;])", data))
    if not numbers:
        return data
    match = pick.choice(numbers)
    return data[: match.start()] + pick.choice(_NUMBERS) + data[match.end() :]


def _change_the_version(pick: random.Random, data: bytes) -> bytes:
    return data.replace(b"HTTP/1.1", pick.choice(_VERSIONS), 1)


def _space_out(pick: random.Random, data: bytes) -> bytes:
    places = [match.start() for match in re.finditer(rb"[ :,;=]", data)]
    if not places:
        return data
    at = pick.choice(places) + pick.randrange(2)
    return data[:at] + pick.choice((b" ", b"\t", b"  ", b"\x0b", b"\xa0")) + data[at:]


def _put_one_inside(pick: random.Random, data: bytes) -> bytes:
    at = pick.randrange(len(data) + 1)
    return data[:at] + pick.choice(SEEDS) + data[at:]


_DAMAGES: tuple[Damage, ...] = (
    _flip_a_bit, _replace_a_byte, _insert_bytes, _cut_out, _cut_off, _splice, _repeat_a_line,
    _drop_a_line, _move_a_line, _end_a_line_otherwise, _add_a_field, _add_a_field,
    _change_a_number, _change_the_version, _space_out, _put_one_inside,
)  # fmt: skip


def mutated(pick: random.Random) -> bytes:
    """A seed after one to four damages; the same from equal states of ``pick``."""
    data = pick.choice(SEEDS)
    for _ in range(pick.choice((1, 1, 1, 2, 2, 3, 4))):
        data = damaged(pick, data)
    return data


def conversation(pick: random.Random) -> list[bytes]:
    """What one client sends, piece by piece: a damaged request, and good ones around it.

    What comes before is sometimes the same request whole, twice, since equal heads are no
    longer read with the same care. The last request asks for the connection's end.
    """
    before: list[bytes] = []
    data = mutated(pick)
    dice = pick.random()
    if dice < 0.2:
        before = [GOOD]
    elif dice < 0.4:
        seed = pick.choice(SEEDS[:16])
        before = [seed, seed]
        data = damaged(pick, seed)
    return [*before, *pieces(pick, data + LAST)]


def damaged(pick: random.Random, data: bytes) -> bytes:
    """The bytes with one more damage; never none."""
    return pick.choice(_DAMAGES)(pick, data) or b"\r\n"


def pieces(pick: random.Random, data: bytes) -> list[bytes]:
    """The bytes in one to five pieces, now and then in single bytes."""
    if len(data) < 400 and pick.random() < 0.05:
        return [data[at : at + 1] for at in range(len(data))]
    cuts = sorted(pick.randrange(1, len(data) + 1) for _ in range(pick.choice((0, 0, 1, 2, 4))))
    starts = [0, *cuts]
    return [data[a:b] for a, b in zip(starts, [*cuts, len(data)], strict=True) if data[a:b]]
