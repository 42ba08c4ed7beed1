"""Times as Docker writes them."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.docker.times import seconds_of


class TimeTests(SynchronousTestCase):
    def test_moments(self):
        for text, seconds in (
            ("2026-11-21T14:34:44.056965205Z", 1795271684.056965),
            ("2026-11-21T14:34:44Z", 1795271684.0),
            ("2026-11-21T16:34:44.5+02:00", 1795271684.5),
        ):
            self.assertAlmostEqual(seconds_of(text), seconds, 5)

    def test_none(self):
        for text in ("0001-01-01T00:00:00Z", "", "soon", None, 7):
            self.assertIsNone(seconds_of(text))
