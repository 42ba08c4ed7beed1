"""Local sessions for tests: programs to run, and an engine that is open."""

import os
import sys
from pathlib import Path

from twisted.internet import reactor  # noqa: TID251 - real processes need it
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from giestack.settings.spawner_schema import Profile
from giestack.spawner.engine import Ended
from giestack.spawner.process.engine import ProcessEngine
from giestack.spawner.process.family import VARIABLE
from tests.demo.place import new_folder
from tests.spawner.engine_suite import launch_of

LISTENS = (
    "import signal, socket, sys; {more}\n"
    "kind, where = ({kind})\n"
    "listening = socket.socket(kind); listening.bind(where); listening.listen()\n"
    "print('listening', flush=True)\n"
    "while True: listening.accept()[0].close()"
)
SOCKET = "socket.AF_UNIX, '{socket}'"
PORT = "socket.AF_INET, ('127.0.0.1', {port})"


def listening(kind=SOCKET, more=""):
    """A command that listens."""
    text = LISTENS.replace("{kind}", kind).replace("{more}", more or "pass")
    return (sys.executable, "-I", "-S", "-c", text)


def profile_of(*command, **more):
    more.setdefault("port", 0)
    return Profile(name="test", command=command, **more)


def shell(script, **more):
    return profile_of("sh", "-c", script, **more)


def marked(engine):
    """Numbers of all processes of an engine."""
    mark = f"{VARIABLE}={engine._family}".encode()
    found = []
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                environ = Path("/proc", name, "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if mark in environ:
                found.append(int(name))
    return found


class EngineTestCase(TestCase):
    """An open engine of its own folder."""

    def setUp(self):
        self.ends: list[tuple[str, Ended]] = []
        self.told: Deferred[Ended] = Deferred()
        self.data_dir = new_folder(self)
        self.engine = self.make_engine()
        self.addCleanup(lambda: self.assertEqual(marked(self.engine), []))
        self.addCleanup(lambda: self.engine.close())
        return self.engine.open(self.ended)

    def make_engine(self, environ=os.environ, in_thread=deferToThread):
        return ProcessEngine("local", reactor, reactor, in_thread, self.data_dir, "mark", environ)

    def ended(self, session_id, ended):
        self.ends.append((session_id, ended))
        self.told.callback(ended)

    def start(self, profile, session_id="s1", **more):
        return self.engine.start(launch_of(profile, session_id, **more), lambda progress: None)

    async def lines(self, profile, **more):
        """What a program prints until it ends by itself."""
        await self.start(profile, **more)
        await self.told.addTimeout(20, reactor)
        return await self.engine.logs("s1", 100)

    async def line(self, profile, session_id="s1"):
        """The first line that a program prints, which goes on."""
        await self.start(profile, session_id)
        first: Deferred[str] = Deferred()

        def heard(line):
            if not first.called:
                first.callback(line)

        stop = self.engine.follow(session_id, 100, heard, lambda: None)
        self.addCleanup(lambda: stop())
        return await first.addTimeout(20, reactor)
