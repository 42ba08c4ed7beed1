"""The widget's engine and a real giestack: two people talk, and the server is killed once."""

import os
import signal
from pathlib import Path
from shutil import which

from twisted.trial.unittest import SynchronousTestCase

from tests.neighbours.galaxy import ALICE, BOB, Galaxy, cookie
from tests.neighbours.giestack import TWISTD, Giestack
from tests.neighbours.program import Program

PROGRAM = Path(__file__).parents[1] / "neighbours" / "chat_engine.mjs"
# Where Debian's package node-ws is.
ENVIRONMENT = {**os.environ, "NODE_PATH": "/usr/share/nodejs"}


class EngineTests(SynchronousTestCase):
    def test_two_people_talk_and_nothing_is_lost(self):
        node = which("node") or which("nodejs")
        assert node is not None, "this needs Debian's package nodejs"
        chat = {"chat": {"enabled": True, "listen": [], "rooms": ["Help"], "limits": {"rate": 5.0}}}
        giestack = Giestack(self, Galaxy(self), chat)
        base = f"http://127.0.0.1:{giestack.port}/giestack/chat"
        talk = Program(
            self,
            [node, str(PROGRAM), base, cookie(ALICE), cookie(BOB)],
            giestack.folder,
            ENVIRONMENT,
        )
        talk.until(lambda: "kill\n" in talk.output, "the wish to kill")
        giestack.program.send(signal.SIGKILL)
        giestack.program.wait()
        command = [TWISTD, "-n", "--pidfile=", "giestack", "--config", str(giestack.config)]
        again = Program(self, command, giestack.files, output="output-again")
        again.until(giestack.accepts, "a listener")
        self.assertEqual(talk.wait(120), 0, talk.output)
        self.assertTrue(talk.output.endswith("done\n"), talk.output)
        self.assertNotIn("Traceback", again.output)
