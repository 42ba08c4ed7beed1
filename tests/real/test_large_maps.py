"""Session maps that are large and change all the time: every request is answered meanwhile."""

import os
import sqlite3
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench.map_writer import write
from giestack.demo.session_map import SessionMap
from tests.neighbours.galaxy import PREFIX, new_folder
from tests.neighbours.giestack import ask
from tests.neighbours.program import PATIENCE, Program, eventually, free_port
from tests.neighbours.proxy_command import start_proxy
from tests.neighbours.witness import Answer, Witness

ROWS, CHANGING = 50_000, 10_000
MOVES = 3
KEY, TOKEN = "3r3tktmrlsiv6", "18tuwrng1ezzl"
ROOT = str(Path(__file__).parents[2])


class LargeMapTests(SynchronousTestCase):
    def setUp(self):
        self.map_file = new_folder(self) / "interactivetools_map.sqlite"
        write(self.map_file, "gxitproxy", ROWS, 0)
        self.port = free_port()
        self.asked = 0
        options = ["--ip=127.0.0.1", f"--port={self.port}", f"--sessions={self.map_file}"]
        options += [f"--proxyPathPrefix={PREFIX}"]
        self.giestack = start_proxy(self, new_folder(self), new_folder(self), options)

    def tool(self, name):
        """One that answers with its name; returns its port."""
        witness = Witness(self)
        witness.answer = Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + name)
        return witness.port

    def answer(self):
        """Whose answer a request gets; it must be somebody's."""
        found = ask(self.port, f"{PREFIX}/{KEY}/{TOKEN}/")
        self.assertEqual(found.status, 200, found.body)
        self.asked += 1
        return found.body

    def is_at(self, name):
        """Whether that tool answers."""
        return self.answer() == name

    def move(self, port):
        """Have the tool listen at another port; others are at the map, too."""
        with closing(sqlite3.connect(self.map_file, timeout=PATIENCE)) as database, database:
            database.execute('UPDATE gxitproxy SET port = ? WHERE "key" = ?', (port, KEY))

    def test_a_tool_moves_while_all_others_do(self):
        ports = {name: self.tool(name) for name in (b"a", b"b")}
        SessionMap(self.map_file).save(KEY, TOKEN, "127.0.0.1", ports[b"a"])
        path = f"{PREFIX}/{KEY}/{TOKEN}/"
        self.giestack.until(lambda: ask(self.port, path).status == 200, "the map")
        # All of these change every second.
        words = [sys.executable, "-m", "bench.map_writer", str(self.map_file)]
        environment = {**os.environ, "PYTHONPATH": ROOT}
        writer = Program(self, [*words, "gxitproxy", str(CHANGING)], new_folder(self), environment)
        for move in range(MOVES):
            here, there = (b"a", b"b") if move % 2 == 0 else (b"b", b"a")
            self.assertEqual(self.answer(), here)
            self.move(ports[there])
            eventually(partial(self.is_at, there), "the tool where it is now")
        self.assertTrue(writer.running, writer.output)
        self.assertTrue(self.giestack.running, self.giestack.output)
        self.assertGreaterEqual(self.asked, 2 * MOVES)
