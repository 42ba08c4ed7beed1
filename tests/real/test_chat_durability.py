"""What the chat has acknowledged stays, whatever happens to the process and to the disk."""

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.chat.storage import NewMessage, Who
from giestack.chat.store.store import ChatStore
from giestack.database import DatabaseUnavailable
from tests.chat.store.kills import Kills
from tests.chat.store.test_engines import new_path
from tests.chat.store_suite import answer_of
from tests.neighbours.postgres import postgres
from tests.threaded_clock import ThreadedClock

ROUNDS = 20


def is_sound(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO chat_words (chat_words) VALUES ('integrity-check')")
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


class KillTests(SynchronousTestCase):
    """``kill -9`` with messages in flight; `tests.chat_kills` does it as often as you like."""

    def survives(self, url):
        kills = Kills(url)
        for number in range(ROUNDS):
            kills.round(f"round{number}")
        there = kills.check()
        self.assertEqual(kills.wrong, [])
        self.assertGreaterEqual(len(kills.stored), ROUNDS)
        self.assertGreaterEqual(there, len(kills.stored))

    def test_sqlite(self):
        path = new_path(self)
        self.survives(f"sqlite:///{path}")
        self.assertTrue(is_sound(path))

    def test_postgresql(self):
        self.survives(postgres().url(postgres().new_database(self)))


class FullDiskTests(SynchronousTestCase):
    """A SQLite file on a file system that is full, and later is not."""

    def setUp(self):
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.mount("-t", "tmpfs", "-o", "size=1m", "tmpfs")
        self.addCleanup(lambda: subprocess.run(["umount", "-l", self.folder], check=True))
        self.clock = ThreadedClock()

    def mount(self, *options):
        subprocess.run(["mount", *options, self.folder], check=True)

    def get(self, deferred):
        return answer_of(self.clock, deferred)

    def test_what_was_acknowledged_stays(self):
        path = self.folder / "chat.sqlite"
        store = ChatStore(f"sqlite:///{path}", self.clock)
        self.get(store.open())
        ann = self.get(store.person(Who(host="galaxy", user_id=1, id="ann", name="Ann")))
        self.get(store.persist(["NGS"]))
        room = self.get(store.rooms_of(ann))[0].id

        def said(n):
            draft = NewMessage(room=room, author=ann, ts=1, cid=f"c{n}", text=f"{n} " * 500)
            return store.append(draft)

        stored = 0
        while True:
            asked = [said(stored + n) for n in range(10)]
            refused = 0
            for one in asked:
                try:
                    stored += self.get(one).event.seq == stored + 1
                except DatabaseUnavailable as error:
                    self.assertIn("full", str(error))
                    refused += 1
            if refused:
                self.assertEqual(refused, 10)
                break
        self.assertGreater(stored, 10)
        self.assertRaises(DatabaseUnavailable, self.get, store.persist(["A" * 100_000]))
        page = self.get(store.events(room, after=0, limit=10_000))
        self.assertEqual([one.seq for one in page.events], list(range(1, stored + 1)))

        self.mount("-o", "remount,size=8m", "tmpfs")
        for n in range(stored, stored + 20):
            self.assertEqual(self.get(said(n)).event.seq, n + 1)
        self.assertFalse(self.get(said(0)).new)
        self.get(store.close())
        self.assertTrue(is_sound(path))
