"""Digits that are made once."""

import os
import shutil
import stat
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.kept_digits import kept_digits


class KeptDigitsTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        self.file = folder / "word"

    def test_made_once(self) -> None:
        made = kept_digits(self.file, 12, 0o600)
        self.assertRegex(made, "^[0-9a-f]{12}$")
        self.assertEqual(kept_digits(self.file, 12), made)
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), 0o600)

    def test_what_a_killed_process_has_left_is_no_hindrance(self) -> None:
        left = self.file.with_name(f"word.{os.getpid()}")
        left.write_text("x")
        kept_digits(self.file, 64)
        self.assertFalse(left.exists())

    def test_of_another_length(self) -> None:
        kept_digits(self.file, 12)
        with self.assertRaisesRegex(ValueError, "word is damaged: remove it, or set word"):
            kept_digits(self.file, 64)
