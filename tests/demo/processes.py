"""Real processes for tests: started, watched until they have ended, never left behind."""

import os
import select
import signal
import subprocess
import sys

PATIENCE = 20

# Prints the number of a process that has left its session and lost its parent.
ORPHAN = "(setsid sleep 1000 >/dev/null 2>&1 & echo $!)"


class Watched:
    """A process by a handle, which stays its own when the number is used again."""

    def __init__(self, test, pid):
        self.pid = pid
        self._handle = os.pidfd_open(pid)
        test.addCleanup(self._forget)

    def has_ended(self, seconds=PATIENCE):
        """Wait until it has ended, or for so long."""
        poll = select.poll()
        poll.register(self._handle, select.POLLIN)
        return bool(poll.poll(int(seconds * 1000)))

    def _forget(self):
        if not self.has_ended(0):
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)
        os.close(self._handle)


def started(test, command, **options):
    """Start a command with a pipe at each end."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options
    )

    def end():
        with process:
            process.kill()

    test.addCleanup(end)
    return process


def number_from(process):
    """The number on the next line that a process prints."""
    return int(process.stdout.readline())


def python(text):
    """A command that runs this text."""
    return [sys.executable, "-c", text]
