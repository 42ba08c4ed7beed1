"""Who may start now, and who waits."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.admission import Limits, Waiting, admitted, places

USERS = st.sampled_from(["alice", "bob", "carol"])


class AdmissionTests(SynchronousTestCase):
    def test_in_the_order_of_asking(self) -> None:
        queue = {"1": "alice", "2": "bob", "3": "carol"}
        self.assertEqual(admitted(Limits(3, 3), ["dave"], queue), ["1", "2"])

    def test_who_has_enough_holds_up_nobody(self) -> None:
        queue = {"1": "alice", "2": "alice", "3": "bob"}
        self.assertEqual(admitted(Limits(2, 10), ["alice"], queue), ["1", "3"])
        self.assertEqual(
            places(Limits(2, 10), ["alice"], queue),
            {"1": Waiting(1, False), "3": Waiting(2, False), "2": Waiting(3, True)},
        )

    def test_no_limits(self) -> None:
        queue = {str(number): "alice" for number in range(99)}
        self.assertEqual(len(admitted(Limits(0, 0), ["alice"] * 99, queue)), 99)
        self.assertFalse(any(w.own_limit for w in places(Limits(0, 0), (), queue).values()))

    @given(
        st.integers(0, 3),
        st.integers(0, 6),
        st.lists(USERS, max_size=6),
        st.lists(USERS, max_size=8),
    )
    def test_limits_hold_and_nobody_is_forgotten(
        self, per_user: int, total: int, there: list[str], asking: list[str]
    ) -> None:
        limits = Limits(per_user, total)
        queue = {str(number): user for number, user in enumerate(asking)}
        found = admitted(limits, iter(there), queue)
        after = there + [queue[one] for one in found]
        if found and total:
            self.assertLessEqual(len(after), total)
        for user in {queue[one] for one in found}:
            if per_user:
                self.assertLessEqual(after.count(user), per_user)
        stands = places(limits, there, queue)
        self.assertEqual(sorted(w.place for w in stands.values()), list(range(1, len(queue) + 1)))
        # Those who may start now are the first in the queue.
        self.assertEqual({stands[one].place for one in found}, set(range(1, len(found) + 1)))
