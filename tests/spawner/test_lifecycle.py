"""The machine of a session's life: what happens in which order, and that it always ends."""

from collections.abc import Callable
from functools import partial
from operator import methodcaller

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address
from giestack.spawner.lifecycle import STATES, TRANSITIONS, Inputs, life
from giestack.spawner.view import State

HERE = Address(path="/run/socket")


class Recorded:
    """`Actions` that only take note."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def take(self) -> list[str]:
        done, self.done = self.done, []
        return done

    def show(self, state: State) -> None:
        self.done.append(state.upper())

    def enqueue(self) -> None:
        self.done.append("enqueue")

    def dequeue(self) -> None:
        self.done.append("dequeue")

    def launch(self) -> None:
        self.done.append("launch")

    def probe(self, address: Address) -> None:
        self.done.append("probe")

    def publish(self) -> None:
        self.done.append("publish")

    def withdraw(self) -> None:
        self.done.append("withdraw")

    def remove(self, reason: str) -> None:
        self.done.append(f"remove {reason}".rstrip())

    def collapse(self, reason: str) -> None:
        self.done.append(f"collapse {reason}")

    def forget(self) -> None:
        self.done.append("forget")


_ARGUMENTS: dict[str, tuple[object, ...]] = {
    "found": (HERE,),
    "launched": (HERE,),
    "failed": ("why",),
    "finished": ("why",),
    "culled": ("why",),
}
INPUTS: dict[str, Callable[[Inputs], None]] = {
    name: methodcaller(name, *_ARGUMENTS.get(name, ()))
    for name, member in vars(Inputs).items()
    if not name.startswith("_") and callable(member)
}


class LifeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.session = Recorded()
        self.machine = life(self.session)

    def happens(self, *names: str) -> list[str]:
        for name in names:
            INPUTS[name](self.machine)
        return self.session.take()

    def test_from_the_wish_to_the_notebook(self) -> None:
        self.assertEqual(self.happens("requested"), ["QUEUED", "enqueue"])
        self.assertEqual(self.happens("admitted"), ["CREATING", "launch"])
        self.assertEqual(
            self.happens("pull_began", "creation_began", "start_began"),
            ["PULLING", "CREATING", "STARTING"],
        )
        self.assertEqual(self.happens("launched"), ["STARTING", "probe"])
        self.assertEqual(self.happens("answered"), ["publish", "READY"])

    def ready(self) -> None:
        self.happens("requested", "admitted", "launched", "answered")

    def test_stopped_and_forgotten(self) -> None:
        self.ready()
        self.assertEqual(self.happens("dismissed"), ["withdraw", "STOPPING", "remove"])
        self.assertEqual(self.happens("removed"), ["forget"])

    def test_a_crash_is_shown_and_cleaned_up_once(self) -> None:
        self.ready()
        self.assertEqual(self.happens("failed", "failed"), ["withdraw", "collapse why"])
        self.assertEqual(self.happens("removed"), [])
        self.assertEqual(self.happens("restart_requested"), ["QUEUED", "enqueue"])

    def test_idle_ones_can_be_started_again(self) -> None:
        self.ready()
        self.assertEqual(self.happens("culled"), ["withdraw", "STOPPING", "remove why"])
        self.assertEqual(self.happens("removed"), ["STOPPED"])
        self.assertEqual(self.happens("requested"), ["QUEUED", "enqueue"])

    def test_shut_down_from_inside(self) -> None:
        self.ready()
        self.assertEqual(self.happens("finished"), ["withdraw", "STOPPING", "remove why"])

    def test_stopped_while_it_waits(self) -> None:
        self.happens("requested")
        self.assertEqual(self.happens("dismissed"), ["dequeue", "forget"])

    def test_what_it_waits_for_may_be_gone(self) -> None:
        self.happens("requested")
        self.assertEqual(self.happens("failed"), ["dequeue", "collapse why"])

    def test_stopped_while_it_starts(self) -> None:
        for step in ("pull_began", "creation_began", "start_began", "launched"):
            self.setUp()
            self.happens("requested", "admitted", step)
            self.assertEqual(self.happens("dismissed"), ["STOPPING", "remove"])
            # What comes too late changes nothing.
            self.assertEqual(self.happens("launched", "answered", "failed", "admitted"), [])

    def test_started_while_it_stops(self) -> None:
        for stop in ("dismissed", "culled", "failed"):
            self.setUp()
            self.ready()
            self.happens(stop)
            self.assertEqual(self.happens("restart_requested"), ["STOPPING"])
            self.assertEqual(self.happens("removed"), ["QUEUED", "enqueue"])

    def test_stopped_after_all_while_it_restarts(self) -> None:
        self.ready()
        self.happens("restart_requested")
        self.assertEqual(self.happens("dismissed", "removed"), ["STOPPING", "forget"])

    def test_found_running(self) -> None:
        self.assertEqual(self.happens("found"), ["STARTING", "probe"])
        self.assertEqual(self.happens("answered"), ["publish", "READY"])

    def test_found_dead(self) -> None:
        self.assertEqual(self.happens("failed"), ["collapse why"])

    @settings(max_examples=500)
    @given(st.lists(st.sampled_from(sorted(INPUTS)), max_size=40))
    def test_any_sequence_ends_with_nothing_left(self, names: list[str]) -> None:
        session = Recorded()
        machine = life(session)
        for name in [*names, "dismissed", "removed", *names]:
            INPUTS[name](machine)
        there = open_to_visitors = False
        for number, done in enumerate(session.done):
            if done in ("launch", "probe"):
                there = True
            elif done.startswith(("remove", "collapse")):
                self.assertFalse(open_to_visitors)
                there = False
            elif done == "enqueue":
                self.assertFalse(there, "it waits, and yet it is there")
            elif done in ("publish", "withdraw"):
                self.assertNotEqual(open_to_visitors, done == "publish")
                open_to_visitors = done == "publish"
            elif done == "forget":
                self.assertFalse(there or open_to_visitors)
                self.assertEqual(session.done[number + 1 :], [])
        self.assertEqual(session.done[-1], "forget")


class ArrowTests(SynchronousTestCase):
    def test_every_state_can_be_reached_and_left(self) -> None:
        names = {state.name for state in STATES}
        self.assertEqual({arrow.then for arrow in TRANSITIONS} | {"new"}, names)
        self.assertEqual({arrow.state for arrow in TRANSITIONS} | {"gone"}, names)

    def test_every_input_means_something_somewhere(self) -> None:
        self.assertEqual({arrow.happened for arrow in TRANSITIONS}, set(INPUTS))

    def test_dismissing_leads_to_the_end_from_anywhere(self) -> None:
        after = {arrow.state: arrow.then for arrow in TRANSITIONS if arrow.happened == "dismissed"}
        self.assertEqual(set(after.values()), {"deleting", "gone"})
        waiting = partial(filter, lambda state: state not in after)
        self.assertEqual(set(waiting([s.name for s in STATES])), {"deleting", "gone"})
