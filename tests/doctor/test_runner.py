"""Checks side by side, and those that hang or break."""

from collections.abc import Callable, Iterable
from threading import Barrier, Event

from twisted.trial.unittest import SynchronousTestCase

from giestack.doctor.check import CannotTell, Check, Finding, fail, ok
from giestack.doctor.runner import AT_ONCE, results


def check(id: str, look: Callable[[], Iterable[Finding]], seconds: float = 30.0) -> Check:
    return Check(id, "maps", f"words of {id}", look, seconds)


class RunnerTests(SynchronousTestCase):
    def test_in_the_order_of_the_checks_whoever_is_first(self) -> None:
        second = Event()

        def slow() -> Iterable[Finding]:
            second.wait(30)
            yield ok("slow")

        def quick() -> Iterable[Finding]:
            second.set()
            return [ok("quick"), fail("and", "more")]

        found = list(results([check("a", slow), check("b", quick)]))
        self.assertEqual([one.check.id for one in found], ["a", "b", "b"])
        self.assertEqual([one.finding.message for one in found], ["slow", "quick", "and"])
        self.assertTrue(all(one.seconds >= 0 for one in found))

    def test_so_many_at_once(self) -> None:
        together = Barrier(AT_ONCE)

        def meet() -> Iterable[Finding]:
            together.wait(30)
            return [ok("met")]

        found = list(results([check(str(number), meet) for number in range(AT_ONCE * 2)]))
        self.assertEqual(len(found), AT_ONCE * 2)

    def test_hanging_ones_hold_up_nobody(self) -> None:
        never = Event()
        self.addCleanup(never.set)

        def hang() -> Iterable[Finding]:
            never.wait(60)
            return [ok("late")]

        hanging = [check(f"h{number}", hang, 0.05) for number in range(AT_ONCE)]
        found = list(results([*hanging, check("last", lambda: [ok("fine")])]))
        self.assertEqual({one.finding.status for one in found[:-1]}, {"warn"})
        self.assertIn("gave no answer within 0.05 s", found[0].finding.message)
        self.assertEqual(found[-1].finding, ok("fine"))

    def test_what_does_not_apply_says_nothing(self) -> None:
        self.assertEqual(list(results([check("a", tuple)])), [])
        self.assertEqual(list(results([])), [])

    def test_who_can_not_tell_says_why(self) -> None:
        def cannot() -> Iterable[Finding]:
            raise CannotTell("no light", "switch it on")

        (found,) = results([check("a", cannot)])
        self.assertEqual(found.finding.status, "warn")
        self.assertEqual(found.finding.message, "words of a: no light")
        self.assertEqual(found.finding.remedy, "switch it on")

    def test_what_this_user_may_not_see(self) -> None:
        def hidden() -> Iterable[Finding]:
            raise PermissionError(13, "Permission denied", "/srv/hidden")

        (found,) = results([check("a", hidden)])
        self.assertEqual(found.finding.status, "warn")
        self.assertIn("/srv/hidden", found.finding.message)
        self.assertIn("sudo -u", found.finding.remedy)

    def test_a_broken_check_does_not_tell_what_it_held(self) -> None:
        def broken() -> Iterable[Finding]:
            raise ValueError("the secret is 1234")

        (found,) = results([check("a", broken)])
        self.assertEqual(found.finding.status, "warn")
        self.assertIn("ValueError", found.finding.message)
        self.assertNotIn("1234", str(found))

    def test_who_is_waited_for_is_told(self) -> None:
        told: list[str] = []
        list(results([check("a", lambda: [ok("x")])], lambda one: told.append(one.id)))
        self.assertIn("a", told)
