"""Galaxy as the host of giestack, on the fixture database."""

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from twisted.internet import reactor as global_reactor  # noqa: TID251 - a database in threads
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from giestack.galaxy import Galaxy, NoHost, galaxy_policy, unheld
from giestack.settings.schema import GalaxySettings
from giestack.visitor import Anonymous, Identity, Refused

reactor: Any = global_reactor
DATA = Path(__file__).parent / "data" / "galaxy"
FIXTURE = json.loads((DATA / "galaxy.sqlite.json").read_text())
NOW = datetime.fromisoformat(FIXTURE["meta"]["created_utc"]) + timedelta(minutes=1)


class GalaxyTests(TestCase):
    def setUp(self) -> None:
        self.settings = settings = GalaxySettings(
            id_secret=FIXTURE["meta"]["id_secret"],
            database_connection=f"sqlite:///{DATA / 'galaxy.sqlite'}",
            admin_users=tuple(FIXTURE["meta"]["admin_users"].split(",")),
        )
        self.galaxy = Galaxy(reactor, settings, 10.0, lambda: NOW)
        for part in self.galaxy.parts():
            part.startService()
            self.addCleanup(part.stopService)
        self.entry_points = {one["name"]: one for one in FIXTURE["entry_points"]}

    async def visitor(self, case: str) -> Any:
        cookie = next(one["cookie"] for one in FIXTURE["cases"] if one["case"] == case)
        answer: Any = self.galaxy.sessions.check((cookie.encode(),))
        return await answer if isinstance(answer, Deferred) else answer

    async def standing(self, case: str, entry_point: str) -> str:
        visitor = await self.visitor(case)
        answer: Any = self.galaxy.standing(self.entry_points[entry_point]["key"], visitor)
        found: str = answer if isinstance(answer, str) else await answer
        again: Any = self.galaxy.standing(self.entry_points[entry_point]["key"], visitor)
        self.assertEqual(again, found)
        return found

    async def test_who_asks(self) -> None:
        alice = await self.visitor("user valid")
        self.assertEqual((alice.username, alice.is_admin), ("alice", False))
        self.assertTrue((await self.visitor("admin valid")).is_admin)
        self.assertIsInstance(await self.visitor("user logged out"), Refused)

    async def test_how_visitors_stand_to_entry_points(self) -> None:
        for case, entry_point, standing in (
            ("user valid", "alice running", "owner"),
            ("user valid, second browser", "alice running", "owner"),
            ("ordinary login", "alice running", "other"),
            ("admin valid", "alice running", "other"),
            ("ordinary login", "bob running", "owner"),
            ("anonymous valid", "anonymous running", "owner"),
            ("anonymous valid", "alice running", "other"),
            ("user valid", "alice finished", "gone"),
        ):
            found = await self.standing(case, entry_point)
            self.assertEqual(found, standing, (case, entry_point))

    async def test_keys_that_galaxy_did_not_make(self) -> None:
        alice = await self.visitor("user valid")
        self.assertEqual(self.galaxy.standing("nonsense!", alice), "gone")

    def test_keys_are_spelt_in_two_ways(self) -> None:
        keys = self.galaxy.keys(7)
        self.assertEqual(self.galaxy.spellings(keys[0]), list(keys))
        self.assertEqual(self.galaxy.spellings(keys[1]), [keys[1], keys[0]])

    async def test_a_database_that_is_gone(self) -> None:
        alice = await self.visitor("user valid")
        await self.galaxy.database.stop()
        answer: Any = self.galaxy.standing(self.entry_points["alice running"]["key"], alice)
        self.assertEqual(await answer, "unavailable")
        await self.assertFailure(self.galaxy.ask(), Exception)

    async def test_the_database_answers(self) -> None:
        await self.galaxy.ask()

    async def test_keys_of_both_kinds(self) -> None:
        one = self.entry_points["alice running"]
        self.assertEqual(tuple(self.galaxy.keys(one["id"])), (one["key"], one["encoded_id"]))

    async def test_connections_are_held_under_their_session(self) -> None:
        alice = await self.visitor("user valid")
        release = self.galaxy.hold(alice, self.fail)
        release()
        self.galaxy.hold(None, self.fail)()
        unheld(alice, self.fail)()

    async def test_other_options_judge_at_once(self) -> None:
        alice = await self.visitor("user valid")
        self.assertIsInstance(alice, Identity)
        self.assertFalse(alice.is_admin)
        self.galaxy.configure(self.settings)
        # Nothing is different: what is known still counts.
        self.assertIs(await self.visitor("user valid"), alice)
        self.galaxy.configure(replace(self.settings, admin_users=(alice.email,)))
        self.assertTrue((await self.visitor("user valid")).is_admin)

    async def test_use_is_written_where_that_is_wanted(self) -> None:
        self.assertIsNone(self.galaxy.use_of(self.settings))
        path = Path(self.mktemp()).absolute()
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(DATA / "galaxy.sqlite", path)
        settings = replace(
            self.settings, database_connection=f"sqlite:///{path}", touch_last_action=True
        )
        galaxy = Galaxy(reactor, settings, 10.0, lambda: NOW)
        parts = galaxy.parts()
        for part in parts:
            part.startService()
        alice = await self.visitor("user valid")
        use_of = galaxy.use_of(settings)
        assert use_of is not None
        use = use_of(alice, None)
        assert use is not None
        touch = use(b"GET", b"/")
        assert touch is not None
        touch()
        for part in reversed(parts):
            await maybeDeferred(part.stopService)
        with closing(sqlite3.connect(path)) as connection:
            found = connection.execute(
                "SELECT last_action FROM galaxy_session WHERE id = ?", (alice.session_id,)
            )
            self.assertEqual(datetime.fromisoformat(found.fetchone()[0]), NOW)

    def test_the_policy_is_what_the_settings_say(self) -> None:
        policy = galaxy_policy(
            GalaxySettings(admin_users=("a@x.org",), session_duration=30, require_login=True)
        )
        self.assertEqual(policy.admin_users, frozenset(("a@x.org",)))
        self.assertEqual((policy.session_duration, policy.require_login), (30, True))
        self.assertFalse(policy.trusts_remote_user)


class NoHostTests(SynchronousTestCase):
    """Where there is no host database."""

    def test_nobody_is_known_and_nothing_is_anybodys(self) -> None:
        host = NoHost()
        visitor = Anonymous(1, "key")
        self.assertIsInstance(host.check((b"cookie",)), Refused)
        self.assertEqual(self.successResultOf(host.entry_points(visitor)), ())
        self.assertEqual((host.keys(1), host.standing("key", visitor)), ((), "other"))
        host.hold(visitor, self.fail)()
        self.assertIsNone(host.use_of(GalaxySettings(touch_last_action=True)))
