"""Session maps in files, whatever their format is: it is found by looking at what they hold."""

import os
import stat
from typing import Literal

from giestack.routing.environments import newest_at_each_address
from giestack.routing.go_routes import read_xml
from giestack.routing.json_map import read_json
from giestack.routing.source import NO_FILE, MapTrouble, Reader, Reading, SourceRoutes
from giestack.routing.sqlite import SQLiteReader

LARGEST = 64 * 1024 * 1024
"""Bytes of a JSON or XML map that are read; a longer one is refused."""

_SQLITE = b"SQLite format 3\0"
# A write in the same tick of the file system's clock as the last read leaves no trace in the
# time stamps. Looks come five times a second; no file system's tick is longer than two seconds.
_LOOKS_TO_SETTLE = 12

Sort = Literal["sqlite", "json", "xml"]


class FileReader:
    """A `giestack.routing.source.Reader` of one file of any format.

    :ivar path: absolute.
    :ivar reads: how often the whole map was read.
    """

    def __init__(self, path: str) -> None:
        self.reads = 0
        self.path = os.path.abspath(path)
        self._sort: Sort | None = None
        self._reader: Reader = SQLiteReader(self.path)
        self._reads_before = 0

    def look(self) -> Reading:
        """Return what the map holds; the routes are the same object while nothing has changed.

        Raise `MapTrouble`.
        """
        try:
            return self._look()
        finally:
            self.reads = self._reads_before + self._reader.reads

    def _look(self) -> Reading:
        if self._sort == "sqlite":
            try:
                return self._reader.look()
            except MapTrouble as trouble:
                # Only now, when the reader has closed it: whoever closes a file takes back the
                # locks that others of the same process have on it (fcntl(2)), SQLite's too.
                if not self._has_changed_sort():
                    raise trouble.with_traceback(None) from None
        else:
            self._has_changed_sort()
        return self._reader.look()

    def _has_changed_sort(self) -> bool:
        """Look at what the file is now, and have the reader for it; raise `MapTrouble`."""
        found = sort_of(_beginning(self.path))
        # An empty file is whatever it was before: it is about to be written.
        if found is None or found == self._sort:
            return False
        self._reader.close()
        self._reads_before += self._reader.reads
        self._sort = found
        if found == "sqlite":
            self._reader = SQLiteReader(self.path)
        else:
            self._reader = DocumentReader(self.path, found)
        return True

    def close(self) -> None:
        """Close what is open; the next look reads everything."""
        self._reader.close()


class DocumentReader:
    """A `giestack.routing.source.Reader` of one JSON or XML document.

    :ivar reads: how often it was read as a map.
    """

    def __init__(self, path: str, sort: Sort) -> None:
        self.reads = 0
        self._path = path
        self._sort = sort
        self._seen: tuple[int, ...] = ()
        self._unsettled = 0
        self._content: bytes | None = None
        self._outcome: Reading | MapTrouble | None = None

    def look(self) -> Reading:
        """As `giestack.routing.source.Reader`."""
        content = self._read_if_changed()
        if content is not None and content != self._content:
            self.reads += 1
            self._content = content
            self._outcome = self._parsed(content)
        if isinstance(self._outcome, MapTrouble):
            raise self._outcome.with_traceback(None)
        assert self._outcome is not None
        return self._outcome

    def close(self) -> None:
        """Forget how the file looked: the next look reads it."""
        self._seen = ()

    def _read_if_changed(self) -> bytes | None:
        """What the file holds; None where it is most certainly what it was."""
        try:
            status = os.stat(self._path)
            seen = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
            if seen == self._seen:
                self._unsettled -= 1
                if self._unsettled < 0:
                    return None
            else:
                self._unsettled = _LOOKS_TO_SETTLE
            content = read_file(self._path)
        except OSError as error:
            self.close()
            raise trouble_of(error) from None
        self._seen = seen
        return content

    def _parsed(self, content: bytes) -> Reading | MapTrouble:
        before = self._outcome
        try:
            reading = parsed(content, self._sort)
        except MapTrouble as trouble:
            return trouble
        if isinstance(before, Reading) and before.routes == reading.routes:
            return Reading(before.routes, reading.bad)
        return reading


def parsed(content: bytes, sort: Sort) -> Reading:
    """Return what a document holds; raise `MapTrouble`."""
    text = parsed_text(content, sort)
    if sort == "json":
        return read_json(text)
    routes, bad = read_xml(text)
    environments = newest_at_each_address(route.environment() for route in routes)
    return Reading(SourceRoutes({}, environments), bad)


def parsed_text(content: bytes, sort: Sort) -> str:
    """Return the text of a document; raise `MapTrouble` where it is none, or too long."""
    if len(content) > LARGEST:
        raise MapTrouble("too-large", f"is larger than {LARGEST >> 20} MiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise MapTrouble("format", f"is {sort.upper()}, but not in UTF-8") from None
    if not text.strip():
        raise MapTrouble("half-written", "is empty", missing=True)
    return text


def read_file(path: str) -> bytes:
    """Return what a file holds, at most one byte more than `LARGEST`.

    Raise OSError; and `MapTrouble` where it is no file: a pipe, or a device, may have no end.
    """
    return _read(path, LARGEST + 1)


def _read(path: str, most: int) -> bytes:
    # Without the last flag, opening a pipe would wait for somebody to write.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise MapTrouble("unreadable", NO_FILE)
    with open(descriptor, "rb") as file:
        return file.read(most)


def sort_of(beginning: bytes) -> Sort | None:
    """Return what a file is that begins so; None where it is empty, so far."""
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        return None
    if beginning.startswith(_SQLITE) or _SQLITE.startswith(beginning):
        return "sqlite"
    if text[:1] == b"<":
        return "xml"
    if text[:1] in (b"{", b"[", b'"') or text[:1].isdigit():
        return "json"
    raise MapTrouble("format", "is no session map: neither an SQLite database, nor JSON, nor XML")


def _beginning(path: str) -> bytes:
    try:
        return _read(path, 64)
    except OSError as error:
        raise trouble_of(error) from None


def trouble_of(error: OSError) -> MapTrouble:
    """What an error means to a map."""
    if isinstance(error, FileNotFoundError):
        return MapTrouble("missing", "is not there", missing=True)
    return MapTrouble("unreadable", f"cannot be read: {error.strerror}")
