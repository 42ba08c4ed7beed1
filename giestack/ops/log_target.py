"""Where lines of a log go: a file, standard output, or syslog. Everything here may block.

Nothing blocks for long, though: a pipe that nobody reads or a syslog daemon that hangs ends in
`Unwritten` after `PATIENCE` seconds.
"""

import os
import select
import socket
from contextlib import suppress
from errno import EAGAIN, EDQUOT, ENOSPC
from pathlib import Path
from typing import Literal, Protocol

PATIENCE = 2.0
"""Seconds that one write may wait for the other side."""

# What a pipe takes without blocking once poll says that it takes something (POSIX: PIPE_BUF).
_PIECE = select.PIPE_BUF
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
_FULL = frozenset((EAGAIN, EDQUOT, ENOSPC))
_LINE_FEED = ord("\n")
_STDOUT = 1
_DAEMON_INFO = 3 << 3 | 6


class Unwritten(Exception):
    """Lines could not be written; the text says why.

    :ivar lines: how many whole lines were written before.
    :ivar errno: as the operating system numbers its errors.
    """

    def __init__(self, error: OSError, lines: int) -> None:
        super().__init__(reason_of(error))
        self.errno = error.errno
        self.lines = lines


def reason_of(error: OSError) -> str:
    """Why an operation of the system failed, without path and number."""
    return error.strerror or type(error).__name__


class Target(Protocol):
    """Takes lines. Used in a thread, by one call at a time; ``str()`` of it names it in logs."""

    def write(self, lines: bytes) -> None:
        """Write whole lines. Raise `Unwritten`; the next call tries anew."""
        ...

    def reopen(self) -> None:
        """Make what is not there, and go on there. Raise OSError and go on as before."""
        ...

    def close(self) -> None:
        """Close what is open. Writing again is possible."""
        ...


class Descriptor:
    """A `Target` that is an open file descriptor, such as standard output."""

    def __init__(self, descriptor: int = _STDOUT, name: str = "standard output") -> None:
        self._descriptor = descriptor
        self._name = name
        self._ready = select.poll()
        self._ready.register(descriptor, select.POLLOUT)
        self._torn = False

    def __str__(self) -> str:
        return self._name

    def write(self, lines: bytes) -> None:
        """See `Target`. A line that was cut short is ended by the next call."""
        begun = 0
        if self._torn:
            lines, begun = b"\n" + lines, 1
        done = 0
        try:
            while done < len(lines):
                if not self._ready.poll(PATIENCE * 1000):
                    raise BlockingIOError(EAGAIN, os.strerror(EAGAIN))
                end = lines.rfind(b"\n", done, done + _PIECE) + 1 or done + _PIECE
                done += os.write(self._descriptor, lines[done:end])
                self._torn = lines[done - 1] != _LINE_FEED
        except OSError as error:
            raise Unwritten(error, max(lines.count(b"\n", 0, done) - begun, 0)) from None

    def reopen(self) -> None:
        pass

    def close(self) -> None:
        pass


class File:
    """A `Target` that is a file, made at need and only ever appended to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: Descriptor | None = None
        self._descriptor = -1

    def __str__(self) -> str:
        return str(self._path)

    def write(self, lines: bytes) -> None:
        if self._open is None:
            try:
                self.reopen()
            except OSError as error:
                raise Unwritten(error, 0) from None
        assert self._open is not None
        try:
            self._open.write(lines)
        except Unwritten as failed:
            if failed.errno not in _FULL:
                # The file system may have been replaced below us.
                self.close()
            raise

    def reopen(self) -> None:
        descriptor = os.open(self._path, _FLAGS, 0o640)
        self.close()
        self._descriptor = descriptor
        self._open = Descriptor(descriptor, str(self._path))

    def close(self) -> None:
        if self._open is not None:
            self._open = None
            with suppress(OSError):
                # Network file systems tell here that what was written is lost.
                os.close(self._descriptor)


class Syslog:
    """A `Target` that is the local syslog daemon: a datagram for each line (RFC 3164)."""

    def __init__(self, path: str = "/dev/log") -> None:
        self._path = path
        self._socket: socket.socket | None = None

    def __str__(self) -> str:
        return "syslog"

    def write(self, lines: bytes) -> None:
        start = b"<%d>giestack[%d]: " % (_DAEMON_INFO, os.getpid())
        sent = 0
        try:
            if self._socket is None:
                self.reopen()
            assert self._socket is not None
            for line in lines.splitlines():
                self._socket.send(start + line)
                sent += 1
        except OSError as error:
            self.close()
            raise Unwritten(error, sent) from None

    def reopen(self) -> None:
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            opened.settimeout(PATIENCE)
            opened.connect(self._path)
        except OSError:
            opened.close()
            raise
        self.close()
        self._socket = opened

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def log_target(where: Path | Literal["stdout", "syslog", "off"]) -> Target | None:
    """The target that the configuration names; None where there is to be no log."""
    if where == "off":
        return None
    if where == "stdout":
        return Descriptor()
    if where == "syslog":
        return Syslog()
    return File(where)
