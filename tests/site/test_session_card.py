"""A session in the words of the pages."""

from dataclasses import replace
from datetime import timedelta

from twisted.trial.unittest import SynchronousTestCase

from giestack.site.session_card import card, chosen_words, elapsed, printable, steps
from giestack.spawner.engine import Stats
from giestack.spawner.view import Moment
from tests.site.conversation import NOW
from tests.site.fake_spawning import JUPYTER, MOMENTS, PLAIN, session

GIB = 1024**3


def shown(view, stats=None):
    return card(view, "/giestack", NOW, mine=True, stats=stats)


class CardTests(SynchronousTestCase):
    def test_each_state_has_a_word(self) -> None:
        found = {state: shown(session(state)) for state in MOMENTS}
        self.assertEqual(
            {state: one.word for state, one in found.items()},
            {
                "queued": "Waiting",
                "pulling": "Starting",
                "creating": "Starting",
                "starting": "Starting",
                "ready": "Running",
                "stopping": "Stopping",
                "stopped": "Stopped",
                "failed": "Failed",
            },
        )
        self.assertEqual([s for s, one in found.items() if one.running], ["ready"])
        self.assertEqual([s for s, one in found.items() if one.leaving], ["stopping"])
        self.assertEqual([s for s, one in found.items() if one.ended], ["stopped", "failed"])

    def test_what_it_is_called(self) -> None:
        plain = shown(session(profile=PLAIN))
        self.assertEqual((plain.title, plain.name, plain.called), ("rstudio", "", "rstudio"))
        named = shown(session(name="mice"))
        self.assertEqual((named.title, named.name), ("JupyterLab", "mice"))
        self.assertEqual(named.called, "JupyterLab – mice")
        self.assertEqual(shown(session(name="JupyterLab")).name, "")

    def test_where_it_is(self) -> None:
        one = shown(session())
        self.assertEqual(one.page, "/giestack/sessions/s1")
        self.assertEqual(one.logs, "/giestack/sessions/s1/logs")
        self.assertEqual(one.events, "/giestack/api/v1/sessions/s1/events")

    def test_its_place_in_the_queue(self) -> None:
        self.assertEqual(shown(session("queued")).place, "2nd in the queue")
        self.assertEqual(shown(session()).place, "")

    def test_what_will_end_it(self) -> None:
        def left(**given):
            return shown(session(**given)).left

        hour = NOW + timedelta(hours=1)
        soon = NOW + timedelta(minutes=5)
        self.assertEqual(left(), "Stops in 55 min unless it is used")
        self.assertEqual(left(end=soon, ending=True), "Ends in 5 min")
        self.assertEqual(left(end=soon), "Ends in 5 min")
        self.assertEqual(left(idle_end=None, end=hour), "Ends in 1 h")
        self.assertEqual(left(end=None), "Stops in 55 min unless it is used")
        self.assertEqual(left(end=None, idle_end=None), "")
        self.assertEqual(left(state="stopping", end=soon), "")

    def test_how_long_it_has_not_been_used(self) -> None:
        self.assertEqual(shown(session()).idle, "5 min")
        self.assertEqual(shown(session("starting")).idle, "")
        self.assertEqual(shown(session(last_used=None)).idle, "")

    def test_what_it_uses(self) -> None:
        one = shown(session(), Stats(GIB // 2, 0.25))
        assert one.memory is not None and one.cpu is not None
        self.assertEqual((one.memory.text, one.memory.part), ("512 MB of 2.0 GB", 0.25))
        self.assertEqual((one.cpu.text, one.cpu.part), ("25%", 0.25))

    def test_more_than_it_may(self) -> None:
        one = shown(session(), Stats(3 * GIB, 1.5))
        assert one.memory is not None and one.cpu is not None
        self.assertEqual((one.memory.part, one.cpu.part), (1.0, 1.0))

    def test_without_limits(self) -> None:
        free = session(profile=replace(JUPYTER, memory=0, cpus=0))
        one = shown(free, Stats(GIB, 1.5))
        assert one.memory is not None and one.cpu is not None
        self.assertEqual((one.memory.text, one.memory.part), ("1.0 GB", None))
        self.assertEqual((one.cpu.text, one.cpu.part), ("150%", None))

    def test_several_cores(self) -> None:
        many = session(profile=replace(JUPYTER, cpus=4))
        one = shown(many, Stats(GIB, 1.0))
        assert one.cpu is not None
        self.assertEqual(one.cpu.text, "25% of 4 cores")

    def test_what_is_not_known(self) -> None:
        one = shown(session())
        self.assertEqual((one.memory, one.cpu), (None, None))
        self.assertIsNone(shown(session(), Stats(1, None)).cpu)

    def test_its_log_has_nothing_for_a_terminal(self) -> None:
        moment = Moment(state="failed", step="failed", message="m", log=("\x1b[31ma\x1b[0m", "b"))
        self.assertEqual(shown(session("failed", moment=moment)).log, "a\nb")


class StepTests(SynchronousTestCase):
    def standings(self, state):
        return [step.standing for step in steps(session(state))]

    def test_from_the_queue_to_ready(self) -> None:
        self.assertEqual(self.standings("queued"), ["current", "later", "later", "later"])
        self.assertEqual(self.standings("creating"), ["done", "current", "later", "later"])
        self.assertEqual(self.standings("starting"), ["done", "done", "current", "later"])
        self.assertEqual(self.standings("ready"), ["done", "done", "done", "current"])

    def test_an_image_only_where_it_is_fetched(self) -> None:
        self.assertEqual(self.standings("pulling"), ["done", "current", "later", "later", "later"])

    def test_none_where_nothing_starts(self) -> None:
        for state in ("stopping", "stopped", "failed"):
            self.assertEqual(self.standings(state), [])


class ElapsedTests(SynchronousTestCase):
    def test_since_it_began_or_was_asked_for(self) -> None:
        self.assertEqual(elapsed(session("starting"), NOW), 540)
        self.assertEqual(elapsed(session("queued"), NOW), 600)
        self.assertEqual(elapsed(session("starting", began=NOW + timedelta(hours=1)), NOW), 0)


class ChosenTests(SynchronousTestCase):
    def test_in_the_words_of_the_form(self) -> None:
        options = {"interface": "tree", "rows": 7, "debug": True, "greeting": ""}
        self.assertEqual(
            chosen_words(session(options=options)),
            [("Interface", "Classic notebook"), ("Rows", "7"), ("debug", "yes")],
        )
        self.assertEqual(chosen_words(session(options={"debug": False})), [("debug", "no")])

    def test_a_choice_that_is_no_longer_offered(self) -> None:
        self.assertEqual(
            chosen_words(session(options={"interface": "old", "gone": "x"})),
            [("Interface", "old")],
        )


class PrintableTests(SynchronousTestCase):
    def test_what_only_a_terminal_understands_is_left_out(self) -> None:
        for line, seen in (
            ("\x1b[1;31m[E 12:00]\x1b[m no\ttab", "[E 12:00] no\ttab"),
            ("\x1b]0;title\x07after", "after"),
            ("\x1b]8;;http://x\x1b\\link", "link"),
            ("a\x1b", "a"),
            ("a\x00\x07\x7f\x9bb\r", "ab"),
            ("ünï😀", "ünï😀"),
        ):
            self.assertEqual(printable(line), seen)
