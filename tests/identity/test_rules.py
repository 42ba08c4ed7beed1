"""Galaxy's rules about sessions, one by one."""

from dataclasses import replace
from datetime import datetime, timedelta

from twisted.trial.unittest import SynchronousTestCase

from giestack.identity.rules import (
    GalaxyPolicy,
    SessionRow,
    checks,
    refusal_of,
    session_checks,
    visitor_of,
)
from giestack.visitor import Anonymous, Identity, Refused

NOW = datetime(2026, 11, 21, 12)
MADE = NOW - timedelta(hours=1)
USED = NOW - timedelta(minutes=10)
KEY = "0123456789abcdef0123456789abcdef"
ROW = SessionRow(
    session_id=7,
    session_key=KEY,
    is_valid=True,
    user_id=42,
    create_time=MADE,
    last_action=USED,
    email="bob@example.org",
    username="bob",
)
ANONYMOUS = SessionRow(session_id=8, session_key=KEY, is_valid=True)
POLICY = GalaxyPolicy(admin_users=frozenset({"admin@example.org"}))
REMOTE = replace(POLICY, use_remote_user=True)
IMPERSONATED = replace(
    ROW,
    previous_create_time=MADE - timedelta(milliseconds=11),
    earlier_user_id=1,
    earlier_email="admin@example.org",
)


def visitor(row, policy=POLICY, remote_user=None):
    return visitor_of(row, policy, lambda number: f"<{number}>", NOW, remote_user)


class RefusalTestCase(SynchronousTestCase):
    def assert_refused(self, word, row, policy=POLICY, remote_user=None):
        """The visitor is refused, for a reason with this word, and by the checks too."""
        answer = visitor(row, policy, remote_user)
        self.assertIsInstance(answer, Refused)
        self.assertIn(word, answer.reason)
        failed = [check for check in checks(row, policy, NOW, remote_user) if not check.passed]
        self.assertEqual(failed[0].refusal, answer.reason)


class SessionTests(RefusalTestCase):
    def test_user(self):
        expected = Identity("galaxy", 42, "<42>", "bob", "bob@example.org", False, 7, KEY)
        self.assertEqual(visitor(ROW), expected)
        self.assertNotIn(KEY, repr(ROW) + repr(expected))

    def test_administrator(self):
        """The address must be the listed one, letter by letter."""
        self.assertTrue(visitor(replace(ROW, email="admin@example.org")).is_admin)
        self.assertFalse(visitor(replace(ROW, email="Admin@example.org")).is_admin)

    def test_anonymous(self):
        self.assertEqual(visitor(ANONYMOUS), Anonymous(session_id=8, session_key=KEY))

    def test_require_login(self):
        policy = replace(POLICY, require_login=True)
        self.assert_refused("require_login", ANONYMOUS, policy)
        self.assertIsInstance(visitor(ROW, policy), Identity)

    def test_refusals(self):
        self.assert_refused("no such session", None)
        self.assert_refused("ended", replace(ROW, is_valid=False))
        self.assert_refused("ended", replace(ANONYMOUS, is_valid=False))
        self.assert_refused("does not exist", replace(ROW, email=None))
        self.assert_refused("deleted", replace(ROW, deleted=True))
        self.assert_refused("purged", replace(ROW, purged=True))
        self.assert_refused("external", replace(ROW, external=True))

    def test_session_duration(self):
        policy = replace(POLICY, session_duration=10)
        self.assertIsInstance(visitor(ROW, policy), Identity)
        late = replace(ROW, last_action=USED - timedelta(microseconds=1))
        self.assert_refused("10 minutes", late, policy)
        self.assertIsInstance(visitor(late), Identity)
        self.assertIsInstance(visitor(replace(ROW, last_action=None), policy), Identity)
        self.assert_refused("10 minutes", replace(ROW, last_action=datetime.min), policy)
        idle = replace(ANONYMOUS, last_action=late.last_action)
        self.assert_refused("10 minutes", idle, policy)

    def test_every_check_is_told(self):
        """Also those that passed, in words."""
        row = replace(ROW, deleted=True, last_action=NOW)
        told = list(checks(row, replace(REMOTE, session_duration=5), NOW, "bob@example.org"))
        self.assertEqual(
            [(check.words, check.passed) for check in told],
            [
                ("Galaxy's database has the session", True),
                ("the session has not ended", True),
                ("the session's user exists", True),
                ("the user is not deleted", False),
                ("the user is not purged", True),
                ("the session was used within session_duration (5 minutes)", True),
                ("the remote user header is there", True),
                (
                    "the remote user is the session's user, or an administrator"
                    " who may impersonate",
                    True,
                ),
            ],
        )

    def test_the_session_by_itself(self):
        """A session is sound whoever the front server says is asking."""
        self.assertIsNone(refusal_of(session_checks(ROW, REMOTE, NOW)))
        self.assertIsNotNone(refusal_of(session_checks(ANONYMOUS, REMOTE, NOW)))


class RemoteUserTests(RefusalTestCase):
    """A front server names the user in a header."""

    def test_same_user(self):
        for header in ("bob@example.org", "BOB@Example.org"):
            answer = visitor(ROW, REMOTE, header)
            self.assertEqual(answer.user_id, 42)
            self.assertIsNone(answer.impersonated_by)
        self.assertIsInstance(
            visitor(replace(ROW, external=True), REMOTE, "bob@example.org"), Identity
        )

    def test_nobody(self):
        for header in (None, "", "(null)"):
            self.assert_refused("no remote user header", ROW, REMOTE, header)

    def test_somebody_else(self):
        self.assert_refused("not the session's user", ROW, REMOTE, "alice@example.org")
        self.assert_refused("not the session's user", ROW, REMOTE, "bob")

    def test_anonymous_session(self):
        """Galaxy would give it to the header's user first; until then it is nobody's."""
        self.assert_refused("no user yet", ANONYMOUS, REMOTE, "bob@example.org")

    def test_ended(self):
        ended = replace(ROW, is_valid=False)
        self.assert_refused("ended", ended, REMOTE, "bob@example.org")
        self.assert_refused("deleted", replace(ROW, deleted=True), REMOTE, "bob@example.org")
        self.assert_refused("no such session", None, REMOTE, "bob@example.org")
        self.assert_refused("does not exist", replace(ROW, email=None), REMOTE, "a@example.org")

    def test_administrator_impersonates(self):
        """Only where Galaxy lets administrators impersonate, and then surely marked."""
        self.assert_refused("not the session's user", ROW, REMOTE, "admin@example.org")
        policy = replace(REMOTE, allow_user_impersonation=True)
        self.assertEqual(
            visitor(ROW, policy, "admin@example.org").impersonated_by, "admin@example.org"
        )
        self.assert_refused("not the session's user", ROW, policy, "ADMIN@example.org")
        self.assert_refused("not the session's user", ROW, policy, "alice@example.org")

    def test_own_session_with_a_suspicious_past(self):
        """What the front server says is certain, the order of rows a guess."""
        self.assertIsNone(visitor(IMPERSONATED, REMOTE, "bob@example.org").impersonated_by)

    def test_mail_domain(self):
        policy = replace(REMOTE, remote_user_maildomain="example.org")
        self.assertEqual(visitor(ROW, policy, "bob").user_id, 42)
        self.assertEqual(visitor(ROW, policy, "bob@example.org").user_id, 42)
        self.assert_refused("not the session's user", ROW, policy, "alice")

    def test_single_user(self):
        """The configured address stands for everybody, whatever a header says."""
        policy = replace(POLICY, single_user="bob@example.org")
        for header in (None, "alice@example.org"):
            self.assertEqual(visitor(ROW, policy, header).user_id, 42)
        other = replace(policy, single_user="alice@example.org")
        self.assert_refused("not the session's user", ROW, other, "bob@example.org")

    def test_header_without_the_option(self):
        """It is nothing but a header then."""
        self.assertEqual(visitor(ROW, POLICY, "alice@example.org").user_id, 42)


class ImpersonationTests(SynchronousTestCase):
    """What Galaxy's rows tell: administrator, then nobody, then the user at once."""

    def assert_by(self, admin, **changes):
        self.assertEqual(visitor(replace(IMPERSONATED, **changes)).impersonated_by, admin)

    def test_impersonated(self):
        self.assert_by("admin@example.org")

    def test_how_fast(self):
        for seconds, admin in (
            (0, "admin@example.org"),
            (2, "admin@example.org"),
            (2.001, None),
            (-0.001, None),
        ):
            before = MADE - timedelta(seconds=seconds)
            self.assert_by(admin, previous_create_time=before, previous_history_id=5)

    def test_a_database_that_hangs(self):
        """The session between is then older, but nobody has seen a page with it."""
        for seconds, admin in ((2.001, "admin@example.org"), (60, "admin@example.org"), (61, None)):
            before = MADE - timedelta(seconds=seconds)
            self.assert_by(admin, previous_create_time=before)

    def test_not_impersonated(self):
        self.assert_by(None, previous_create_time=None)
        self.assert_by(None, create_time=None)
        self.assert_by(None, previous_user_id=3)
        self.assert_by(None, earlier_user_id=None, earlier_email=None)
        self.assert_by(None, earlier_email=None)
        self.assert_by(None, earlier_email="alice@example.org")
        self.assert_by(None, earlier_email="ADMIN@example.org")

    def test_the_same_person_again(self):
        self.assert_by(None, user_id=1, email="admin@example.org")
