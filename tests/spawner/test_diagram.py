"""The drawing of a session's life in the documentation is that of the machine."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.diagram import SHOWN, dot
from giestack.spawner.lifecycle import STATES, TRANSITIONS

DOCS = Path(__file__).parents[2] / "docs"


class DiagramTests(SynchronousTestCase):
    def test_the_documentation_is_up_to_date(self) -> None:
        drawn = (DOCS / "session.dot").read_text(encoding="utf-8")
        self.assertEqual(drawn, dot(), "python -m giestack.spawner.diagram > docs/session.dot")

    def test_the_picture_shows_every_state(self) -> None:
        picture = (DOCS / "session.svg").read_text(encoding="utf-8")
        for state in STATES:
            self.assertIn(f"<title>{state.name}</title>", picture)
        for arrow in TRANSITIONS:
            self.assertIn(f">{arrow.happened}</text>", picture)
            self.assertIn(f"<title>{arrow.state}&#45;&gt;{arrow.then}</title>", picture)

    def test_inner_states_are_told_by_their_outer_name(self) -> None:
        for name, shown in SHOWN.items():
            self.assertIn(f'{name} [label="{name}\\n(shown: {shown})"];', dot())
