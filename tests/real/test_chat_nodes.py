"""Two giestacks on one PostgreSQL are one chat, also while something of it is down."""

import signal

from twisted.trial.unittest import SynchronousTestCase

from tests.giestack_kills import history, started_again
from tests.neighbours.chat_crowd import Crowd
from tests.neighbours.chat_visitor import ChatVisitor, take_part
from tests.neighbours.galaxy import ADMIN, ALICE, BOB, Galaxy
from tests.neighbours.giestack import Giestack, ask
from tests.neighbours.postgres import postgres

ROOMS = ("NGS", "RNA-Seq")
_LISTENERS = b"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE "


class NodesCase(SynchronousTestCase):
    opt_in = False

    def setUp(self):
        self.galaxy = Galaxy(self)
        self.database = postgres().new_database(self)
        with postgres().connect() as connection:
            # What is acknowledged is to stay when the server dies.
            alter = f"ALTER DATABASE {self.database} SET synchronous_commit = on"
            connection.execute(alter.encode())
        self.nodes = [self.node() for _ in range(2)]
        for one in self.nodes:
            self.until_open(one)

    def node(self):
        chat = {
            "enabled": True,
            "opt_in": self.opt_in,
            "listen": [],
            "rooms": ROOMS,
            "database": postgres().url(self.database),
            "limits": {"rate": 0},
        }
        return Giestack(self, self.galaxy, {"chat": chat}, wait=False)

    def until_open(self, node):
        node.program.until(node.accepts, "a listener")
        node.program.until(lambda: ask(node.admin_port, "/ready").status == 200, "it is ready")

    def visitor(self, number, case):
        return ChatVisitor(self, self.nodes[number].port, case)


class OneChatTests(NodesCase):
    opt_in = True

    def test_what_people_do_there_is_seen_here(self):
        # Alice had switched the chat on in Galaxy, the others do it here.
        for number, case in enumerate((BOB, ADMIN)):
            take_part(self.nodes[number].port, case)
        self.alice, self.bob = self.visitor(0, ALICE), self.visitor(1, BOB)
        self.admin = self.visitor(1, ADMIN)
        self.room = self.alice.room(ROOMS[0])
        for one in (self.alice, self.bob, self.admin):
            one.ask("resume", rooms={self.room: 0})
        self.they_see_each_other()
        self.they_talk()
        self.one_person_at_both()
        self.they_talk_in_private()
        self.a_moderator_acts()
        self.one_opts_out()
        for node in self.nodes:
            self.assertNotIn("Traceback", node.program.output)

    def they_see_each_other(self):
        # Each is told once of whoever is there, at first or later.
        for one, other in ((self.alice, self.bob), (self.bob, self.alice)):
            one.until(
                lambda frame, other=other: (
                    frame["t"] == "presence"
                    and other.id in [user["id"] for user in frame.get("join", ())]
                ),
                "somebody at the other node",
            )
        self.alice.ask("typing", room=self.room)
        self.assertEqual(self.bob.hear("typing")["user"], self.alice.id)

    def they_talk(self):
        for number in range(10):
            self.alice.say(self.room, f"a{number}")
            self.bob.say(self.room, f"b{number}")
        first = self.bob.hear("msg", text="a0")["seq"]
        self.alice.ask("edit", room=self.room, ref=first, text="changed")
        self.assertEqual(self.bob.hear("edit", ref=first)["text"], "changed")
        self.alice.ask("del", room=self.room, ref=first)
        last = self.bob.hear("del", ref=first)["seq"]
        self.alice.hear("del", ref=first)
        for one in (self.alice, self.bob):
            self.assertEqual(one.events[self.room], list(range(1, last + 1)))

    def one_person_at_both(self):
        other = self.visitor(1, ALICE)
        other.ask("resume", rooms={self.room: 22})
        told = self.alice.ask("read", room=self.room, seq=5)
        marked = other.hear("read", room=self.room, seq=5)
        self.assertEqual(marked["unread"], told["unread"])
        self.alice.ask("prefs", do_not_disturb=True)
        self.assertTrue(other.hear("prefs")["prefs"]["do_not_disturb"])
        other.leave()

    def they_talk_in_private(self):
        made = self.alice.ask("create", kind="dm", user=self.bob.id)["room"]["id"]
        self.assertEqual(self.bob.hear("room")["room"]["id"], made)
        self.bob.ask("resume", rooms={made: 0})
        self.alice.say(made, "psst")
        self.assertEqual(self.bob.hear("msg", room=made)["text"], "psst")
        self.bob.say(made, "yes?")
        self.assertEqual(self.alice.hear("msg", room=made, seq=2)["text"], "yes?")
        self.assertEqual(self.admin.refused("resume", rooms={made: 0}), "noroom")

    def a_moderator_acts(self):
        alice, room = {"user": self.alice.id}, self.room

        def acts(act, **fields):
            self.admin.ask("mod", act=act, room=room, **fields)
            self.alice.hear("mod", act=act)

        acts("mute", **alice)
        self.assertEqual(self.alice.refused("msg", cid="m", room=room, text="x"), "muted")
        acts("unmute", **alice)
        acts("lock")
        self.assertEqual(self.alice.refused("msg", cid="l", room=room, text="x"), "perm")
        acts("unlock")
        acts("slow", seconds=60)
        self.alice.say(room, "once")
        self.assertEqual(self.alice.refused("msg", cid="s", room=room, text="x"), "rate")
        acts("slow", seconds=0)
        self.admin.ask("mod", act="ban", room=room, **alice)
        self.assertEqual(self.alice.close_code(), 4403)
        self.assertEqual(self.visitor(0, ALICE).closed, 4403)
        self.admin.ask("mod", act="unban", room=room, **alice)
        self.nodes[0].program.until(
            lambda: self.visitor(0, ALICE).hello is not None, "alice is back"
        )

    def one_opts_out(self):
        other = self.visitor(0, BOB)
        self.bob.ask("prefs", opt_in=False)
        self.assertEqual([self.bob.close_code(), other.close_code()], [4403, 4403])


class OutageTests(NodesCase):
    """People talk at both nodes all the time; at the end nothing is lost, and nothing twice."""

    def setUp(self):
        super().setUp()
        visitor = self.visitor(0, ALICE)
        self.rooms = [visitor.room(name) for name in ROOMS]
        self.homes = [0, 1, 0, 1]
        people = [
            (case, lambda number=number: self.nodes[self.homes[number]].port)
            for number, case in enumerate((ALICE, BOB, BOB, ADMIN))
        ]
        self.crowd = Crowd(people, self.rooms)
        self.addCleanup(self.crowd.end)
        self.crowd.until_more(50)

    def test_outages(self):
        self.nobody_listens()
        self.the_database_restarts()
        self.a_node_dies()
        self.crowd.fall_silent()
        self.crowd.end()
        visitor = self.visitor(1, ALICE)
        log = [one for room in self.rooms for one in history(visitor, room)]
        self.crowd.check(log)
        self.assertEqual(self.crowd.wrong, [])
        self.assertEqual(len(log), len(self.crowd.acknowledged))
        for node in self.nodes:
            self.assertNotIn("Traceback", node.program.output)

    def heard_by_all(self):
        """Wait until everybody has heard everything that is acknowledged by now."""
        self.crowd.fall_silent()
        self.crowd.silent = False

    def nobody_listens(self):
        """Notifications are lost for a moment."""
        for _ in range(2):
            with postgres().connect() as connection:
                cut = connection.execute(_LISTENERS + b"'LISTEN %'").fetchone()
            self.assertIsNotNone(cut)
            self.crowd.until_more(50)
        self.heard_by_all()

    def troubles(self):
        """Why a node is not ready; nothing while it is."""
        said = ask(self.nodes[0].admin_port, "/ready")
        return said.body if said.status == 503 else b""

    def the_database_restarts(self):
        for one in self.crowd.talkers:
            one.refused.clear()
        with postgres().connect() as connection:
            # Without fsync, tables are as they were at the last checkpoint or in the log.
            connection.execute(b"CHECKPOINT")
        postgres().stop()
        try:
            self.crowd.until(
                lambda: all(one.refused for one in self.crowd.talkers), "refusals by all"
            )
            said = self.nodes[0].program.until(self.troubles, "it is not ready")
            self.assertIn(b"chat", said)
        finally:
            postgres().start()
        self.crowd.until_more(50)
        self.heard_by_all()
        # Nobody was cut off for that.
        self.assertEqual([one.codes for one in self.crowd.talkers], [[]] * 4)

    def a_node_dies(self):
        self.nodes[0].program.send(signal.SIGKILL)
        self.nodes[0].program.wait()
        self.crowd.until_more(50)
        self.homes = [1] * 4
        self.heard_by_all()
        started_again(self, self.nodes[0], "output-again")
        self.until_open(self.nodes[0])
        self.homes = [0, 1, 0, 1]
        self.crowd.talkers[0].cut()
        self.heard_by_all()
