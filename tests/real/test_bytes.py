"""Large bodies, endless ones, a thousand tunnels: what they cost, and that all of it arrives."""

import asyncio
import hashlib
import threading
import time

from twisted.trial.unittest import SynchronousTestCase
from websockets.asyncio.client import connect

from tests.neighbours.backend import WEBSOCKET, Listener, conversation, request
from tests.neighbours.echo import Echo
from tests.neighbours.galaxy import ALICE, BOB, PLAIN, Galaxy, cookie
from tests.neighbours.giestack import COOKIE, Giestack
from tests.neighbours.program import PATIENCE, eventually

MEBIBYTE = 1024 * 1024
SIZE = 256 * MEBIBYTE
HELD_BACK = 64 * MEBIBYTE
"""More than all buffers between two sockets and giestack take."""

MOST = 20 * MEBIBYTE
"""What a transfer may add to giestack's memory."""

TUNNELS = 1000
MOST_PER_TUNNEL = 40 * 1024
PIECE = bytes(range(256)) * 1024
LOGGED_IN = f"Cookie: {COOKIE}={cookie(ALICE)}"


class Sending(threading.Thread):
    """Sends ``SIZE`` bytes, as fast as the other side takes them.

    :ivar sent: how many are on their way.
    """

    def __init__(self, test, talk):
        super().__init__(daemon=True)
        self.sent = 0
        self._talk = talk
        talk.socket.settimeout(4 * PATIENCE)
        self.start()
        test.addCleanup(self.join, 0)

    def run(self):
        view = memoryview(PIECE)
        while self.sent < SIZE:
            at = self.sent % len(PIECE)
            self.sent += self._talk.socket.send(view[at:])

    def stalls(self):
        """Whether nothing more was taken for a while."""
        before = self.sent
        time.sleep(0.5)
        return before and self.sent == before


def digest_of(talk, size):
    """Read so many bytes, and return their digest."""
    found = hashlib.blake2b(talk.exactly(size % MEBIBYTE))
    for _ in range(size // MEBIBYTE):
        found.update(talk.exactly(MEBIBYTE))
    return found.hexdigest()


def expected():
    """The digest of what is sent."""
    found = hashlib.blake2b()
    for _ in range(SIZE // len(PIECE)):
        found.update(PIECE)
    return found.hexdigest()


class BodyTests(SynchronousTestCase):
    """The memory of giestack does not grow with what it carries, however slow one side is."""

    def setUp(self):
        galaxy, self.tool = Galaxy(self), Listener(self)
        self.path = galaxy.publish(PLAIN, self.tool.port)
        self.giestack = Giestack(self, galaxy)
        self.giestack.until_it_answers(self.path, 403, cookie=cookie(BOB))
        self._exchange_once()
        self.giestack.program.forget_peak()
        self.idle = self.giestack.program.memory()

    def _exchange_once(self):
        """So that all that every request needs is there."""
        client, tool = self.begin(request(f"{self.path}/", LOGGED_IN))
        tool.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        client.head()
        self.assertEqual(client.exactly(2), b"ok")
        client.socket.close()
        tool.socket.close()
        eventually(
            lambda: self.giestack.metrics()["giestack_client_connections"] == 0, "nobody there"
        )

    def begin(self, head):
        client = conversation(self, self.giestack.port)
        client.send(head)
        tool = self.tool.accept()
        self.tool_head = tool.head()
        return client, tool

    def assertModest(self):
        grown = self.giestack.program.peak_memory() - self.idle
        self.assertLess(grown, MOST, f"{grown / MEBIBYTE:.1f} MiB more")

    def carry(self, sender, reader):
        """Send all from one side to the other, which begins to read late."""
        sending = Sending(self, sender)
        eventually(sending.stalls, "a sender that is held back")
        self.assertLess(sending.sent, HELD_BACK)
        self.assertEqual(digest_of(reader, SIZE), expected())
        self.assertModest()

    def test_download(self):
        client, tool = self.begin(request(f"{self.path}/", LOGGED_IN))
        tool.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        self.assertIn(b"Content-Length: %d\r\n" % SIZE, client.head())
        self.carry(tool, client)

    def test_upload(self):
        client, tool = self.begin(
            request(f"{self.path}/", LOGGED_IN, f"Content-Length: {SIZE}", method="PUT")
        )
        self.assertIn(b"Content-Length: %d\r\n" % SIZE, self.tool_head)
        self.carry(client, tool)
        tool.send(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
        self.assertIn(b" 201 ", client.head())

    def test_tunnel(self):
        """Both ways at once."""
        client, tool = self.begin(request(f"{self.path}/", LOGGED_IN, *WEBSOCKET))
        tool.answer_websocket(self.tool_head)
        client.head()
        up = Sending(self, client)
        eventually(up.stalls, "a client that is held back")
        self.assertLess(up.sent, HELD_BACK)
        # The way back is free all the same, until it is full too.
        self.carry(tool, client)
        self.assertEqual(digest_of(tool, SIZE), expected())
        self.assertModest()

    def test_server_sent_events_are_not_held_back(self):
        client, tool = self.begin(request(f"{self.path}/", LOGGED_IN, "Accept: text/event-stream"))
        tool.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        self.assertIn(b"text/event-stream", client.head())
        for number in range(100):
            event = b"data: %d\n\n" % number
            chunk = b"%x\r\n%b\r\n" % (len(event), event)
            tool.send(chunk)
            # The next one is not sent before this one has arrived.
            self.assertEqual(client.exactly(len(chunk)), chunk)
        tool.send(b"0\r\n\r\n")
        self.assertEqual(client.exactly(5), b"0\r\n\r\n")


class TunnelTests(SynchronousTestCase):
    def test_a_thousand_at_once(self):
        galaxy = Galaxy(self)
        path = galaxy.publish(PLAIN, Echo(self).port)
        self.giestack = Giestack(self, galaxy)
        self.giestack.until_it_answers(path, 426, cookie=cookie(ALICE))
        asyncio.run(self._a_thousand(f"ws://127.0.0.1:{self.giestack.port}{path}/"))
        eventually(lambda: self.tunnels() == 0, "no tunnel left")
        metrics = self.giestack.metrics()
        self.assertEqual(metrics["giestack_client_connections"], 0)
        self.assertEqual(
            metrics['giestack_tunnel_duration_seconds_count{kind="entry_point"}'], TUNNELS
        )
        self.assertNotIn("Traceback", self.giestack.program.output)

    def tunnels(self):
        return self.giestack.metrics()["giestack_open_tunnels"]

    async def _a_thousand(self, url):
        at_a_time = asyncio.Semaphore(50)

        async def opened():
            async with at_a_time:
                return await connect(
                    url,
                    additional_headers={"Cookie": f"{COOKIE}={cookie(ALICE)}"},
                    compression=None,
                    open_timeout=PATIENCE,
                    ping_interval=None,
                    proxy=None,
                )

        async def echoed(tunnel, number):
            for message in (f"tunnel {number}", b"%d" % number * 1000, "ä" * number):
                await tunnel.send(message)
                async with asyncio.timeout(PATIENCE):
                    if await tunnel.recv() != message:
                        return False
            return True

        async with asyncio.timeout(2 * PATIENCE):
            before = self.giestack.program.memory()
            tunnels = await asyncio.gather(*(opened() for _ in range(TUNNELS)))
            grown = self.giestack.program.memory() - before
            self.assertEqual(self.tunnels(), TUNNELS)
            self.assertLess(grown / TUNNELS, MOST_PER_TUNNEL)
            answers = [echoed(tunnel, number) for number, tunnel in enumerate(tunnels)]
            self.assertEqual(sum(await asyncio.gather(*answers)), TUNNELS)
            await asyncio.gather(*(tunnel.close() for tunnel in tunnels))
