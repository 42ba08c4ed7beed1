"""What is said to people about their sessions."""

from collections.abc import Mapping
from typing import get_args

from twisted.trial.unittest import SynchronousTestCase

from giestack.settings.spawner_schema import Profile
from giestack.spawner.admission import Lack, Waiting
from giestack.spawner.engine import Ended
from giestack.spawner.view import State
from giestack.spawner.words import (
    idle,
    lived_long,
    message_of,
    never_started,
    on_one_line,
    shut_down,
    stopped_by_itself,
)

LAB = Profile(name="jupyter", title="JupyterLab", idle_timeout=3600, max_lifetime=129600)


class WordTests(SynchronousTestCase):
    def test_what_others_say_stays_on_one_line(self) -> None:
        self.assertEqual(on_one_line("a\r\nb\x1b[31m ü"), "a  b [31m ü")

    def test_every_state_is_named_with_its_session(self) -> None:
        for state in get_args(State):
            self.assertIn("JupyterLab", message_of(state, "JupyterLab", False, None, ""))

    def test_how_long_one_waits_and_for_what(self) -> None:
        self.assertIn("is next", message_of("queued", "R", False, Waiting(1), ""))
        self.assertIn("number 3", message_of("queued", "R", False, Waiting(3), ""))
        self.assertIn("Stop one", message_of("queued", "R", False, Waiting(3, "own"), ""))

    def test_what_an_engine_lacks(self) -> None:
        told: Mapping[Lack, str] = {
            "memory": "until memory is free on the engine",
            "gpus": "until a GPU is free",
            "engine": "until the engine can be reached again",
        }
        for lack, words in told.items():
            first = message_of("queued", "R", False, Waiting(1, lack), "")
            self.assertEqual(first, f"R waits {words}")
            third = message_of("queued", "R", False, Waiting(3, lack), "")
            self.assertEqual(third, f"R is number 3 in the queue and waits {words}")
        self.assertIn("is next", message_of("queued", "R", False, Waiting(1, "total"), ""))

    def test_a_program_that_runs_but_does_not_answer_yet(self) -> None:
        self.assertEqual(message_of("starting", "R", False, None, ""), "Starting R")
        self.assertEqual(message_of("starting", "R", True, None, ""), "Waiting for R to answer")

    def test_the_reason_is_the_message_of_what_has_ended(self) -> None:
        for state in ("stopped", "failed"):
            self.assertEqual(
                message_of(state, "R", False, None, "Out of memory."), "Out of memory."
            )

    def test_reasons(self) -> None:
        self.assertEqual(
            idle(LAB), "JupyterLab was stopped because it had not been used for 1 hour."
        )
        self.assertIn("had run for 1.5 days,", lived_long(LAB))
        self.assertEqual(
            stopped_by_itself(LAB, Ended(1, "ended with status 1")),
            "JupyterLab stopped unexpectedly: ended with status 1.",
        )
        self.assertIn("within 2 minutes", never_started(LAB, 120))
        self.assertIn("within 1 second.", never_started(LAB, 1))
        self.assertIn("from inside", shut_down(LAB))
