"""Local processes as an engine: real programs, how they start and what they find."""

import os
import socket
import sys
from pathlib import Path

from twisted.internet import reactor  # noqa: TID251 - real processes need it
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from giestack.spawner.engine import Ended, Engine, EngineError, Progress
from giestack.spawner.owner import Owner
from giestack.spawner.process.engine import ProcessEngine
from giestack.spawner.process.environment import SESSION_VARIABLE
from giestack.spawner.process.family import VARIABLE
from giestack.spawner.process.program import Program
from tests.demo.place import mode_of, new_folder
from tests.spawner.engine_suite import EngineSuite, launch_of
from tests.spawner.process.local import (
    PORT,
    SOCKET,
    EngineTestCase,
    listening,
    marked,
    profile_of,
    shell,
)


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
        self.assertEqual(lines, [str(max(os.nice(0), 10)), "64", "0", str(512 * 1024)])

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
            failed = engine.start(launch_of(shell("sleep 1000")), lambda progress: None)
            self.assertIn("/srv/run/s1", str(self.failureResultOf(failed, EngineError).value))
        await engine.open(self.ended)
        await engine.close()

    async def test_start_while_it_is_opened(self):
        """Visitors come before what a killed giestack has left is ended."""
        await self.engine.close()
        opened = self.engine.open(self.ended)
        started = self.start(shell("sleep 1000"))
        self.assertNoResult(started)
        self.assertEqual(list(await opened), [])
        self.assertTrue(await started)

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
