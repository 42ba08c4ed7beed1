"""Ports for programs to listen on."""

import socket

from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.engine import EngineError
from giestack.spawner.process.ports import claim_port


class PortTests(SynchronousTestCase):
    def test_any(self):
        found: set[int] = set()
        for _ in range(50):
            found.add(claim_port(0, found))
        self.assertEqual(len(found), 50)

    def test_given_away_but_not_in_use(self):
        port = claim_port(0, [])
        self.assertEqual(claim_port(port, []), port)
        self.assertRaises(EngineError, claim_port, port, [port])

    def test_in_use(self):
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            port = listening.getsockname()[1]
            error = self.assertRaises(EngineError, claim_port, port, [])
        self.assertIn(str(port), str(error))
        self.assertEqual(claim_port(port, []), port)

    def test_all_taken(self):
        class All:
            def __contains__(self, port):
                return bool(port)

        self.assertRaises(EngineError, claim_port, 0, All())
