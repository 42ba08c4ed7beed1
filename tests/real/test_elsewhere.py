"""The network that browsers of tests are in while containers come and go."""

import os
import shutil
import socket
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from tests.neighbours.elsewhere import Elsewhere
from tests.neighbours.program import free_port

ASK = """\
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10) as connection:
    connection.sendall(b"knock")
    print(connection.recv(10).decode())
"""


class ElsewhereTests(SynchronousTestCase):
    def setUp(self):
        self.elsewhere = Elsewhere(self)
        self.port = free_port()
        self.elsewhere.lead(self.port)

    def ask(self):
        command = [self.elsewhere.program(sys.executable), "-c", ASK, str(self.port)]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    def test_it_leads_here(self):
        with socket.create_server(("127.0.0.1", self.port)) as server:
            server.settimeout(30)
            command = [self.elsewhere.program(sys.executable), "-c", ASK, str(self.port)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
                connection, _ = server.accept()
                with connection:
                    self.assertEqual(connection.recv(10), b"knock")
                    connection.sendall(b"come in")
                self.assertEqual(program.communicate(timeout=30)[0], "come in\n")

    def test_nobody_is_here_just_now(self):
        self.assertNotEqual(self.ask().stdout, "come in\n")

    def test_nothing_comes_or_goes_there(self):
        if os.geteuid() == 0:
            program = self.elsewhere.program(shutil.which("ip") or "ip")
            shown = subprocess.run([program, "-o", "link"], capture_output=True, text=True)
            (line,) = shown.stdout.splitlines()
            self.assertIn(" lo: <LOOPBACK,UP", line)
