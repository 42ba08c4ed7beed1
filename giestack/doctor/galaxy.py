"""Checks of Galaxy's database and of its secret."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence

from giestack.doctor.check import CannotTell, Check, Finding, fail, ok, warn
from giestack.doctor.deployment import Deployment
from giestack.doctor.galaxy_database import (
    GalaxyTables,
    clock,
    may_stamp,
    missing_columns,
    too_much,
    unreadable_tables,
)
from giestack.identity.cookie import BadSecret, CookieCodec, MalformedId
from giestack.settings.databases import sqlite_path
from giestack.settings.galaxy_defaults import GALAXYS_ID_SECRET

GROUP = "Galaxy"
CLOCKS = 5.0
"""Seconds by which clocks may differ before it is said."""

_PASTE = (
    "paste the value of the cookie galaxysession from a browser: giestack doctor --cookie - "
    "reads it from standard input"
)
_SAME_SECRET = "copy id_secret from the configuration that Galaxy really runs with"
_GRANT = (
    "give giestack a role of its own: GRANT SELECT ON galaxy_session, galaxy_user, "
    "user_preference, interactivetool_entry_point, job"
)


def checks(
    deployment: Deployment, tables: GalaxyTables | None, map_keys: Callable[[], Iterable[str]]
) -> Sequence[Check]:
    """All checks of this group.

    :param tables: its database; None: none is configured.
    :param map_keys: gives the keys of entry points in all session maps.
    """
    secret = _Secret(deployment, map_keys)
    asked = [
        Check("galaxy.id_secret", GROUP, "Galaxy's id_secret", secret.right),
        Check("galaxy.id_secret_default", GROUP, "a default id_secret", secret.default),
        Check("galaxy.session", GROUP, "the session of the cookie", secret.session),
    ]
    return (*_of_database(deployment, tables), *asked)


def _of_database(deployment: Deployment, tables: GalaxyTables | None) -> Sequence[Check]:
    if tables is None:

        def none() -> Iterator[Finding]:
            yield warn(
                "no database of Galaxy is configured: nobody's session can be checked",
                "set galaxy.config_file, or galaxy.database_connection and galaxy.id_secret",
            )

        return (Check("galaxy.database", GROUP, "Galaxy's database", none),)
    look = _Database(deployment, tables)
    return (
        Check("galaxy.database", GROUP, "Galaxy's database", look.answers),
        Check("galaxy.tables", GROUP, "its tables and columns", look.tables),
        Check("galaxy.privileges", GROUP, "what giestack may do there", look.privileges),
        Check("galaxy.clock", GROUP, "the database's clock", look.clock),
    )


class _Database:
    def __init__(self, deployment: Deployment, tables: GalaxyTables) -> None:
        self._deployment = deployment
        self._tables = tables

    def answers(self) -> Iterator[Finding]:
        try:
            self._tables.reachable()
        except CannotTell as error:
            yield fail(
                str(error),
                error.remedy
                or "see that it runs, and that this user may read it; until then visitors get 503",
            )
        else:
            yield ok("Galaxy's database answers")

    def tables(self) -> Iterator[Finding]:
        if not self._answers():
            return
        missing = self._tables.ask(missing_columns)
        for table, columns in missing.items():
            what = f"no table {table}" if columns is None else _lacking(table, columns)
            yield fail(
                f"Galaxy's database has {what}",
                "see that galaxy.database_connection names the database that Galaxy uses",
            )
        if not missing:
            yield ok("it has the tables and columns that giestack reads")

    def privileges(self) -> Iterator[Finding]:
        if not self._answers():
            return
        stamps = self._deployment.settings.galaxy.touch_last_action
        if self._tables.is_sqlite:
            yield from self._file(stamps)
            return
        if self._tables.ask(missing_columns):
            return
        hidden = self._tables.ask(unreadable_tables)
        more = self._tables.ask(too_much)
        if hidden:
            yield fail(f"giestack's role may not read {', '.join(hidden)}", _GRANT)
        elif stamps and not self._tables.ask(may_stamp):
            yield fail(
                "touch_last_action is on, and giestack's role may not write last_action",
                "GRANT UPDATE (last_action) ON galaxy_session to it",
            )
        elif more is not None:
            yield warn(f"giestack's role {more}: it only needs to read", _GRANT)
        else:
            yield ok("giestack's role may read what it needs, and no more")

    def _file(self, stamps: bool) -> Iterator[Finding]:
        path = sqlite_path(self._deployment.settings.galaxy.database_connection or "")
        if stamps and path is not None and not os.access(path, os.W_OK):
            yield fail(
                "touch_last_action is on, and this user may not write to Galaxy's database",
                "let the service's user write to it, or set galaxy.touch_last_action: false",
            )
        else:
            yield ok("it is a SQLite file, which giestack opens for reading only")

    def clock(self) -> Iterator[Finding]:
        if self._tables.is_sqlite or not self._answers():
            return
        before = self._deployment.now()
        told = self._tables.ask(clock)
        after = self._deployment.now()
        apart = max(before - told, told - after, 0.0)
        if apart > CLOCKS:
            yield warn(
                f"the database's clock and this machine's differ by {apart:.0f} s",
                "have both set by NTP; session_duration is counted with them",
            )
        else:
            yield ok("the database's clock agrees with this machine's")

    def _answers(self) -> bool:
        """What does not answer is told once."""
        try:
            self._tables.reachable()
        except CannotTell:
            return False
        return True


class _Secret:
    """Whether ``id_secret`` is Galaxy's own."""

    def __init__(self, deployment: Deployment, map_keys: Callable[[], Iterable[str]]) -> None:
        self._deployment = deployment
        self._galaxy = deployment.settings.galaxy
        self._map_keys = map_keys

    def right(self) -> Iterator[Finding]:
        secret, cookie = self._galaxy.id_secret, self._deployment.cookie
        if secret is None:
            return
        try:
            codec = CookieCodec(secret)
        except BadSecret as error:
            yield fail(f"galaxy.id_secret: {error}", _SAME_SECRET)
            return
        if cookie is not None:
            # Every cookie that Galaxy sets begins with the same block of padding.
            if cookie[:16].lower() == codec.encode("0" * 32)[:16]:
                yield ok("the pasted cookie begins as this id_secret's cookies do")
            else:
                yield fail("the pasted cookie was not made with this id_secret", _SAME_SECRET)
            return
        yield self._by_maps(codec)

    def _by_maps(self, codec: CookieCodec) -> Finding:
        """A session map's keys are ids of Galaxy's, encoded with its id_secret."""
        keys = list(self._map_keys())
        right = sum(1 for key in keys if _is_id(codec, key))
        if right:
            return ok("the keys in the session map were made with this id_secret")
        if keys:
            return fail("no key in the session map was made with this id_secret", _SAME_SECRET)
        return warn("whether id_secret is Galaxy's can't be told without a cookie", _PASTE)

    def default(self) -> Iterator[Finding]:
        secret = self._galaxy.id_secret
        if secret is None:
            return
        if secret == GALAXYS_ID_SECRET:
            yield fail(
                "id_secret is Galaxy's default, which everybody knows: whoever likes can make a "
                "cookie for any session",
                "set id_secret in Galaxy's file to a random text of 32 characters, and restart "
                "both; everybody has to log in again",
            )
        else:
            yield ok("id_secret is not Galaxy's default")

    def session(self) -> Iterator[Finding]:
        cookie, explain = self._deployment.cookie, self._deployment.explain
        if cookie is None or explain is None:
            return
        verdict = explain(cookie)[-1].removeprefix("verdict: ")
        if verdict.startswith(("refused", "nobody")):
            yield warn(
                f"the pasted cookie's session: {verdict}",
                "giestack whoami - shows each check that it passed or failed",
            )
        else:
            yield ok(f"the pasted cookie's session: {verdict}")


def _is_id(codec: CookieCodec, key: str) -> bool:
    try:
        codec.entry_point_id(key)
    except MalformedId:
        return False
    return True


def _lacking(table: str, columns: frozenset[str]) -> str:
    return f"a table {table} without {', '.join(sorted(columns))}"
