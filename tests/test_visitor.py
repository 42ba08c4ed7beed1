"""Who is asking, as values."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.visitor import Anonymous, Identity


class SecretTests(SynchronousTestCase):
    def test_a_session_key_is_never_shown(self) -> None:
        key = "b0fb8f1fab4de0ab9a8b49ed6cd5a3a5"
        for visitor in (
            Identity("galaxy", 1, "e1", None, "alice@example.org", False, 11, key),
            Anonymous(12, key),
        ):
            self.assertEqual(visitor.session_key, key)
            self.assertNotIn(key, f"{visitor} {visitor!r}")
