"""Damaged answers of backends: the client gets a whole answer, or sees that it was cut."""

import random
import re

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from bench.mutated import damaged, pieces
from tests.proxy.memory import House, Unreadable, answer, get, read_chunks

OK = b"HTTP/1.1 200 OK\r\n"
EVIL = OK + b"Set-Cookie: galaxysession=evil\r\nContent-Length: 4\r\n\r\nevil"
ANSWERS = (
    OK + b"Content-Length: 5\r\n\r\nhello",
    OK + b"Content-Length: %d\r\n\r\n" % len(EVIL) + EVIL,
    OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n2;x=y\r\nab\r\n0\r\nX-Sum: 1\r\n\r\n",
    OK + b"Set-Cookie: a=1; Path=/\r\nSet-Cookie: galaxysession=1\r\nVary: X\r\n\r\nuntil the end",
    b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nold",
    b"HTTP/1.1 100 Continue\r\n\r\n" + answer(),
    b"HTTP/1.1 103 Early Hints\r\nLink: </s>\r\nSet-Cookie: galaxysession=1\r\n\r\n" + answer(),
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nETag: x\r\n\r\n",
    b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nframes",
    b"HTTP/1.1 099 Odd\r\n\r\n" + EVIL,
    OK + b"Content-Length: 5 \r\n\r\nhello" + EVIL,
    answer() + EVIL,
    OK + b"X-Accel-Redirect: /etc\r\nConnection: X-A\r\nX-A: 1\r\nContent-Length: 0\r\n\r\n",
)
_HEAD = re.compile(
    rb"HTTP/1\.1 ([1-9][0-9]{2}) [^\x00-\x08\x0a-\x1f\x7f]*\r\n((?:[^\r\n\0]+\r\n)*)\r\n"
)


def rest_of_answer(data: bytes) -> bytes | None:
    """What follows the final answer in a client's bytes; None where it is incomplete.

    :raises Unreadable: where it can't be read in exactly one way.
    """
    while True:
        match = _HEAD.match(data)
        if match is None:
            raise Unreadable(data)
        status, lines, data = int(match[1]), match[2].lower(), data[match.end() :]
        for forbidden in (b"\nset-cookie: galaxysession=", b"\nx-accel-redirect:"):
            if forbidden in b"\n" + lines:
                raise Unreadable(lines)
        length = re.findall(rb"(?m)^content-length: (\d+)\r$", lines)
        chunked = re.findall(rb"(?m)^transfer-encoding: chunked\r$", lines)
        if status < 200:
            if length or chunked:
                raise Unreadable(lines)
            continue
        if status in (204, 304):
            return data
        if len(length) + len(chunked) != 1:
            raise Unreadable(lines)
        if length:
            return data[int(length[0]) :] if len(data) >= int(length[0]) else None
        found = read_chunks(data)
        return None if found is None else found[1]


class DamagedAnswersTests(SynchronousTestCase):
    """Whatever a backend says, its client gets one answer, or sees that it was cut short."""

    def test_by_dice(self) -> None:
        pick = random.Random(815)
        for _ in range(COUNT):
            data = pick.choice(ANSWERS)
            for _ in range(pick.choice((0, 1, 1, 1, 2, 3))):
                data = damaged(pick, data)
            self.run_one(data, pieces(pick, data), pick.choice((True, False)))

    def run_one(self, data: bytes, parts: list[bytes], clean: bool) -> None:
        house = House()
        client = house.connect()
        client.send(get())
        backend = house.backends[0]
        for part in parts:
            if backend.open:
                backend.send(part)
        if backend.open:
            backend.lose(ConnectionDone() if clean else ConnectionLost())
        told = client.take()
        if not told:
            self.assertTrue(client.aborted, data)
            return
        try:
            rest = rest_of_answer(told)
        except Unreadable:
            self.fail(f"{data!r} became {told!r}")
        self.assertIn(rest, (b"", None), data)
        if rest is None:
            self.assertTrue(client.aborted, data)
        elif client.open and not client.write_closed:
            client.send(get("/next"))
            house.backends[-1].send(answer(b"next"))
            self.assertTrue(client.take().endswith(b"\r\n\r\nnext"), data)
        else:
            self.assertIn(b"\r\nConnection: close\r\n", told)


COUNT = 500
