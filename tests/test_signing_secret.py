"""Where the secret comes from that signs tickets and cookies."""

import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.signing_secret import signing_secret


class SigningSecretTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def test_the_configured_one_and_galaxys(self) -> None:
        configured = signing_secret("a" * 16, "idsecret", self.folder)
        self.assertEqual(configured, signing_secret("a" * 16, None, self.folder / "other"))
        galaxys = signing_secret(None, "a" * 16, self.folder)
        self.assertEqual(galaxys, signing_secret(None, "a" * 16, self.folder / "other"))
        # Whoever knows one of them does not know the other.
        self.assertNotEqual(configured, galaxys)
        self.assertEqual(len(configured), 32)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_random_one_is_kept(self) -> None:
        kept = signing_secret(None, None, self.folder)
        self.assertEqual(signing_secret(None, None, self.folder), kept)
        (file,) = self.folder.iterdir()
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        file.unlink()
        self.assertNotEqual(signing_secret(None, None, self.folder), kept)

    def test_without_a_folder_it_is_not_kept(self) -> None:
        nowhere = self.folder / "none"
        one = signing_secret(None, None, nowhere)
        self.assertNotEqual(signing_secret(None, None, nowhere), one)
        self.assertFalse(nowhere.exists())

    def test_somebody_else_was_faster(self) -> None:
        (self.folder / "secret").symlink_to(self.folder / "missing")
        self.assertRaises(OSError, signing_secret, None, None, self.folder)
        self.assertEqual([one.name for one in self.folder.iterdir()], ["secret"])

    def test_a_damaged_one(self) -> None:
        for text in ("", "abc", "A" * 64, "a" * 63):
            (self.folder / "secret").write_text(text)
            with self.assertRaisesRegex(ValueError, "damaged"):
                signing_secret(None, None, self.folder)
