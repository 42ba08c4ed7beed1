"""A program's family ends with it, and with whoever has started it."""

import builtins
import ctypes
import os
import resource
import select
import signal
import subprocess
import sys
import time

from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.process import reaper
from giestack.spawner.process.removal import remove
from tests.demo.place import new_folder
from tests.demo.processes import ORPHAN, PATIENCE, Watched, number_from, started

STUBBORN = "trap '' TERM; echo ready; while :; do sleep 1000; done"
POLITE = "sleep 1000 & trap 'kill $!; echo bye; exit 5' TERM; echo ready; wait"


class ReaperTests(SynchronousTestCase):
    def run_reaper(self, script, seconds=PATIENCE, options=()):
        command = [sys.executable, reaper.__file__, *options, str(seconds), "sh", "-c", script]
        return started(self, command)

    def status(self, process):
        return process.wait(PATIENCE)

    def test_status_is_the_programs(self):
        self.assertEqual(self.status(self.run_reaper("exit 7")), 7)
        self.assertEqual(self.status(self.run_reaper("true")), 0)

    def test_status_of_a_killed_program_is_a_shells(self):
        self.assertEqual(self.status(self.run_reaper("kill -KILL $$")), 128 + signal.SIGKILL)

    def test_no_such_program(self):
        process = started(self, [sys.executable, reaper.__file__, "1", "/no/such/program"])
        self.assertEqual(process.stdout.read(), b"/no/such/program: No such file or directory\n")
        self.assertEqual(self.status(process), 127)

    def test_program_has_no_input(self):
        process = self.run_reaper("cat; echo nothing more")
        self.assertEqual(process.stdout.read(), b"nothing more\n")

    def test_orphans_end_with_the_program(self):
        process = self.run_reaper(f"{ORPHAN}; read wait; exit 3")
        orphan = Watched(self, number_from(process))
        self.assertEqual(self.status(process), 3)
        self.assertTrue(orphan.has_ended(0))

    def test_everybody_ends_when_input_is_closed(self):
        process = self.run_reaper(f"{ORPHAN}; sleep 1000 & echo $!; wait")
        family = [Watched(self, number_from(process)) for _ in range(2)]
        self.assertFalse(any(one.has_ended(0) for one in family))
        process.stdin.close()
        self.assertEqual(self.status(process), 128 + signal.SIGTERM)
        self.assertTrue(all(one.has_ended(0) for one in family))

    def test_everybody_ends_when_asked(self):
        process = self.run_reaper(f"{ORPHAN}; wait; sleep 1000")
        orphan = Watched(self, number_from(process))
        process.terminate()
        self.assertEqual(self.status(process), 128 + signal.SIGTERM)
        self.assertTrue(orphan.has_ended(0))

    def test_program_may_end_in_its_own_way(self):
        process = self.run_reaper(POLITE)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        process.stdin.close()
        self.assertEqual(process.stdout.readline(), b"bye\n")
        self.assertEqual(self.status(process), 5)

    def test_but_not_for_ever(self):
        process = self.run_reaper(STUBBORN, seconds=0.1)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        process.stdin.close()
        self.assertEqual(self.status(process), 128 + signal.SIGKILL)

    def test_asked_twice_is_asked_once(self):
        process = self.run_reaper(STUBBORN, seconds=0.3)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        process.stdin.close()
        process.terminate()
        self.assertEqual(self.status(process), 128 + signal.SIGKILL)

    def test_what_is_written_to_it_means_nothing(self):
        process = self.run_reaper("read line; echo still here; exec sleep 1000")
        process.stdin.write(b"hello\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), b"still here\n")
        self.assertIsNone(process.poll())

    def test_told_how_long(self):
        process = self.run_reaper(STUBBORN)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        process.stdin.write(b"0.1\n")
        process.stdin.flush()
        self.assertEqual(self.status(process), 128 + signal.SIGKILL)

    def test_told_to_hurry(self):
        process = self.run_reaper(STUBBORN)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        for seconds in (b"1000\n", b"what?\n", b"0.1\n", b"500\n"):
            process.stdin.write(seconds)
            process.stdin.flush()
        self.assertEqual(self.status(process), 128 + signal.SIGKILL)

    def test_folder(self):
        folder = new_folder(self)
        folder.mkdir()
        process = self.run_reaper("pwd", options=[f"--folder={folder}"])
        self.assertEqual(process.stdout.read().decode(), f"{folder}\n")
        process = self.run_reaper("pwd", options=["--folder=/no/such"])
        self.assertEqual(process.stdout.read(), b"/no/such: No such file or directory\n")
        self.assertEqual(self.status(process), 126)

    def test_not_a_program(self):
        process = started(self, [sys.executable, reaper.__file__, "1", "/etc/passwd"])
        self.assertEqual(process.stdout.read(), b"/etc/passwd: Permission denied\n")
        self.assertEqual(self.status(process), 126)

    def test_nice_and_limits(self):
        options = ["--nice=5", "--limit=NOFILE:70:80", "--limit=CORE:0:0", "--limit=FSIZE:-1:-1"]
        process = self.run_reaper("nice; ulimit -Sn; ulimit -Hn; ulimit -c", options=options)
        nice = b"%d" % max(os.nice(0), 5)
        self.assertEqual(process.stdout.read().split(), [nice, b"70", b"80", b"0"])

    def test_nice_beside_other_sessions(self):
        script = (
            "cd /proc/self; until [ ! -e autogroup ] || grep -q 'nice 7$' autogroup; do :; done"
        )
        self.assertEqual(self.status(self.run_reaper(script, options=["--nice=7"])), 0)

    def test_no_higher_than_allowed(self):
        told = []

        def setrlimit(number, limits):
            if limits != (50, 100):
                raise ValueError("not allowed to raise maximum limit")
            told.append((number, limits))

        self.patch(resource, "setrlimit", setrlimit)
        self.patch(resource, "getrlimit", lambda number: (20, 100))
        reaper._limit("CORE", "50", "200")
        self.assertEqual(told, [(resource.RLIMIT_CORE, (50, 100))])

    def test_folder_is_removed_at_the_end(self):
        folder = new_folder(self)
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "file").write_text("secret")
        (folder / "link").symlink_to("/etc")
        process = self.run_reaper("read wait; sleep 1000", options=[f"--remove={folder}"])
        self.assertTrue(folder.exists())
        process.stdin.close()
        self.status(process)
        self.assertFalse(folder.exists())
        self.assertTrue(os.path.exists("/etc/passwd"))

    def test_folder_that_is_too_deep_for_it(self):
        """Its owner may have made it so: the status is the program's all the same."""
        folder = new_folder(self)
        folder.mkdir()
        self.addCleanup(remove, folder)
        at = os.open(folder, os.O_RDONLY)
        for _ in range(2000):
            os.mkdir("d", dir_fd=at)
            below = os.open("d", os.O_RDONLY, dir_fd=at)
            os.close(at)
            at = below
        os.close(at)
        process = self.run_reaper("exit 7", options=[f"--remove={folder}"])
        self.assertEqual((process.stdout.read(), self.status(process)), (b"", 7))

    def test_pipe_in_the_place_of_the_folder(self):
        folder = new_folder(self)
        folder.mkdir()
        process = self.run_reaper(
            f"rmdir {folder}; mkfifo {folder}; exit 7", options=[f"--remove={folder}"]
        )
        self.assertEqual(self.status(process), 7)

    def test_folder_is_removed_when_its_owner_was_killed(self):
        folder = new_folder(self)
        folder.mkdir()
        script = (
            "import subprocess, sys\n"
            f"subprocess.Popen([sys.executable, {reaper.__file__!r}, '--remove={folder}', '5', "
            "'sh', '-c', 'echo $PPID; sleep 1000'], stdin=subprocess.PIPE)\n"
            "sys.stdin.read()"
        )
        owner = started(self, [sys.executable, "-c", script])
        watched = Watched(self, number_from(owner))
        owner.kill()
        self.assertTrue(watched.has_ended())
        self.assertFalse(folder.exists())

    def test_output_stays_in_order(self):
        command = [sys.executable, reaper.__file__, "1", "sh", "-c", "echo a; echo b >&2; echo c"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdout is not None
            self.assertEqual(process.stdout.read(), b"a\nb\nc\n")

    def test_program_learns_of_a_killed_reaper(self):
        process = self.run_reaper(POLITE)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        process.kill()
        self.assertEqual(process.stdout.readline(), b"bye\n")

    def test_everybody_ends_with_a_killed_owner(self):
        """The pipe to the reaper is all that an owner has to hold."""
        script = (
            "import subprocess, sys\n"
            f"subprocess.Popen([sys.executable, {reaper.__file__!r}, '5', 'sh', '-c', "
            f"{ORPHAN + '; sleep 1000'!r}], stdin=subprocess.PIPE)\n"
            "sys.stdin.read()"
        )
        owner = started(self, [sys.executable, "-c", script])
        orphan = Watched(self, number_from(owner))
        owner.kill()
        self.assertTrue(orphan.has_ended())

    def test_ctrl_c_is_not_for_it(self):
        process = self.run_reaper("echo $PPID; read wait; exec sleep 1000")
        self.assertEqual(os.getsid(number_from(process)), process.pid)
        self.assertNotEqual(os.getsid(process.pid), os.getsid(0))

    def test_leader_of_a_session_already(self):
        command = [sys.executable, reaper.__file__, "1", "sh", "-c", "exit 4"]
        self.assertEqual(self.status(started(self, command, start_new_session=True)), 4)

    def test_program_can_be_interrupted(self):
        """A kernel must not begin with SIGINT ignored, or it could not be interrupted."""
        said = ["grep", "-E", "Sig(Ign|Cgt|Blk)", "/proc/self/status"]
        background = ["sh", "-c", "trap '' INT QUIT; exec \"$@\"", "sh"]
        command = [*background, sys.executable, reaper.__file__, "1", *said]
        process = started(self, command)
        for line in process.stdout.read().split(b"\n"):
            if line.startswith((b"SigIgn", b"SigBlk")):
                mask = int(line.split()[1], 16)
                for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGCHLD):
                    self.assertFalse(mask & 1 << number - 1, line)


class PartTests(SynchronousTestCase):
    """What does not happen on every machine."""

    def test_another_system(self):
        class Library:
            def __init__(self, name):
                pass

        self.patch(ctypes, "CDLL", Library)
        reaper._prctl(36, 1)
        self.patch(os.path, "isdir", lambda path: False)
        self.assertEqual(reaper._children(), [])

    def test_parent(self):
        self.assertEqual(reaper._parent(str(os.getpid())), os.getppid())
        self.assertEqual(reaper._parent("0"), 0)

    def test_child_that_may_not_be_killed(self):
        """It is left alone in the end, not waited for."""
        times = iter([0.0, 1.0, 2.0, 3.0])
        killed = []

        def kill(pid, number):
            killed.append((pid, number))
            raise PermissionError(1, "Operation not permitted")

        self.patch(time, "monotonic", lambda: next(times))
        self.patch(time, "sleep", lambda seconds: None)
        self.patch(os, "waitpid", lambda pid, options: (0, 0))
        self.patch(os, "kill", kill)
        self.patch(reaper, "_children", lambda: [4321])
        reaper._kill_rest(3.0)
        self.assertEqual(killed, [(4321, signal.SIGKILL)] * 3)

    def be_nice(self, *outcomes, readable=()):
        """Have one wish for niceness after the other end like this; return what was written."""
        left, file = list(outcomes), new_folder(self).parent / "autogroup"
        there = open

        def open_it(path, mode):
            error = left.pop(0)
            if error is not None:
                raise error
            return there(file, mode)

        self.patch(builtins, "open", open_it)
        self.patch(select, "select", lambda *_: (readable, [], []))
        reaper._be_nice("7", 3)
        self.assertEqual(left, [])
        return file.read_text("ascii") if file.exists() else ""

    def test_niceness_is_wished_for_until_it_is_heard(self):
        self.assertEqual(self.be_nice(BlockingIOError(), BlockingIOError(), None), "7")

    def test_nobody_waits_for_niceness(self):
        self.assertEqual(self.be_nice(BlockingIOError(), readable=[3]), "")
        self.assertEqual(self.be_nice(*[BlockingIOError()] * reaper._NICE_TRIES), "")

    def test_without_autogroups(self):
        self.assertEqual(self.be_nice(FileNotFoundError()), "")
