"""What a session is told after its start."""

import os
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.demo import session_environment
from giestack.demo.session_environment import told

VALUES = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))


def quoted(value: str) -> str:
    return "'" + value.replace("'", "'\"'\"'") + "'"


class ToldTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.file = Path(self.mktemp())

    def told(self, text: str) -> dict[str, str]:
        self.file.write_text(text, encoding="utf-8", newline="")
        return told(str(self.file))

    @given(value=VALUES)
    def test_any_value(self, value: str) -> None:
        text = f"A={quoted(value)}\nB='b'\n"
        self.file = Path("told")
        self.assertEqual(self.told(text), {"A": value, "B": "b"})

    def test_nothing_to_be_told(self) -> None:
        self.assertEqual(told(str(self.file)), {})
        self.assertEqual(self.told(""), {})

    def test_what_cannot_be_read(self) -> None:
        self.assertEqual(self.told("A='unclosed"), {})
        self.file.write_bytes(b"A='\xff'")
        self.assertEqual(told(str(self.file)), {})
        self.assertEqual(self.told("what is this\nA='a'\n"), {"A": "a"})


class AsStartupFileTests(SynchronousTestCase):
    """IPython executes the file's text in the name space of a notebook."""

    def test_leaves_variables_and_no_names(self) -> None:
        text = Path(session_environment.__file__).read_text(encoding="utf-8")
        file = Path(self.mktemp())
        file.write_text("GREETING='hello there'\n")
        self.patch(os, "environ", dict(os.environ))
        names: dict[str, object] = {"__name__": "__main__"}
        exec(text.replace(session_environment.FILE, str(file)), names)
        self.assertEqual(os.environ["GREETING"], "hello there")
        self.assertEqual([name for name in names if not name.startswith("__")], [])

    def test_needs_nothing_of_giestack(self) -> None:
        done = subprocess.run(
            [sys.executable, "-I", session_environment.__file__], capture_output=True, check=False
        )
        self.assertEqual((done.returncode, done.stderr), (0, b""))
