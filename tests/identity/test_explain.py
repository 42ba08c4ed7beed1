"""What whoami says about a cookie."""

from datetime import timedelta

from twisted.trial.unittest import SynchronousTestCase

from giestack.identity.explain import explain
from giestack.identity.rules import GalaxyPolicy
from tests.identity.galaxy_fixture import BY_NAME, DATA, NOW, POLICY, SECRET, key_of

URL = f"sqlite:///{DATA / 'galaxy.sqlite'}"


class ExplainTests(SynchronousTestCase):
    def explain(self, name, policy=POLICY, secret=SECRET, url=URL, now=NOW):
        cookie = BY_NAME[name]["cookie"]
        lines = explain(cookie, policy, secret, url, now)
        text = "\n".join(lines)
        for hidden in (secret, key_of(name), cookie, "geheim"):
            if hidden:
                self.assertNotIn(hidden, text)
        return lines

    def test_every_case(self):
        """The verdict is the last line, and a refusal has a failed check."""
        words = {"user": "user ", "anonymous": "anonymous: ", "reject": "refused: "}
        for name, case in BY_NAME.items():
            lines = self.explain(name)
            self.assertIn(words[case["expected"]], lines[-1], name)
            failed = [line for line in lines if line.startswith("failed: ")]
            self.assertEqual(bool(failed), case["expected"] == "reject", name)
            self.assertEqual([line for line in lines if line.startswith("verdict: ")], lines[-1:])

    def test_user(self):
        self.assertEqual(
            self.explain("user valid"),
            [
                "passed: the cookie decodes with Galaxy's id_secret",
                "passed: Galaxy's database answers",
                "passed: Galaxy's database has the session",
                "passed: the session has not ended",
                "passed: the session's user exists",
                "passed: the user is not deleted",
                "passed: the user is not purged",
                "passed: the user is not external",
                "verdict: alice@example.org (public name alice);"
                " user 1, in Galaxy's API f6c98f95c62e6f82; not an administrator",
            ],
        )

    def test_other_users(self):
        self.assertIn("; an administrator", self.explain("admin valid")[-1])
        self.assertIn("(no public name)", self.explain("username NULL")[-1])
        self.assertIn(
            "impersonated by admin@example.org", self.explain("admin impersonating bob")[-1]
        )

    def test_anonymous(self):
        lines = self.explain("anonymous valid")
        self.assertEqual(lines[-1], "verdict: anonymous: session 16 is valid and has no user")

    def test_refused(self):
        lines = self.explain("deleted user")
        self.assertIn("failed: the user is not deleted", lines)
        self.assertEqual(lines[-1], "verdict: refused: the user is deleted")

    def test_cookie_of_another_galaxy(self):
        """A wrong id_secret is the commonest mistake: it is said."""
        lines = self.explain("made with another id_secret")
        self.assertEqual(lines[0], "failed: the cookie decodes with Galaxy's id_secret")
        self.assertIn("another Galaxy's, or the id_secret another one?", lines[1])
        lines = self.explain("truncated by one block")
        self.assertEqual(len(lines), 2)

    def test_bad_text(self):
        lines = explain("ä\ud800 \x1b[2J", POLICY, SECRET, URL)
        self.assertIn("verdict: refused", lines[-1])
        self.assertNotIn("\x1b", "".join(lines))

    def test_present(self):
        """Without a time it is now, long after the fixture's sessions were used."""
        policy = GalaxyPolicy(session_duration=1)
        lines = explain(BY_NAME["400 days old"]["cookie"], policy, SECRET, URL)
        self.assertIn("verdict: refused: the session was idle", lines[-1])

    def test_session_duration(self):
        policy = GalaxyPolicy(session_duration=60)
        self.assertIn("user 1", self.explain("user valid", policy)[-1])
        later = NOW + timedelta(hours=2)
        self.assertIn("idle", self.explain("user valid", policy, now=later)[-1])

    def test_remote_user(self):
        """There is no header on a command line: it is taken to be right."""
        lines = self.explain(
            "external user, use_remote_user off", GalaxyPolicy(use_remote_user=True)
        )
        self.assertIn("note: the remote user header is taken to name the session's user", lines)
        self.assertIn("user 10", lines[-1])
        lines = self.explain("unknown session_key", GalaxyPolicy(use_remote_user=True))
        self.assertIn("verdict: refused", lines[-1])
        lines = self.explain("user valid", GalaxyPolicy(single_user="bob@example.org"))
        self.assertNotIn("note", "".join(lines))
        self.assertIn("verdict: refused", lines[-1])

    def test_nobody_can_tell(self):
        """An outage is not the visitor's fault."""
        for url, word in (
            ("sqlite:////no/such/file", "unable to open"),
            ("postgresql://u:geheim@/x?host=/no/such/folder", "No such file"),
        ):
            lines = self.explain("user valid", url=url)
            self.assertEqual(lines[1], "failed: Galaxy's database answers")
            self.assertIn("verdict: nobody can tell: ", lines[-1])
            self.assertIn(word, lines[-1])

    def test_unusable_configuration(self):
        lines = self.explain("user valid", secret="abc")
        self.assertEqual(len(lines), 1)
        self.assertIn("4 to 56 bytes", lines[0])
        lines = self.explain("user valid", url="mysql://u:geheim@h/x")
        self.assertIn("mysql databases are not supported", lines[0])
