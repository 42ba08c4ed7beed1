"""What passes between session maps and the route table."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.routing.source import MapTrouble, SourceRoutes


class ValueTests(SynchronousTestCase):
    def test_trouble_says_its_text(self):
        trouble = MapTrouble("locked", "is locked")
        self.assertEqual(
            (str(trouble), trouble.kind, trouble.missing), ("is locked", "locked", False)
        )

    def test_routes_are_values(self):
        self.assertEqual(SourceRoutes({}), SourceRoutes({}))
