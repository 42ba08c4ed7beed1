"""Database URLs and session maps."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from giestack.settings.databases import (
    DatabaseUrl,
    MapSource,
    SessionMap,
    database_url,
    place_of,
    sqlite_path,
)
from giestack.settings.problems import Wrong

from .test_kinds import KindCase
from .world import read


class DatabaseUrlTests(KindCase):
    def test_sqlite(self) -> None:
        self.assert_read(
            DatabaseUrl(),
            {
                "sqlite:////srv/universe.sqlite": "sqlite:////srv/universe.sqlite",
                "sqlite:///a.sqlite?isolation_level=IMMEDIATE": "sqlite:////etc/giestack/a.sqlite",
                "sqlite+pysqlite:///a/b": "sqlite:////etc/giestack/a/b",
                "sqlite:////srv/100%25 b": "sqlite:////srv/100%25 b",
            },
        )

    def test_a_relative_path_for_later(self) -> None:
        self.assert_read(
            DatabaseUrl(later=True),
            {"sqlite:///a.sqlite": "sqlite:///a.sqlite", "sqlite:////a": "sqlite:////a"},
        )

    def test_postgresql(self) -> None:
        for url in (
            "postgresql://u:p@h:5432/db",
            "postgresql:///db?host=/var/run/postgresql",
            "postgresql+psycopg2://u@h/db",
            "postgres://u@h/db",
            "postgresql://u:p%40x@h/db",
        ):
            self.assertEqual(read(DatabaseUrl(), f'"{url}"'), (url, []))
        self.assert_read(
            DatabaseUrl(), {"postgresql://h/db?isolation_level=X&a=b": "postgresql://h/db?a=b"}
        )

    def test_secrets(self) -> None:
        found = read(DatabaseUrl(), "postgresql://u:${PW}@h/db", environ={"PW": "s3"})
        self.assertEqual(found, ("postgresql://u:s3@h/db", []))
        files = {"/run/url": "postgresql://u:s3@h/db\n"}
        self.assertEqual(read(DatabaseUrl(), "file:/run/url", files)[0], "postgresql://u:s3@h/db")

    def test_refused_without_showing_it(self) -> None:
        for text, words in {
            "mysql://u:s3cret@h/db": "other databases cannot be read",
            "s3cret": "must be a URL like",
            "postgresql:s3cret": "must be a URL like",
            "postgresql://u:s3cret@h:port/db": "must be a URL like postgresql://user@host",
            "postgresql://u:s3@cret@h/db": "%40",
            "'postgresql://h/db?host=a:1&host=b&port=s3cret'": "must be a URL like",
            "sqlite://s3cret/x": "sqlite:///PATH",
            "'sqlite://'": "sqlite:///PATH",
            "'sqlite:///'": "sqlite:///PATH",
            "'sqlite:///:memory:'": "sqlite:///PATH",
            "'sqlite:///file:s3cret?uri=true'": "sqlite:///PATH",
            "[s3cret]": "a database URL",
        }.items():
            found, problems = read(DatabaseUrl(), text)
            self.assertEqual((found, len(problems)), (None, 1), text)
            self.assertIn(words, problems[0])
            self.assertNotIn("s3", problems[0])

    @given(st.text())
    def test_anything_else_is_wrong(self, text: str) -> None:
        for begin in ("", "sqlite:", "postgresql://", "postgresql://u:p@"):
            try:
                url = database_url(begin + text)
            except Wrong:
                continue
            self.assertTrue(url.startswith(("sqlite:///", "postgres")))
            self.assertEqual(place_of(url), place_of(database_url(url)))


class PlaceOfTests(KindCase):
    def test_same_and_other_places(self) -> None:
        same = (
            ("sqlite:////a/b", "sqlite:////a/./c/../b"),
            ("postgresql://u:p@H/db", "postgresql+psycopg2://v@h:5432/db"),
            ("postgresql:///db", "postgresql://localhost/db"),
            ("postgresql:///db?host=/run", "postgresql://u@/db?host=/run"),
            ("postgresql://h/db", "postgresql:///db?host=h"),
            ("postgresql://h:5433/db", "postgres:///db?host=h:5433"),
            ("postgresql://h:5433/db", "postgresql:///?host=h&port=5433&dbname=db"),
            ("postgresql://a@other/x", "postgresql://other?host=other&user=x"),
            ("postgresql:///db", "postgresql+psycopg2:///db?host=/var/run/postgresql/"),
            ("postgresql://127.0.0.1/db", "postgresql://u:p%40@[::1]:5432/db?sslmode=disable"),
            ("postgresql://localhost/db", "postgresql:///db?host=/run/../run/postgresql"),
            ("postgresql://u@h/g%61laxy", "postgresql://h/galaxy"),
            ("postgresql:///db?host=a,b", "postgresql:///db?host=a:5432&host=b:5432"),
        )
        for one, other in same:
            self.assertEqual(place_of(one), place_of(other))
        others = (
            *("postgresql://h/a", "postgresql://h/b", "postgresql://h:1/a", "sqlite:////h/a"),
            *("postgresql:///a?service=b", "postgresql:///a?host=/run/b", "postgresql://b"),
        )
        self.assertEqual(len({place_of(url) for url in others}), 7)
        self.assertEqual(place_of("postgresql:///d?host=a&host=b")[1], "a,b")

    def test_sqlite_path(self) -> None:
        self.assertEqual(sqlite_path("sqlite:////a/b"), "/a/b")
        self.assertIsNone(sqlite_path("postgresql:///sqlite"))


class MapSourceTests(KindCase):
    def test_sources(self) -> None:
        at = Path("/etc/giestack")
        self.assert_read(
            MapSource(),
            {
                "a.sqlite": SessionMap("sqlite", path=at / "a.sqlite"),
                "/b.DB": SessionMap("sqlite", path=Path("/b.DB")),
                "c.json": SessionMap("json", path=at / "c.json"),
                "d.xml": SessionMap("xml", path=at / "d.xml"),
                "sqlite:///e.map": SessionMap("sqlite", path=at / "e.map"),
                "sqlite:////e": SessionMap("sqlite", path=Path("/e")),
                "postgresql://u:p@h/db": SessionMap("postgresql", url="postgresql://u:p@h/db"),
            },
        )
        self.assert_refused(
            MapSource(),
            {"a": ".sqlite, .json or .xml", "a.txt": "", "mysql://x": "URL like"},
        )

    def test_a_password_is_not_shown(self) -> None:
        source = SessionMap("postgresql", url="postgresql://u:s3cret@h/db")
        self.assertNotIn("s3cret", repr(source) + str(source))
        source = SessionMap("postgresql", url="postgresql:///db?user=u&password=s3cret")
        self.assertEqual(str(source), "postgresql:///db?user=u")
        self.assertEqual(str(SessionMap("sqlite", path=Path("/a"))), "/a")
