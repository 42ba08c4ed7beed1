"""Who asks the API."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.site.asked import Asked
from giestack.site.askers import administrator_of, sees_addresses, session_of, user_of
from giestack.site.endpoint import RefusalError
from giestack.visitor import Anonymous, Identity, Operator
from tests.site.conversation import ADMIN, ALICE, GUEST, OPENBIS, seen_as
from tests.site.fake_spawning import BOB, FakeSpawning, session

OPERATOR = Operator()


def asked_by(who: Identity | Anonymous | Operator | None) -> Asked:
    if isinstance(who, Operator):
        return Asked(b"GET", b"/x", False, seen_as(), operator=who)
    return Asked(b"GET", b"/x", False, seen_as(), who)


class AskerTests(SynchronousTestCase):
    def refused(self, question, *arguments):
        refuse = self.assertRaises(RefusalError, question, *arguments).refuse
        return refuse.status, refuse.code

    def test_a_user(self) -> None:
        for who in (ALICE, ADMIN, OPENBIS):
            self.assertIs(user_of(asked_by(who)), who)
        for nobody in (None, GUEST):
            self.assertEqual(self.refused(user_of, asked_by(nobody)), (401, "not-logged-in"))
        self.assertEqual(self.refused(user_of, asked_by(OPERATOR)), (403, "needs-user"))

    def test_an_administrator(self) -> None:
        for who in (ADMIN, OPERATOR):
            self.assertEqual(administrator_of(asked_by(who)), who)
        for nobody in (None, GUEST):
            self.assertEqual(
                self.refused(administrator_of, asked_by(nobody)), (401, "not-logged-in")
            )
        self.assertEqual(self.refused(administrator_of, asked_by(ALICE)), (403, "not-admin"))

    def test_a_session(self) -> None:
        view = session()
        spawning = FakeSpawning(view)
        for who in (ALICE, ADMIN, OPERATOR):
            self.assertEqual(session_of(spawning, asked_by(who), "s1"), (who, view))
            self.assertEqual(
                self.refused(session_of, spawning, asked_by(who), "s2"), (404, "no-such-route")
            )
        for nobody in (None, GUEST):
            for id in ("s1", "s2"):
                self.assertEqual(
                    self.refused(session_of, spawning, asked_by(nobody), id), (401, "not-logged-in")
                )
        spawning.knows_all = False
        for who in (ALICE, OPERATOR):
            refused = self.refused(session_of, spawning, asked_by(who), "s2")
            self.assertEqual(refused, (503, "sessions-unavailable"))
        # The same number in another host is another user.
        for other in (BOB, OPENBIS, Identity("openbis", 12, "alice", "alice", "a@", False, 1, "k")):
            self.assertEqual(
                self.refused(session_of, spawning, asked_by(other), "s1"), (403, "not-owner")
            )

    def test_who_sees_addresses(self) -> None:
        self.assertTrue(all(sees_addresses(asked_by(who)) for who in (ADMIN, OPERATOR)))
        self.assertFalse(any(sees_addresses(asked_by(who)) for who in (ALICE, GUEST, None)))
