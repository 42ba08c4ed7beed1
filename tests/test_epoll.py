"""giestack's reactor with real sockets; it runs beside trial's own, a few turns at a time."""

import errno
import os
import select
import socket
import struct
import subprocess
import sys
import time
from typing import Any
from unittest.mock import patch

from twisted.internet.base import ReactorBase
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import ClientFactory, Factory, Protocol, connectionDone
from twisted.internet.test.reactormixins import ReactorBuilder
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from giestack.epoll import EagerEPollReactor

PATIENCE = 20
BIG = 8 * 1024 * 1024


class Recorder(Protocol):
    """Notes everything that happens to it; a push producer as well."""

    transport: Any

    def __init__(self):
        self.received = b""
        self.lost = None
        self.paused = 0
        self.resumed = 0

    def dataReceived(self, data):
        self.received += data

    def connectionLost(self, reason=connectionDone):
        self.lost = reason

    def pauseProducing(self):
        self.paused += 1

    def resumeProducing(self):
        self.resumed += 1

    def stopProducing(self):
        pass


@implementer(IHalfCloseableProtocol)
class HalfClosing(Recorder):
    read_lost = write_lost = False

    def readConnectionLost(self):
        self.read_lost = True

    def writeConnectionLost(self):
        self.write_lost = True


class Pieces:
    """A pull producer of so many pieces; ``slow`` ones have nothing when first asked."""

    def __init__(self, transport, pieces, slow=False):
        self.transport = transport
        self.left = pieces
        self.slow = slow
        self.stopped = False

    def resumeProducing(self):
        if self.slow:
            self.slow = False
        elif self.left:
            self.left -= 1
            self.transport.write(b"piece ")
        else:
            self.transport.unregisterProducer()

    def stopProducing(self):
        self.stopped = True


class EagerCase(ReactorBuilder, SynchronousTestCase):
    reactorFactory = EagerEPollReactor

    def setUp(self):
        super().setUp()
        self.reactor = self.buildReactor()
        self.addCleanup(self.reactor.removeAll)

    def until(self, done, what="what is waited for"):
        """Let the reactor turn until something is true."""
        deadline = time.monotonic() + PATIENCE
        while not done():
            self.assertLess(time.monotonic(), deadline, f"{what} did not happen")
            self.reactor.iterate(0.01)

    def serve(self, protocol=Recorder):
        """Listen; return (the port's number, the protocols of its connections)."""
        made = []

        def build(_=None):
            made.append(protocol())
            return made[-1]

        factory = Factory.forProtocol(build)
        factory.noisy = False
        port = self.reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return port.getHost().port, made

    def accepted(self, protocol=Recorder):
        """A connection: the plain socket of its client, and the server's protocol."""
        number, made = self.serve(protocol)
        peer = socket.create_connection(("127.0.0.1", number), PATIENCE)
        self.addCleanup(peer.close)
        self.until(lambda: made, "a connection")
        return peer, made[0]

    def read(self, peer, size):
        """Read so much from a plain socket while the reactor turns."""
        peer.setblocking(False)
        data = bytearray()

        def enough():
            try:
                while len(data) < size:
                    more = peer.recv(1 << 20)
                    if not more:
                        return True
                    data.extend(more)
            except BlockingIOError:
                pass
            return len(data) >= size

        self.until(enough, f"{size} bytes")
        return bytes(data)


class WriteTests(EagerCase):
    def test_writes_of_a_turn_are_sent_together(self):
        """At its end, and without asking epoll."""
        peer, server = self.accepted()
        server.transport.write(b"hello ")
        server.transport.write(b"there")
        self.assertEqual(self.reactor.getWriters(), [])
        self.reactor.iterate(0)
        self.assertEqual(peer.recv(100), b"hello there")
        self.assertEqual(self.reactor.getWriters(), [])

    def test_a_large_write_is_sent_at_once(self):
        peer, server = self.accepted()
        server.transport.write(b"x" * 40_000)
        self.assertEqual(peer.recv(1), b"x")
        self.assertEqual(self.reactor.getWriters(), [])

    def test_a_large_write_does_not_overtake_a_small_one(self):
        peer, server = self.accepted()
        server.transport.write(b"small")
        server.transport.write(b"x" * 40_000)
        self.assertEqual(self.read(peer, 40_005)[:6], b"smallx")

    def test_order(self):
        """What finds no room waits, and nothing overtakes it."""
        peer, server = self.accepted()
        expected = b""
        for number in range(200):
            piece = b"%d " % number * 20000
            server.transport.write(piece)
            expected += piece
        self.assertEqual(self.reactor.getWriters(), [server.transport])
        self.assertTrue(self.read(peer, len(expected)) == expected)
        server.transport.write(b"end")
        self.assertEqual(self.read(peer, 3), b"end")
        self.assertEqual(self.reactor.getWriters(), [])

    def test_back_pressure(self):
        peer, server = self.accepted()
        server.transport.registerProducer(server, True)
        server.transport.write(b"small")
        self.assertEqual((server.paused, server.resumed), (0, 0))
        server.transport.write(b"x" * BIG)
        self.assertEqual((server.paused, server.resumed), (1, 0))
        self.assertEqual(len(self.read(peer, BIG + 5)), BIG + 5)
        self.until(lambda: server.resumed, "resumeProducing")
        self.assertEqual((server.paused, server.resumed), (1, 1))
        server.transport.unregisterProducer()

    def test_many_small_writes_into_a_full_socket(self):
        peer, server = self.accepted()
        server.transport.registerProducer(server, True)
        sent = 0
        while not server.paused:
            server.transport.write(b"y" * 1000)
            sent += 1000
        self.assertEqual(len(self.read(peer, sent)), sent)
        self.until(lambda: server.resumed, "resumeProducing")
        server.transport.unregisterProducer()

    def test_much_in_one_turn_is_no_reason_to_pause(self):
        """As long as the kernel has room for it."""
        peer, server = self.accepted()
        server.transport.registerProducer(server, True)
        for _ in range(100):
            server.transport.write(b"y" * 1000)
        self.assertEqual(server.paused, 0)
        self.assertEqual(len(self.read(peer, 100_000)), 100_000)
        server.transport.unregisterProducer()

    def test_no_room_at_all(self):
        peer, server = self.accepted()
        filled = 0
        with self.assertRaises(BlockingIOError):
            while True:
                filled += server.transport.socket.send(b"x" * 100_000)
        server.transport.write(b"end")
        self.reactor.iterate(0)
        self.assertEqual(self.reactor.getWriters(), [server.transport])
        self.assertEqual(self.read(peer, filled + 3)[-4:], b"xend")

    def test_pull_producer(self):
        """It is asked for more although each piece is gone at once."""
        peer, server = self.accepted()
        pieces = Pieces(server.transport, 50)
        server.transport.registerProducer(pieces, False)
        self.assertEqual(self.read(peer, 300), b"piece " * 50)
        self.until(lambda: server.transport.producer is None, "the last piece")
        server.transport.write(b"and on")
        self.assertEqual(self.read(peer, 6), b"and on")

    def test_pull_producer_that_has_written_before(self):
        peer, server = self.accepted()
        server.transport.write(b"before ")
        server.transport.registerProducer(Pieces(server.transport, 2, slow=True), False)
        self.assertEqual(self.read(peer, 19), b"before piece piece ")

    def test_producer_on_a_lost_connection(self):
        peer, server = self.accepted()
        peer.close()
        self.until(lambda: server.lost, "the end")
        pieces = Pieces(server.transport, 1)
        server.transport.registerProducer(pieces, False)
        self.assertTrue(pieces.stopped)
        server.transport.write(b"to nobody")
        self.assertEqual(self.reactor.getWriters(), [])

    def test_nothing(self):
        peer, server = self.accepted()
        server.transport.write(b"")
        server.transport.writeSequence([b"a", b"", b"b"])
        self.assertEqual(self.read(peer, 2), b"ab")

    def test_written_in_answer_to_what_was_read(self):
        class Echo(Recorder):
            def dataReceived(self, data):
                self.transport.write(data)

        peer, _ = self.accepted(Echo)
        peer.sendall(b"there and back")
        self.assertEqual(self.read(peer, 14), b"there and back")


class EndTests(EagerCase):
    def test_lose_connection_sends_what_waits(self):
        peer, server = self.accepted()
        server.transport.write(b"z" * BIG)
        server.transport.loseConnection()
        self.assertEqual(len(self.read(peer, BIG + 1)), BIG)
        self.until(lambda: server.lost, "the end")
        self.assertIsInstance(server.lost.value, ConnectionDone)

    def test_abort_forgets_what_waits(self):
        """A writer that goes away while epoll watches it."""
        peer, server = self.accepted()
        server.transport.write(b"z" * BIG)
        self.assertEqual(self.reactor.getWriters(), [server.transport])
        server.transport.abortConnection()
        self.assertEqual(self.reactor.getWriters(), [])
        self.until(lambda: server.lost, "the end")
        with self.assertRaises(ConnectionResetError):
            while peer.recv(1 << 20):
                pass
        server.transport.write(b"too late")
        self.assertEqual(self.reactor.getWriters(), [])

    def test_half_close(self):
        peer, server = self.accepted(HalfClosing)
        peer.sendall(b"the last words")
        peer.shutdown(socket.SHUT_WR)
        self.until(lambda: server.read_lost, "the client's end")
        self.assertEqual(server.received, b"the last words")
        server.transport.write(b"an answer all the same")
        server.transport.loseWriteConnection()
        self.assertEqual(self.read(peer, 100), b"an answer all the same")
        # As with every reactor of Twisted's, the end is the protocol's business.
        self.assertIsNone(server.lost)
        server.transport.loseConnection()
        self.until(lambda: server.lost, "the end")

    def test_half_close_with_much_to_send(self):
        peer, server = self.accepted(HalfClosing)
        server.transport.write(b"z" * BIG)
        server.transport.loseWriteConnection()
        self.assertEqual(len(self.read(peer, BIG + 1)), BIG)
        self.until(lambda: server.write_lost, "writeConnectionLost")
        server.transport.write(b"too late")
        peer.sendall(b"still heard")
        self.until(lambda: server.received == b"still heard")
        peer.close()
        self.until(lambda: server.read_lost, "the client's end")
        self.assertIsNone(server.lost)

    def test_nothing_is_sent_after_an_abort(self):
        peer, server = self.accepted()
        server.transport.abortConnection()
        server.transport.write(b"too late")
        self.until(lambda: server.lost, "the end")
        self.assertRaises(ConnectionResetError, peer.recv, 100)

    def reset(self, peer):
        """End a connection as a crashed machine would."""
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()

    def test_reset(self):
        peer, server = self.accepted()
        self.reset(peer)
        self.until(lambda: server.lost, "the end")
        self.assertIsInstance(server.lost.value, ConnectionLost)

    def test_reset_that_a_write_finds_first(self):
        """A socket tells of a reset once, then of a clean end: it must not pass for one."""
        peer, server = self.accepted()
        self.reset(peer)
        server.transport.write(b"to nobody")
        self.until(lambda: server.lost, "the end")
        self.assertNotIsInstance(server.lost.value, ConnectionDone)
        self.assertIsInstance(server.lost.value, ConnectionLost)

    def test_reset_while_not_reading(self):
        peer, server = self.accepted()
        server.transport.pauseProducing()
        self.reset(peer)
        server.transport.write(b"to nobody")
        self.until(lambda: server.lost, "the end")
        self.assertIsInstance(server.lost.value, ConnectionLost)

    def test_no_room_in_the_kernel(self):
        """ENOBUFS is no broken connection."""
        peer, server = self.accepted()
        real = server.transport.socket

        class Full:
            def send(self, data):
                raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))

            def __getattr__(self, name):
                return getattr(real, name)

        server.transport.socket = Full()
        server.transport.write(b"in the end")
        server.transport.socket = real
        self.assertEqual(self.read(peer, 10), b"in the end")
        peer.close()
        self.until(lambda: server.lost, "the end")
        self.assertIsInstance(server.lost.value, ConnectionDone)

    def test_a_protocol_that_fails(self):
        class Failing(Recorder):
            def dataReceived(self, data):
                raise ZeroDivisionError(data)

        peer, server = self.accepted(Failing)
        peer.sendall(b"x")
        self.until(lambda: server.lost, "the end")
        self.assertIsInstance(server.lost.value, ZeroDivisionError)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        # The others notice nothing.
        peer, server = self.accepted()
        peer.sendall(b"x")
        self.until(lambda: server.received == b"x")

    def test_a_connection_that_another_one_ends_in_the_same_turn(self):
        made = []

        class Jealous(Recorder):
            def __init__(self):
                super().__init__()
                made.append(self)

            def dataReceived(self, data):
                super().dataReceived(data)
                for other in made:
                    if other is not self:
                        other.transport.abortConnection()

        number, _ = self.serve(Jealous)
        peers = [socket.create_connection(("127.0.0.1", number), PATIENCE) for _ in range(2)]
        for peer in peers:
            self.addCleanup(peer.close)
        self.until(lambda: len(made) == 2)
        for peer in peers:
            peer.sendall(b"me")
        self.until(lambda: any(one.lost for one in made), "one end")
        self.assertEqual(sorted(one.received for one in made), [b"", b"me"])

    def test_remove_all(self):
        peer, server = self.accepted()
        server.transport.write(b"z" * BIG)
        self.assertIn(server.transport, self.reactor.removeAll())
        self.assertEqual(self.reactor.getWriters(), [])
        self.assertNotIn(server.transport, self.reactor.getReaders())
        # Nobody looks at what comes now.
        peer.sendall(b"hello")
        self.reactor.iterate(0)
        self.assertEqual(server.received, b"")


class ConnectTests(EagerCase):
    def connect(self, number):
        client = Recorder()
        self.failed = failed = []

        class Connecting(ClientFactory):
            noisy = False

            def buildProtocol(self, addr):
                return client

            def clientConnectionFailed(self, connector, reason):
                failed.append(reason)

        self.reactor.connectTCP("127.0.0.1", number, Connecting(), timeout=PATIENCE)
        return client

    def test_connect(self):
        number, made = self.serve()
        client = self.connect(number)
        self.until(lambda: made and client.connected)
        client.transport.write(b"hello")
        self.until(lambda: made[0].received == b"hello")
        made[0].transport.write(b"z" * BIG)
        self.until(lambda: len(client.received) == BIG)
        client.transport.loseConnection()
        self.until(lambda: made[0].lost and client.lost)

    def test_refused(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.connect(free.getsockname()[1])
            self.until(lambda: self.failed, "a refusal")
        self.assertIsInstance(self.failed[0].value, ConnectionRefusedError)

    def test_many_at_the_same_moment(self):
        """They wait in the system's queue; with Twisted's default most would be turned away."""
        number, made = self.serve()
        waiting = select.poll()
        for _ in range(300):
            peer = socket.socket()
            self.addCleanup(peer.close)
            peer.setblocking(False)
            peer.connect_ex(("127.0.0.1", number))
            waiting.register(peer, select.POLLOUT)
        self.assertEqual(len(waiting.poll(500)), 300)
        self.until(lambda: len(made) == 300)

    def test_a_queue_of_ones_own(self):
        port = self.reactor.listenTCP(0, Factory(), backlog=7, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.assertEqual(port.backlog, 7)


class ClockTests(EagerCase):
    def test_the_machines_clock_is_set(self):
        before = self.reactor.seconds()
        real = ReactorBase.seconds
        self.assertLess(abs(before - real()), 5)
        called: list[float] = []
        for jump in (-14400, 14400):
            self.reactor.callLater(0.02, called.append, jump)
            later = self.reactor.callLater(3600, called.append, 0)
            with patch.object(ReactorBase, "seconds", staticmethod(lambda j=jump: real() + j)):
                self.until(lambda jump=jump: called[-1:] == [jump], "the call")
                self.assertLess(self.reactor.seconds() - before, PATIENCE)
            later.cancel()
        self.assertEqual(called, [-14400, 14400])
        self.assertGreater(self.reactor.seconds(), before)


class InstallTests(SynchronousTestCase):
    def test_install(self):
        """In a process of its own, for a process has one reactor."""
        text = (
            "from giestack import epoll; epoll.install(); "
            "from twisted.internet import reactor; print(type(reactor).__name__)"
        )
        done = subprocess.run([sys.executable, "-c", text], stdout=subprocess.PIPE, check=True)
        self.assertEqual(done.stdout, b"EagerEPollReactor\n")
