"""A SQLite file belongs to one giestack at a time, and stays where it is."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.chat.store.sole_use import SoleUse
from giestack.database import DatabaseUnavailable


class SoleUseTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp()).absolute()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text("a database")
        self.use = SoleUse(self.path)
        self.use.take()
        self.use.opened()
        self.addCleanup(self.use.release)

    def test_one_at_a_time(self) -> None:
        other = SoleUse(self.path)
        error = self.assertRaises(DatabaseUnavailable, other.take)
        self.assertIn(f"another giestack uses {self.path}", str(error))
        self.use.take()
        self.use.release()
        self.use.release()
        other.take()
        other.release()

    def test_it_stays_where_it_is(self) -> None:
        self.use.check()
        elsewhere = self.path.with_name("elsewhere")
        self.path.rename(elsewhere)
        error = self.assertRaises(DatabaseUnavailable, self.use.check)
        self.assertIn("was moved or deleted", str(error))
        self.path.write_text("another one")
        self.assertRaises(DatabaseUnavailable, self.use.check)
        elsewhere.rename(self.path)
        self.use.check()

    def test_the_lock_is_for_nobody_else_to_read(self) -> None:
        lock = self.path.with_name(f"{self.path.name}.lock")
        self.assertEqual(lock.stat().st_mode & 0o777, 0o600)
