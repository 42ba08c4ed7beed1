"""Who may ask for what about spawned sessions."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from giestack.site.endpoint import RefusalError
from giestack.site.entitled import administrator, refusal_of, session_of, user
from giestack.spawner.view import SpawnRefused
from tests.site.conversation import ADMIN, ALICE, GUEST, OPENBIS
from tests.site.fake_spawning import BOB, FakeSpawning, session


class EntitledTests(SynchronousTestCase):
    def refused(self, question: Any, *arguments: object) -> tuple[int, str]:
        refuse = self.assertRaises(RefusalError, question, *arguments).refuse
        return refuse.status, refuse.code

    def test_users(self) -> None:
        self.assertIs(user(ALICE), ALICE)
        self.assertIs(user(OPENBIS), OPENBIS)
        for nobody in (None, GUEST):
            self.assertEqual(self.refused(user, nobody), (401, "not-logged-in"))

    def test_administrators(self) -> None:
        self.assertIs(administrator(ADMIN), ADMIN)
        self.assertEqual(self.refused(administrator, ALICE), (403, "not-admin"))
        for nobody in (None, GUEST):
            self.assertEqual(self.refused(administrator, nobody), (401, "not-logged-in"))

    def test_ones_own_session_and_any_for_administrators(self) -> None:
        view = session()
        spawning = FakeSpawning(view)
        for who in (ALICE, ADMIN):
            self.assertEqual(session_of(spawning, who, "s1"), (who, view))

    def test_all_other_sessions(self) -> None:
        spawning = FakeSpawning(session())
        self.assertEqual(self.refused(session_of, spawning, BOB, "s1"), (403, "not-owner"))
        for who in (ALICE, ADMIN, BOB):
            self.assertEqual(self.refused(session_of, spawning, who, "s2"), (404, "no-such-route"))
        for nobody in (None, GUEST):
            for id in ("s1", "s2"):
                self.assertEqual(
                    self.refused(session_of, spawning, nobody, id), (401, "not-logged-in")
                )

    def test_a_session_that_may_be_found_yet(self) -> None:
        spawning = FakeSpawning(session())
        spawning.knows_all = False
        self.assertEqual(self.refused(session_of, spawning, ALICE, "s2")[0], 503)
        self.assertEqual(self.refused(session_of, spawning, BOB, "s1")[0], 403)

    def test_what_the_spawner_refuses(self) -> None:
        refuse = refusal_of(SpawnRefused(409, "busy", "Not now."))
        self.assertEqual((refuse.status, refuse.code, refuse.message), (409, "busy", "Not now."))
