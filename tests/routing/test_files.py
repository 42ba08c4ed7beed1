"""Session maps in files of any format."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address
from giestack.routing import files
from giestack.routing.files import FileReader
from giestack.routing.source import MapTrouble, Reading
from tests.routing.galaxy_map import keys, save
from tests.routing.test_go_routes import GOS_OWN

COOKIE = "c6ca0ddb55be603a" * 5


def tools(*names: str) -> str:
    return json.dumps({name: {"token": "s3cret", "host": "h", "port": 1} for name in names})


class FileTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp()).absolute()
        self.reader = FileReader(str(self.path))
        self.addCleanup(self.reader.close)

    def write(self, text: str | bytes) -> None:
        self.path.write_bytes(text.encode() if isinstance(text, str) else text)

    def trouble(self, kind: str, missing: bool = False) -> str:
        error: Any = self.assertRaises(MapTrouble, self.reader.look)
        self.assertEqual((error.kind, error.missing), (kind, missing), str(error))
        return str(error)

    def look(self) -> Reading:
        return self.reader.look()


class SortTests(FileTestCase):
    def test_it_is_found_by_looking(self) -> None:
        save(self.path, "table")
        self.assertEqual(keys(self.look()), ["table"])
        self.write(tools("document"))
        self.assertEqual(keys(self.look()), ["document"])
        self.write(GOS_OWN)
        [route] = self.look().routes.environments or ()
        self.assertEqual((route.address, route.path), (Address("localhost", 32768), b"/jupyter"))
        self.write("\ufeff \n" + tools("marked"))
        self.assertEqual(keys(self.look()), ["marked"])
        self.path.unlink()
        save(self.path, "again")
        self.assertEqual(keys(self.look()), ["again"])
        self.assertEqual(self.reader.reads, 5)

    def test_a_database_is_opened_by_sqlite_alone(self) -> None:
        # Whoever else opens and closes it takes SQLite's locks away.
        save(self.path, "a")
        self.look()

        def beginning(path: str) -> bytes:
            raise AssertionError(path)

        self.patch(files, "_beginning", beginning)
        save(self.path, "b")
        self.assertEqual(keys(self.look()), ["a", "b"])

    def test_what_is_no_map(self) -> None:
        for text, kind, told in (
            ("hello", "format", "neither an SQLite database, nor JSON, nor XML"),
            (b"\x89PNG\r\n", "format", "neither"),
            ("[1]", "format", "is JSON, but a list"),
            ("5", "format", "is JSON, but a single value"),
            ("<html/>", "format", "is XML, but html"),
            (b'{"a": "\xff"}', "format", "not in UTF-8"),
            ("{", "half-written", "no complete JSON"),
        ):
            self.write(text)
            self.assertIn(told, self.trouble(kind))
        self.write(tools("k"))
        self.assertEqual(keys(self.look()), ["k"])

    def test_another_database(self) -> None:
        with closing(sqlite3.connect(self.path)) as connection:
            for number in range(10):
                connection.execute(f'CREATE TABLE "t{number}\n" (x)')
        told = self.trouble("empty", missing=True)
        self.assertIn(r"it holds t0\n, t1\n", told)
        self.assertIn("and 2 more", told)

    def test_missing(self) -> None:
        self.trouble("missing", missing=True)
        self.write(tools("k"))
        self.look()
        self.path.unlink()
        self.trouble("missing", missing=True)

    def test_a_database_that_becomes_something_else(self) -> None:
        for text, kind in (("hello", "format"), ("", "empty"), ("SQLite format 3", "corrupt")):
            save(self.path, "a")
            self.look()
            self.path.unlink()
            self.write(text)
            self.trouble(kind, missing=not text)
            self.path.unlink()
            self.trouble("missing", missing=True)

    def test_it_goes_while_it_is_looked_at(self) -> None:
        def read(path: str) -> bytes:
            raise FileNotFoundError(2, "No such file or directory", path)

        self.write(tools("a"))
        self.patch(files, "read_file", read)
        self.trouble("missing", missing=True)

    def test_no_file(self) -> None:
        os.mkdir(self.path)
        self.trouble("unreadable")
        self.path.rmdir()
        # Whoever opens a pipe would wait for somebody to write.
        os.mkfifo(self.path)
        self.trouble("unreadable")
        self.path.unlink()
        self.path.symlink_to("/dev/zero")
        self.assertEqual(self.trouble("unreadable"), "is no file")
        self.path.unlink()
        self.write(tools("a"))
        self.look()
        # Also where it was a map before.
        self.path.unlink()
        os.mkfifo(self.path)
        self.trouble("unreadable")

    def test_unreadable(self) -> None:
        def refuse(path: object, flags: int) -> int:
            raise PermissionError(13, "Permission denied", path)

        self.patch(os, "open", refuse)
        self.assertIn("Permission denied", self.trouble("unreadable"))

    def test_too_large(self) -> None:
        self.patch(files, "LARGEST", 5)
        self.write(tools("k"))
        self.trouble("too-large")


class ChangeTests(FileTestCase):
    def test_nothing_new_is_not_read(self) -> None:
        self.write(tools("a"))
        routes = self.look().routes
        for _ in range(20):
            self.assertIs(self.look().routes, routes)
        self.assertEqual(self.reader.reads, 1)

    def test_a_quiet_file_is_not_opened_for_all_of_it(self) -> None:
        self.write(tools("a"))
        for _ in range(20):
            self.look()

        def read(path: str) -> bytes:
            raise AssertionError(path)

        self.patch(files, "read_file", read)
        self.look()

    def test_time_stamps_alone_are_not_believed(self) -> None:
        self.write(tools("a"))
        self.look()
        before = self.path.stat()
        self.write(tools("b"))
        os.utime(self.path, ns=(before.st_atime_ns, before.st_mtime_ns))
        self.assertEqual(keys(self.look()), ["b"])

    def test_replaced(self) -> None:
        self.write(tools("a"))
        self.look()
        other = Path(f"{self.path}.new")
        other.write_text(tools("b"))
        other.replace(self.path)
        self.assertEqual(keys(self.look()), ["b"])

    def test_half_written(self) -> None:
        text = tools("a", "b")
        self.write(text)
        self.look()
        for end in (0, 1, len(text) // 2, len(text) - 1):
            self.write(text[:end])
            self.trouble("half-written", missing=end == 0)
        self.write(text)
        self.assertEqual(keys(self.look()), ["a", "b"])

    def test_the_same_written_again_is_no_change(self) -> None:
        self.write(tools("a"))
        routes = self.look().routes
        self.write(tools("a") + "\n")
        self.assertIs(self.look().routes, routes)
        self.write("{")
        self.trouble("half-written")
        self.reader.close()
        self.write(tools("a"))
        self.assertEqual(self.look().routes, routes)

    def test_an_empty_database(self) -> None:
        self.write("")
        self.trouble("empty", missing=True)
