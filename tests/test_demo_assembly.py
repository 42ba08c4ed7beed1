"""The demo, put together; tests/real has it running."""

from pathlib import Path
from typing import Any

from twisted.internet import reactor as global_reactor  # noqa: TID251 - building needs one
from twisted.trial.unittest import SynchronousTestCase

from giestack.demo_assembly import assemble_demo, flat

reactor: Any = global_reactor


class DemoAssemblyTests(SynchronousTestCase):
    def test_it_is_giestack_with_a_notebook(self) -> None:
        folder = Path(self.mktemp())
        giestack = assemble_demo(reactor, folder, 8800)
        self.assertFalse(giestack.running)
        names = [type(part).__name__ for part in giestack]
        self.assertIn("Door", names)
        self.assertEqual(names[-2:], ["JupyterLab", "Welcome"])
        self.assertEqual(folder.stat().st_mode & 0o777, 0o700)

    def test_a_folder_that_cannot_be_used(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "thesis.tex").write_text("mine")
        error = self.assertRaises(ValueError, assemble_demo, reactor, folder, 8800)
        self.assertNotIn("\n", str(error))
        self.assertEqual([one.name for one in folder.iterdir()], ["thesis.tex"])

    def test_settings_by_path(self) -> None:
        nested = {"a": {"b": 1, "c": {"d": [2]}}, "e": "f"}
        self.assertEqual(flat(nested), [("a.b", 1), ("a.c.d", [2]), ("e", "f")])
