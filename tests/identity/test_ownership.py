"""Whose interactive tool it is, and who may enter."""

from dataclasses import replace

from twisted.internet.defer import fail, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.database import DatabaseUnavailable
from giestack.identity.cookie import CookieCodec
from giestack.identity.entry_point import EntryPointOwner
from giestack.identity.ownership import Ownership, may_enter
from giestack.visitor import Anonymous, Identity, Refused, Unavailable

CODEC = CookieCodec("giestack-test-secret-0123456789")
OWNER = EntryPointOwner(id=1, user_id=42, session_id=7, active=True)
KEY = CODEC.entry_point_key(1)
BOB = Identity("galaxy", 42, "", "bob", "bob@example.org", False, 9, "")


class MayEnterTests(SynchronousTestCase):
    """Galaxy's own rule."""

    def test_user(self):
        self.assertTrue(may_enter(OWNER, BOB))
        self.assertFalse(may_enter(OWNER, replace(BOB, user_id=43)))
        self.assertFalse(may_enter(OWNER, replace(BOB, user_id=43, is_admin=True)))
        self.assertFalse(may_enter(OWNER, replace(BOB, host="openbis")))

    def test_user_and_a_tool_of_the_session(self):
        """Who logs in leaves behind the tools of the anonymous session, as in Galaxy."""
        self.assertFalse(may_enter(replace(OWNER, user_id=None), replace(BOB, session_id=7)))

    def test_anonymous(self):
        tool = replace(OWNER, user_id=None)
        self.assertTrue(may_enter(tool, Anonymous(7, "")))
        self.assertFalse(may_enter(tool, Anonymous(8, "")))
        self.assertFalse(may_enter(replace(tool, session_id=None), Anonymous(8, "")))

    def test_nobody(self):
        ownerless = EntryPointOwner(1, None, None, True)
        for visitor in (Refused("no"), Unavailable("down"), BOB, Anonymous(7, "")):
            self.assertFalse(may_enter(ownerless, visitor))
        self.assertFalse(may_enter(OWNER, Refused("no")))
        self.assertFalse(may_enter(OWNER, Unavailable("down")))


class Lookup:
    def __init__(self):
        self.known = {1: OWNER}
        self.asked = []
        self.down = False

    def owners(self, ids):
        self.asked.append(sorted(ids))
        if self.down:
            return fail(DatabaseUnavailable("down"))
        return succeed({number: self.known[number] for number in ids if number in self.known})


class OwnershipTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.lookup = Lookup()
        self.ownership = Ownership(self.lookup, CODEC, self.clock, 10, size=2)

    def owner(self, key):
        """Ask, and let the lookup happen."""
        deferred = maybeDeferred(self.ownership.owner, key)
        self.clock.advance(0)
        return self.successResultOf(deferred)

    def test_both_forms_of_a_key(self):
        """The key of Galaxy 23.2 and that of earlier releases name one entry point."""
        self.assertEqual(self.owner(KEY), OWNER)
        self.assertEqual(self.ownership.owner(CODEC.encode_id(1)), OWNER)
        self.assertEqual(self.lookup.asked, [[1]])
        self.assertEqual((self.ownership.queries, self.ownership.cached), (1, 1))

    def test_believed_for_a_while(self):
        self.owner(KEY)
        self.lookup.known.clear()
        self.clock.advance(9.9)
        self.assertEqual(self.ownership.owner(KEY), OWNER)
        self.clock.advance(0.1)
        self.assertIsNone(self.owner(KEY))

    def test_unknown_and_ended(self):
        """These are asked for again sooner."""
        ended = replace(OWNER, id=2, active=False)
        self.lookup.known[2] = ended
        key = CODEC.entry_point_key(2)
        self.assertEqual(self.owner(key), ended)
        self.assertIsNone(self.owner(CODEC.entry_point_key(3)))
        self.assertIsNone(self.ownership.owner(CODEC.entry_point_key(3)))
        self.lookup.known[2] = OWNER
        self.clock.advance(2)
        self.assertEqual(self.owner(key), OWNER)

    def test_impossible_key(self):
        for key in ("", "nonsense", "ä", "../../etc", KEY.upper()):
            self.assertIsNone(self.ownership.owner(key))
        self.assertEqual(self.lookup.asked, [])

    def test_down(self):
        self.lookup.down = True
        self.assertEqual(self.owner(KEY), Unavailable("down"))
        self.assertEqual(self.ownership.errors, 1)
        self.lookup.down = False
        self.assertEqual(self.owner(KEY), OWNER)

    def test_together(self):
        """Several tools at once are one question."""
        keys = [CODEC.entry_point_key(number) for number in (1, 2, 1)]
        answers = [maybeDeferred(self.ownership.owner, key) for key in keys]
        self.clock.advance(0)
        self.assertEqual([self.successResultOf(answer) for answer in answers], [OWNER, None, OWNER])
        self.assertEqual(self.lookup.asked, [[1, 2]])

    def test_bounded(self):
        for number in (1, 2, 3):
            self.owner(CODEC.entry_point_key(number))
        self.assertEqual(self.ownership.cached, 2)
        self.assertEqual(self.owner(KEY), OWNER)

    def test_another_secret(self):
        """Keys are read by the new one, and nothing remembered counts."""
        self.owner(KEY)
        other = CookieCodec("some other secret")
        self.ownership.reload(other)
        self.assertIsNone(self.ownership.owner(KEY))
        self.assertEqual(self.owner(other.entry_point_key(1)), OWNER)
        self.assertEqual(self.lookup.asked, [[1], [1]])
