"""What checks are made of."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.doctor.check import CannotTell, fail, ok, warn


class FindingTests(SynchronousTestCase):
    def test_what_is_well_needs_no_remedy(self) -> None:
        self.assertEqual((ok("a").status, ok("a").remedy), ("ok", ""))

    def test_all_else_has_one(self) -> None:
        self.assertEqual((warn("a", "b").status, warn("a", "b").remedy), ("warn", "b"))
        self.assertEqual((fail("a", "b").status, fail("a", "b").remedy), ("fail", "b"))

    def test_why_nobody_can_tell(self) -> None:
        self.assertEqual(str(CannotTell("why", "so")), "why")
        self.assertEqual(CannotTell("why", "so").remedy, "so")
