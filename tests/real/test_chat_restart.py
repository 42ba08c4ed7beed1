"""What people in the chat notice of a reload, of an end, of a restart, and of their own end."""

import signal
import sqlite3
import time
from contextlib import closing

from twisted.trial.unittest import SynchronousTestCase

from tests.neighbours.chat_crowd import Crowd
from tests.neighbours.chat_visitor import CHAT, ChatVisitor
from tests.neighbours.galaxy import ADMIN, ALICE, ALICE_ELSEWHERE, BOB, Galaxy, cookie
from tests.neighbours.giestack import Giestack, ask
from tests.neighbours.postgres import postgres
from tests.neighbours.program import allowed

CHAT_SETTINGS = {"enabled": True, "opt_in": False, "listen": [], "rooms": ["NGS"]}


class ChangeTests(SynchronousTestCase):
    def setUp(self):
        self.galaxy = Galaxy(self)
        settings = {"chat": {**CHAT_SETTINGS, "limits": {"rate": 0}}}
        self.giestack = Giestack(self, self.galaxy, settings)
        self.giestack.until_it_answers(f"{CHAT}/whoami", 200, cookie=cookie(ALICE))

    def visitor(self, case):
        return ChatVisitor(self, self.giestack.port, case)

    def test_from_the_first_to_the_last(self):
        self.other_rules_for_those_who_are_here()
        self.sessions_end()
        self.giestack_ends()
        self.assertNotIn("Traceback", self.giestack.program.output)

    def other_rules_for_those_who_are_here(self):
        alice = self.visitor(ALICE)
        room = alice.room("NGS")
        alice.ask("resume", rooms={room: 0})
        alice.say(room, "a filthy word")
        self.giestack.reload(
            {
                "chat": {
                    "rooms": ["RNA-Seq", "NGS"],
                    "filter": {"deny": ["filthy"]},
                    "limits": {"length": 10, "rate": 0},
                }
            }
        )
        told = {"cid": "x", "room": room}
        self.assertEqual(alice.refused("msg", text="filthy", **told), "filter")
        self.assertEqual(alice.refused("msg", text="far too long", **told), "len")
        self.giestack.program.until(lambda: alice.ask("rooms", text="")["rooms"], "the other room")
        bob = self.visitor(BOB)
        self.assertEqual([one["name"] for one in bob.hello["rooms"]], ["RNA-Seq", "NGS"])
        new = bob.room("RNA-Seq")
        for one in (alice, bob):
            one.ask("resume", rooms={new: 0})
        bob.say(new, "hi")
        self.assertEqual(alice.hear("msg", room=new)["seq"], 1)
        self.giestack.reload({"chat": {"enabled": False}})
        self.assertEqual([alice.close_code(), bob.close_code()], [4403, 4403])
        self.giestack.reload({})

    def sessions_end(self):
        alice, again, bob = map(self.visitor, (ALICE, ALICE_ELSEWHERE, BOB))
        self.galaxy.log_out(ALICE)
        self.assertEqual(alice.close_code(), 4401)
        self.assertEqual(self.visitor(ALICE).closed, 4401)
        with closing(self.galaxy.connect()) as database, database:
            database.execute(
                "UPDATE galaxy_user SET deleted = 1 WHERE username = ?",
                (bob.hello["user"]["name"],),
            )
        self.assertEqual(bob.close_code(), 4403)
        self.assertIsNone(self.visitor(BOB).hello)
        # A session of somebody's ends, and their others go on.
        again.ask("resume", rooms={})

    def giestack_ends(self):
        visitor = self.visitor(ADMIN)
        rooms = [visitor.room("NGS")]
        people = [(case, lambda: self.giestack.port) for case in (ALICE_ELSEWHERE, ADMIN, ADMIN)]
        crowd = Crowd(people, rooms)
        self.addCleanup(crowd.end)
        crowd.until_more(50)
        self.giestack.program.send(signal.SIGTERM)
        began = time.monotonic()
        self.assertEqual(visitor.close_code(), 1012)
        self.assertEqual(self.giestack.program.wait(), 0)
        self.assertLess(time.monotonic() - began, allowed(10))
        crowd.until(lambda: all(one.codes for one in crowd.talkers), "all are sent away")
        crowd.end()
        self.assertEqual({one.codes[0] for one in crowd.talkers}, {1012})
        self.assertEqual(crowd.wrong, [])
        # Nothing was stored that nobody was told of.
        with closing(sqlite3.connect(self.giestack.files / "var" / "chat.sqlite")) as database:
            stored = database.execute("SELECT cid, seq FROM chat_event WHERE cid LIKE '%-%'")
            there = dict(stored.fetchall())
        self.assertEqual(there, {cid: seq for cid, (_, seq) in crowd.acknowledged.items()})


class WithoutDatabaseTests(SynchronousTestCase):
    def test_it_opens_when_it_can(self):
        url = postgres().url(postgres().new_database(self))
        postgres().stop()
        try:
            chat = {**CHAT_SETTINGS, "database": url}
            giestack = Giestack(self, Galaxy(self), {"chat": chat})
            self.assertEqual(ChatVisitor(self, giestack.port, ALICE).closed, 1013)
            asked = giestack.ask(f"{CHAT}/whoami", cookie=cookie(ALICE))
            self.assertEqual(asked.status, 503)
            ready = ask(giestack.admin_port, "/ready")
            self.assertEqual(ready.status, 503)
            self.assertIn(b"chat", ready.body)
        finally:
            postgres().start()
        giestack.until_it_answers(f"{CHAT}/whoami", 200, cookie=cookie(ALICE))
        self.assertIsNotNone(ChatVisitor(self, giestack.port, ALICE).hello)
        self.assertEqual(ask(giestack.admin_port, "/ready").status, 200)
        self.ends_though_nobody_answers(giestack)
        self.assertNotIn("Traceback", giestack.program.output)

    def ends_though_nobody_answers(self, giestack):
        visitor = ChatVisitor(self, giestack.port, ALICE)
        room = visitor.room("NGS")
        visitor.ask("resume", rooms={room: 0})
        with postgres().hanging():
            visitor.send("msg", cid="1", room=room, text="Hello?")
            giestack.program.send(signal.SIGTERM)
            began = time.monotonic()
            self.assertEqual(giestack.program.wait(), 0)
            self.assertLess(time.monotonic() - began, allowed(10))
        self.assertEqual(visitor.close_code(), 1012)
