"""Entry points as values."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.identity.entry_point import EntryPoint


class EntryPointTests(SynchronousTestCase):
    def test_the_token_is_not_shown(self):
        """It is the secret in the URL and must not reach a log."""
        point = EntryPoint(
            1, "Jupyter", "jupyter", "ca0068bfc0ac", True, "running", "", True, False, None, None
        )
        self.assertNotIn("ca0068bfc0ac", repr(point))
        self.assertIn("Jupyter", repr(point))
