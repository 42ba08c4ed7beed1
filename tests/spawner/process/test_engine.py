"""Local processes as an engine: real programs, real ends."""

import os
import signal
import socket
import sys
from pathlib import Path

from twisted.internet import reactor  # noqa: TID251 - real processes need it
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from giestack.settings.spawner_schema import Profile
from giestack.spawner.engine import Ended, Engine, EngineError, Progress
from giestack.spawner.owner import Owner
from giestack.spawner.process import engine as module
from giestack.spawner.process.engine import ProcessEngine
from giestack.spawner.process.environment import SESSION_VARIABLE
from giestack.spawner.process.family import VARIABLE, sweep
from giestack.spawner.process.program import Program
from tests.demo.place import mode_of, new_folder
from tests.demo.processes import ORPHAN, Watched
from tests.spawner.engine_suite import EngineSuite, launch_of

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


class ProcessSuite(EngineSuite):
    """What is the same for sockets and ports."""

    kind = SOCKET

    def make_engine(self) -> Engine:
        self.process_engine = ProcessEngine(
            "local", reactor, reactor, deferToThread, new_folder(self), "mark", os.environ
        )
        return self.process_engine

    def profile_that_works(self):
        return profile_of(*listening(self.kind))

    def profile_that_exits(self, status):
        return shell(f"exit {status}")

    def profile_that_prints(self, *lines):
        return shell("".join(f"echo {line}\n" for line in lines) + "sleep 0.2")

    def profile_that_ignores_sigterm(self):
        more = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
        return profile_of(*listening(self.kind, more))

    def profile_that_never_listens(self):
        return profile_of("sleep", "1000", env={"WHERE": "{socket}{port}"})

    def program_missing(self):
        return profile_of("no-such-program")

    async def reach(self, address):
        kind = socket.AF_UNIX if address.path else socket.AF_INET
        with socket.socket(kind) as one:
            try:
                one.connect(address.path or (address.host, address.port))
            except OSError:
                return False
        return True

    def left(self):
        run = self.process_engine._folders.data_dir / "run"
        folders = list(run.iterdir()) if run.exists() else []
        return [*marked(self.process_engine), *folders]


class SocketSuite(ProcessSuite, TestCase):
    """Programs that listen on sockets."""


class PortSuite(ProcessSuite, TestCase):
    """Programs that listen on ports."""

    kind = PORT

    def profile_that_never_listens(self):
        return profile_of("sleep", "1000")


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


class RunTests(EngineTestCase):
    """What a program finds."""

    async def test_environment(self):
        """Nothing of giestack's own gets through, whatever it is called."""
        os_environ = {**os.environ, "DATABASE_URL": "postgresql://galaxy:s3cret@db/galaxy"}
        os_environ |= {"GIESTACK_ADMIN_TOKEN": "s3cret", "LD_AUDIT": "s3cret"}
        await self.engine.close()
        self.engine = self.make_engine(os_environ)
        await self.engine.open(self.ended)
        lines = await self.lines(shell("env", env={"MINE": "{user}"}), env={"HOOKS": "x"})
        self.assertNotIn("s3cret", "".join(lines))
        names = {line.partition("=")[0] for line in lines}
        allowed = "PATH HOME USER LOGNAME LANG SHELL TZ LD_LIBRARY_PATH PWD SHLVL _ OLDPWD"
        allowed += " TMPDIR JUPYTER_RUNTIME_DIR XDG_RUNTIME_DIR MINE HOOKS"
        allowed += f" {VARIABLE} {SESSION_VARIABLE}"
        extra = {name for name in names - set(allowed.split()) if not name.startswith("LC_")}
        self.assertEqual(extra, set())
        self.assertIn("MINE=galaxy-12", lines)
        self.assertIn("HOOKS=x", lines)

    async def test_giestacks_files_are_closed(self):
        with open(os.devnull) as kept:
            os.set_inheritable(kept.fileno(), True)
            lines = await self.lines(shell("ls /proc/self/fd | wc -l"))
        # Three, and the one by which ls looks.
        self.assertEqual([line.strip() for line in lines], ["4"])

    async def test_folders_and_secrets(self):
        script = (
            "pwd; cat $GIESTACK_SECRETS/key; stat -c %a . $TMPDIR $GIESTACK_SECRETS "
            "$GIESTACK_SECRETS/key; touch work"
        )
        lines = await self.lines(shell(script, secrets={"key": "s3cret\n"}))
        home = self.data_dir / "homes" / "galaxy-12"
        self.assertEqual(lines, [str(home), "…", "700", "700", "700", "600"])
        # What belongs to the session is gone with its end, before anybody has stopped it.
        self.assertEqual(list((self.data_dir / "run").iterdir()), [])
        await self.engine.stop("s1", 1)
        self.assertTrue((home / "work").exists())
        self.assertEqual(mode_of(home), 0o700)

    async def test_limits(self):
        script = "nice; ulimit -n; ulimit -c; ulimit -d"
        lines = await self.lines(
            shell(script, memory=512 * 1024**2, ulimits={"nofile": {"soft": 64, "hard": 128}})
        )
        self.assertEqual(lines, [str(os.nice(0) + 5), "64", "0", str(512 * 1024)])

    async def test_memory_holds(self):
        text = "try: bytearray(400_000_000)\nexcept MemoryError: print('no more')"
        profile = profile_of(sys.executable, "-c", text, memory=200 * 1024**2)
        self.assertEqual(await self.lines(profile), ["no more"])

    async def test_interpreters_own_programs_are_found(self):
        profile = shell("command -v python")
        lines = await self.lines(profile)
        self.assertEqual(lines, [str(Path(sys.executable).parent / "python")])

    async def test_killed(self):
        await self.lines(shell("kill -SEGV $$"))
        self.assertEqual(self.ends, [("s1", Ended(139, "killed by signal 11 (SIGSEGV)"))])

    async def test_program_that_cannot_be_executed(self):
        broken = self.data_dir / "broken"
        broken.write_text("#!/no/such/interpreter\n")
        broken.chmod(0o755)
        lines = await self.lines(profile_of(str(broken)))
        self.assertEqual(lines, [f"{broken}: No such file or directory"])
        self.assertEqual(self.ends[0][1].status, 127)


class EndTests(EngineTestCase):
    """Who ends with whom."""

    async def test_family_ends_with_the_session(self):
        orphan = Watched(self, int(await self.line(shell(f"{ORPHAN}; sleep 1000"))))
        await self.engine.stop("s1", 2)
        self.assertTrue(orphan.has_ended(0))

    async def test_time_to_end(self):
        script = "trap 'echo bye > bye; exit' TERM; echo ready; while :; do sleep 0.01; done"
        await self.line(shell(script))
        await self.engine.stop("s1", 10)
        self.assertTrue((self.data_dir / "homes" / "galaxy-12" / "bye").exists())
        self.assertEqual(self.ends, [])

    async def test_stop_sooner(self):
        await self.line(shell("trap '' TERM; echo ready; while :; do sleep 1000; done"))
        slow, fast = self.engine.stop("s1", 60), self.engine.stop("s1", 0.1)
        await gatherResults([slow, fast]).addTimeout(10, reactor)

    async def test_reaper_is_killed(self):
        """Then those are found by their mark who are nobody's children any more."""
        numbers = await self.line(shell(f"echo $( {ORPHAN} ) $PPID; sleep 1000"))
        orphan, reaper = (Watched(self, int(number)) for number in numbers.split())
        os.kill(reaper.pid, signal.SIGKILL)
        ended = await self.told.addTimeout(20, reactor)
        self.assertEqual(ended, Ended(137, "killed by signal 9 (SIGKILL)"))
        self.assertTrue(orphan.has_ended(0))
        run = self.data_dir / "run" / "s1"
        self.assertTrue(run.exists())
        await self.engine.stop("s1", 1)
        self.assertFalse(run.exists())

    async def test_reaper_is_killed_and_stopped_meanwhile(self):
        numbers = await self.line(shell(f"echo $( {ORPHAN} ) $PPID; sleep 1000"))
        orphan, reaper = (Watched(self, int(number)) for number in numbers.split())
        stopped: Deferred[None] = Deferred()

        def in_thread(function, *arguments):
            if function is sweep:
                self.engine.stop("s1", 1).chainDeferred(stopped)
            return deferToThread(function, *arguments)

        self.engine._in_thread = in_thread
        os.kill(reaper.pid, signal.SIGKILL)
        await stopped.addTimeout(20, reactor)
        self.assertTrue(orphan.has_ended(0))
        self.assertEqual(self.ends, [])

    async def test_sweep_fails(self):
        reaper = int(await self.line(shell("echo $PPID; exec sleep 1000")))

        def fail(*arguments):
            raise RuntimeError("no /proc today")

        with self.patch(module, "sweep", fail):
            os.kill(reaper, signal.SIGKILL)
            await self.told.addTimeout(20, reactor)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    async def test_next_giestack_sweeps(self):
        """Both giestack and the reaper were killed."""
        numbers = await self.line(shell(f"echo $( {ORPHAN} ) $PPID; sleep 1000"))
        orphan = Watched(self, int(numbers.split()[0]))
        before, self.engine = self.engine, self.make_engine()
        assert before._folders._lock is not None
        os.close(before._folders._lock)
        before._folders._lock = None
        left = self.data_dir / "run" / "s0"
        left.mkdir()
        self.assertEqual(await self.engine.open(self.ended), [])
        self.assertTrue(orphan.has_ended(0))
        self.assertFalse(left.exists())
        await self.told.addTimeout(20, reactor)
        # Its folder is the other's now.
        self.patch(before._folders, "close", lambda: None)
        await before.close()

    async def test_another_giestack_is_left_alone(self):
        watched = Watched(self, int(await self.line(shell("echo $$; sleep 1000"))))
        other = ProcessEngine(
            "local", reactor, reactor, deferToThread, new_folder(self), "mark", os.environ
        )
        await other.open(self.ended)
        await other.close()
        same = self.make_engine()
        try:
            await same.open(self.ended)
        except EngineError as error:
            self.assertIn("Another giestack", str(error))
        else:
            self.fail("two engines in one folder")
        self.assertFalse(watched.has_ended(0))

    async def test_what_stays(self):
        """A folder that cannot be removed: the session stays, and can be stopped again."""
        await self.start(shell("sleep 1000"))

        def refuse(session_id):
            raise EngineError("it cannot be removed")

        with self.patch(self.engine._folders, "remove", refuse):
            for _ in range(2):
                try:
                    await self.engine.stop("s1", 1)
                except EngineError:
                    pass
                else:
                    self.fail("it is not gone")
            self.assertEqual(len(await self.engine.sessions()), 1)
        await self.engine.stop("s1", 1)
        self.assertEqual(list(await self.engine.sessions()), [])

    async def test_close_with_something_that_stays(self):
        await self.start(shell("sleep 1000"))

        def refuse(session_id):
            raise EngineError("it cannot be removed")

        with self.patch(self.engine._folders, "remove", refuse):
            await self.engine.close()
        self.assertEqual(marked(self.engine), [])
        self.engine._sessions.clear()


class StartTests(EngineTestCase):
    """Starts that do not go well, and how long one takes."""

    async def refused(self, profile, session_id="s1"):
        try:
            await self.start(profile, session_id)
        except EngineError as error:
            return str(error)
        self.fail("it was started")

    async def test_bad_ids(self):
        for bad in ("", "../x", "a/b", "A", ".", "a.b", "x" * 65):
            await self.refused(shell("true"), bad)
        self.assertEqual(list(await self.engine.sessions()), [])

    async def test_home_cannot_be_used(self):
        (self.data_dir / "homes" / "galaxy-12").write_text("")
        self.assertIn("home", await self.refused(shell("true")))
        await self.engine.stop("s1", 1)

    async def test_port_in_use(self):
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            one.listen()
            port = one.getsockname()[1]
            self.assertIn(str(port), await self.refused(shell("true", port=port)))
        # Two sessions do not get the same port either, though nobody listens yet.
        await self.start(shell("sleep 1000", port=port))
        self.assertIn(str(port), await self.refused(shell("true", port=port), "s2"))
        await self.engine.stop("s1", 1)
        address = await self.start(shell("sleep 1000", port=port))
        self.assertEqual(address.port, port)

    async def test_no_process(self):
        def refuse(*arguments):
            raise BlockingIOError(11, "Resource temporarily unavailable")

        with self.patch(Program, "start", refuse):
            self.assertIn("temporarily", await self.refused(shell("true")))
        await self.engine.stop("s1", 1)

    async def test_cannot_be_opened(self):
        self.data_dir = new_folder(self)
        engine = self.make_engine()

        def refuse():
            raise PermissionError(1, "Operation not permitted", "/srv/run/s1")

        with self.patch(engine._folders, "clear", refuse):
            try:
                await engine.open(self.ended)
            except EngineError as error:
                self.assertIn("/srv/run/s1", str(error))
            else:
                self.fail("it was opened")
        await engine.open(self.ended)
        await engine.close()

    async def test_opened_twice(self):
        await self.start(shell("sleep 1000"))
        (found,) = await self.engine.open(self.ended)
        self.assertEqual(found.launch.session_id, "s1")

    async def test_cancelled_stop(self):
        await self.start(shell("sleep 1000"))
        stopped = self.engine.stop("s1", 1).addErrback(lambda _: "cancelled")
        stopped.cancel()
        self.assertEqual(await stopped, "cancelled")
        await self.engine.stop("s1", 1)
        self.assertEqual(list(await self.engine.sessions()), [])

    async def test_progress(self):
        told: list[Progress] = []
        await self.engine.start(launch_of(shell("sleep 1000")), told.append)
        self.assertEqual([one.step for one in told], ["creating", "starting"])

    async def test_time_to_exec(self):
        """A person waits for it: no second is lost where milliseconds do."""
        took = []
        for name in ("s1", "s2", "s3"):
            began = reactor.seconds()
            await self.line(shell("echo here; sleep 1000"), name)
            took.append(reactor.seconds() - began)
        self.assertLess(min(took), 0.5)

    async def test_homes_are_the_owners(self):
        bob = Owner("galaxy", 13, "x", None, "bob@example.org")
        await self.start(shell("sleep 1000"), owner=bob)
        self.assertTrue((self.data_dir / "homes" / "galaxy-13").is_dir())
        self.assertFalse((self.data_dir / "homes" / "galaxy-12").exists())

    def test_owners_are_told(self):
        self.assertIn("without isolation", self.engine.note)
        self.assertEqual(self.engine.name, "local")
