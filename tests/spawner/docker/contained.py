"""Processes in mount namespaces of their own, as containers have, without an engine."""

import ctypes
import os
import threading
from pathlib import Path
from typing import Any

from tests.demo.place import new_folder
from tests.demo.processes import python, started

CONTAINER = "c0ffee" * 10 + "beef"
"""What a container's id looks like."""

_PROGRAM = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
NEWNS, BIND, PRIVATE_ALL = 0x20000, 0x1000, 0x44000
def mount(source, target, flags):
    assert not libc.mount(source and source.encode(), target.encode(), None, flags, None), target
assert not libc.unshare(NEWNS)
mount(None, "/", PRIVATE_ALL)
for pair in sys.argv[2:]:
    mount(*pair.split("="), BIND)
os.chdir(sys.argv[1])
print("ready", flush=True)
for line in sys.stdin:
    print(repr(eval(line)), flush=True)
"""


class Contained:
    """A process in whose namespace ``home`` is where a placeholder is mounted.

    :ivar pid: its number.
    :ivar outside: what this process has at the path `home`: the image's.
    :ivar placeholder: a folder of the host.
    """

    def __init__(self, test, *, working="", more=()):
        """
        :param working: where it works, below its home.
        :param more: names of other folders in which something is mounted.
        """
        self.folder = new_folder(test)
        self.home, self.placeholder = self.folder / "home", self.folder / "placeholder"
        others = [(self.folder / f"{name}-placeholder", self.folder / name) for name in more]
        pairs = [(self.placeholder, self.home), *others]
        for pair in pairs:
            for each in pair:
                each.mkdir(parents=True)
        (self.placeholder / working).mkdir(exist_ok=True)
        working = self.home / working
        mounts = [f"{source}={target}" for source, target in pairs]
        command = [*python(_PROGRAM), working, *mounts]
        self._process = started(test, command)
        assert self._process.stdout.readline() == b"ready\n"
        self.pid = self._process.pid

    def ask(self, expression):
        """What an expression is in that process, as `repr` writes it."""
        self._process.stdin.write(f"{expression}\n".encode())
        self._process.stdin.flush()
        return self._process.stdout.readline().decode().rstrip("\n")

    def lists(self, path="."):
        """What is in a folder there."""
        return self.ask(f"sorted(os.listdir({str(path)!r}))")

    def new_home(self, name="mine", **files):
        """A folder of the host with files in it."""
        home = self.folder / name
        home.mkdir()
        for file, text in files.items():
            (home / file).write_text(text, encoding="ascii")
        return home

    def mounts(self):
        """Where something is mounted there below the folder of the test, and from where."""
        lines = Path(f"/proc/{self.pid}/mountinfo").read_text(encoding="utf-8").splitlines()
        found = [line.split() for line in lines]
        return [(words[4], words[3]) for words in found if str(self.folder) in words[4]]


def alone(function, *arguments):
    """Call something in a thread that is as apart as a process: it has a root and a working
    folder of its own, may enter namespaces, and what it opens is closed."""
    came: list[tuple[Any, BaseException | None]] = []

    def run():
        libc = ctypes.CDLL(None, use_errno=True)
        file_system_and_files = 0x200 | 0x400
        assert not libc.unshare(file_system_and_files)
        try:
            came.append((function(*arguments), None))
        except BaseException as error:
            came.append((None, error))

    groups = os.getgroups()
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    os.setgroups(groups)
    result, error = came[0]
    if error is not None:
        raise error
    return result
