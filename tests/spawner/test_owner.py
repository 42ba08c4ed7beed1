"""Whose a session is."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.owner import Owner, owner_of
from giestack.visitor import Anonymous, Identity

ALICE = Identity("galaxy", 12, "f2db41e1fa331b3e", "alice", "alice@example.org", True, 3, "k" * 32)


class OwnerTests(SynchronousTestCase):
    def test_what_outlives_the_login(self) -> None:
        owner = owner_of(ALICE)
        self.assertEqual(
            owner, Owner("galaxy", 12, "f2db41e1fa331b3e", "alice", "alice@example.org")
        )
        self.assertNotIn(ALICE.session_key, repr(owner))
        self.assertEqual(owner, owner_of(replace(ALICE, session_id=4, session_key="l" * 32)))

    def test_key(self) -> None:
        self.assertEqual(owner_of(ALICE).key, "galaxy-12")
        self.assertEqual(owner_of(replace(ALICE, username="../root")).key, "galaxy-12")
        self.assertEqual(owner_of(replace(ALICE, host="openbis", user_id=3)).key, "openbis-3")

    def test_shown(self) -> None:
        self.assertEqual(owner_of(ALICE).shown, "alice")
        self.assertEqual(owner_of(replace(ALICE, username=None)).shown, "alice@example.org")
        self.assertEqual(owner_of(replace(ALICE, username="")).shown, "alice@example.org")

    def test_who_it_is(self) -> None:
        owner = owner_of(ALICE)
        # Another login, another name: the same user.
        again = replace(ALICE, session_id=9, username="alice2", email="a@example.org")
        self.assertTrue(owner.is_(again))
        self.assertTrue(owner.is_(replace(ALICE, is_admin=False, impersonated_by="admin@x")))
        # Names can change hands; two hosts can have one number.
        self.assertFalse(owner.is_(replace(ALICE, user_id=13)))
        self.assertFalse(owner.is_(replace(ALICE, host="openbis")))
        self.assertFalse(owner.is_(Anonymous(3, ALICE.session_key)))
        self.assertFalse(owner.is_(None))
