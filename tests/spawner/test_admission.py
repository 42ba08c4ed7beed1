"""Who may start now and where, and who waits."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.admission import Limits, Need, Waiting, admitted, places, too_large
from giestack.spawner.engine import Room

GB = 1024**3
ANYWHERE = {"one": Room()}
FREE = Limits(0, 0)
USERS = st.sampled_from(["alice", "bob", "carol"])
NEEDS = st.builds(
    Need,
    owner=USERS,
    memory=st.integers(0, 5),
    gpus=st.integers(0, 2),
    engine=st.sampled_from(["", "one", "two", "gone"]),
)
ROOMS = st.dictionaries(
    st.sampled_from(["one", "two", "three"]),
    st.builds(Room, st.one_of(st.none(), st.integers(0, 12)), st.integers(0, 3)),
    max_size=3,
)


def of(*owners: str) -> list[Need]:
    return [Need(owner=owner) for owner in owners]


def queue_of(*owners: str) -> dict[str, Need]:
    return {str(number): need for number, need in enumerate(of(*owners), 1)}


class LimitTests(SynchronousTestCase):
    def test_in_the_order_of_asking(self) -> None:
        queue = queue_of("alice", "bob", "carol")
        found = admitted(Limits(3, 3), of("dave"), queue, ANYWHERE)
        self.assertEqual(found, {"1": "one", "2": "one"})
        self.assertEqual(
            places(Limits(3, 3), of("dave", "erin", "frank"), queue, ANYWHERE)["2"],
            Waiting(2, "total"),
        )

    def test_who_has_enough_holds_up_nobody(self) -> None:
        queue = queue_of("alice", "alice", "bob")
        self.assertEqual(list(admitted(Limits(2, 10), of("alice"), queue, ANYWHERE)), ["1", "3"])
        self.assertEqual(
            places(Limits(2, 10), of("alice"), queue, ANYWHERE),
            {"1": Waiting(1), "3": Waiting(2), "2": Waiting(3, "own")},
        )

    def test_no_limits(self) -> None:
        queue = queue_of(*["alice"] * 99)
        self.assertEqual(len(admitted(FREE, of(*["alice"] * 99), queue, ANYWHERE)), 99)
        self.assertFalse(any(w.own_limit for w in places(FREE, (), queue, ANYWHERE).values()))


class RoomTests(SynchronousTestCase):
    def test_no_engine_is_overcommitted(self) -> None:
        queue = {str(n): Need(owner="alice", memory=2 * GB) for n in range(5)}
        there = [Need(owner="bob", memory=3 * GB, engine="one")]
        rooms = {"one": Room(6 * GB), "two": Room(4 * GB)}
        self.assertEqual(admitted(FREE, there, queue, rooms), {"0": "two", "1": "one", "2": "two"})
        self.assertEqual(places(FREE, there, queue, rooms)["3"], Waiting(4, "memory"))

    def test_small_ones_do_not_starve_a_large_one(self) -> None:
        queue = {
            "large": Need(owner="alice", memory=6 * GB),
            "small": Need(owner="bob", memory=1 * GB),
            "unlimited": Need(owner="carol"),
        }
        there = [Need(owner="bob", memory=4 * GB, engine="one")]
        self.assertEqual(admitted(FREE, there, queue, {"one": Room(8 * GB)}), {"unlimited": "one"})
        self.assertEqual(list(admitted(FREE, (), queue, {"one": Room(8 * GB)})), list(queue))

    def test_a_small_one_starts_before_a_large_one_of_the_same_owner(self) -> None:
        queue = {"large": Need(owner="alice", memory=6 * GB), "small": Need(owner="alice")}
        rooms = {"one": Room(4 * GB)}
        self.assertEqual(admitted(Limits(1, 0), (), queue, rooms), {"small": "one"})
        self.assertEqual(
            places(Limits(1, 0), (), queue, rooms),
            {"large": Waiting(1, "memory"), "small": Waiting(2)},
        )

    def test_gpus_are_one_by_one(self) -> None:
        queue = {
            "two": Need(owner="alice", gpus=2),
            "one": Need(owner="bob", gpus=1),
            "none": Need(owner="carol"),
        }
        there = [Need(owner="dave", gpus=1, engine="one")]
        rooms = {"one": Room(None, 2)}
        self.assertEqual(admitted(FREE, there, queue, rooms), {"none": "one"})
        self.assertEqual(places(FREE, there, queue, rooms)["one"], Waiting(2, "gpus"))
        self.assertEqual(admitted(FREE, (), queue, rooms), {"two": "one", "none": "one"})

    def test_the_least_loaded_engine_but_for_who_is_expected(self) -> None:
        rooms = {"one": Room(), "two": Room()}
        there = [Need(owner="bob", engine="one")]
        self.assertEqual(admitted(FREE, there, queue_of("alice"), rooms), {"1": "two"})
        wanted = {"1": Need(owner="alice", engine="one")}
        self.assertEqual(admitted(FREE, there, wanted, rooms), {"1": "one"})

    def test_no_engine(self) -> None:
        self.assertEqual(admitted(FREE, (), queue_of("alice"), {}), {})
        self.assertEqual(places(FREE, (), queue_of("alice"), {}), {"1": Waiting(1, "engine")})
        self.assertEqual(too_large(Need(owner="alice", memory=1), {}), "")

    def test_too_large_for_ever(self) -> None:
        rooms = {"one": Room(4 * GB, 0), "two": Room(1 * GB, 2)}
        for need, lack in (
            (Need(owner="alice", memory=4 * GB), ""),
            (Need(owner="alice", memory=5 * GB), "memory"),
            (Need(owner="alice", memory=2 * GB, gpus=1), "memory"),
            (Need(owner="alice", gpus=3), "gpus"),
        ):
            self.assertEqual(too_large(need, rooms), lack)


class AlwaysTests(SynchronousTestCase):
    @given(
        st.integers(0, 3),
        st.integers(0, 6),
        st.lists(NEEDS, max_size=6),
        st.lists(NEEDS, max_size=8),
        ROOMS,
    )
    def test_limits_hold_and_nobody_is_forgotten(
        self,
        per_user: int,
        total: int,
        there: list[Need],
        asking: list[Need],
        rooms: dict[str, Room],
    ) -> None:
        limits = Limits(per_user, total)
        queue = {str(number): need for number, need in enumerate(asking)}
        found = admitted(limits, iter(there), queue, rooms)
        owners = [need.owner for need in there] + [queue[one].owner for one in found]
        if found and total:
            self.assertLessEqual(len(owners), total)
        for user in {queue[one].owner for one in found}:
            if per_user:
                self.assertLessEqual(owners.count(user), per_user)
        for engine in set(found.values()):
            on_it = [need for need in there if need.engine == engine]
            on_it += [queue[one] for one, place in found.items() if place == engine]
            memory = rooms[engine].memory
            if memory is not None and any(queue[one].memory for one in found):
                new = [queue[one] for one, place in found.items() if place == engine]
                if any(need.memory for need in new):
                    self.assertLessEqual(sum(need.memory for need in on_it), memory)
        stands = places(limits, there, queue, rooms)
        self.assertEqual(sorted(w.place for w in stands.values()), list(range(1, len(queue) + 1)))
        self.assertEqual({one for one, w in stands.items() if not w.lack}, set(found))
