"""History, search, people; and how far they have read."""

from dataclasses import replace

from giestack.chat import wire
from giestack.chat.looking import MOST_BYTES, fitting
from tests.chat.people import ALICE, BOB, CAROL, FREE, ChatCase, identity


class LookingCase(ChatCase):
    def setUp(self) -> None:
        super().setUp()
        self.room = self.lobby
        self.alice, self.bob = self.come(ALICE, self.room), self.come(BOB, self.room)
        self.hidden = self.bob.ask(wire.Create, name="hidden").room.id


class HistoryTests(LookingCase):
    def setUp(self) -> None:
        super().setUp()
        for number in range(10):
            self.bob.say(self.room, f"m{number}")

    def seqs(self, **fields: object) -> tuple[list[int], bool]:
        ok = self.alice.ask(wire.Hist, room=self.room, **fields)
        return [one.seq for one in ok.events], ok.more

    def test_pages(self) -> None:
        self.assertEqual(self.seqs(limit=3), ([8, 9, 10], True))
        self.assertEqual(self.seqs(before=8, limit=5), ([3, 4, 5, 6, 7], True))
        self.assertEqual(self.seqs(before=3), ([1, 2], False))
        self.assertEqual(self.seqs(after=8), ([9, 10], False))
        self.assertEqual(self.seqs(after=2, limit=2), ([3, 4], True))

    def test_no_more_than_a_page_may_have(self) -> None:
        text = "\N{PILE OF POO}" * 4000
        for _ in range(40):
            self.bob.say(self.room, text)
        last = 50
        seqs, more = self.seqs(limit=100)
        self.assertEqual((seqs[-1], more), (last, True))
        self.assertLessEqual(len(seqs) * len(text.encode()), MOST_BYTES)
        found = seqs
        while more:
            seqs, more = self.seqs(before=found[0], limit=100)
            found = seqs + found
        self.assertEqual(found, list(range(1, last + 1)))
        seqs, more = self.seqs(after=20, limit=100)
        self.assertEqual((seqs[0], more), (21, True))
        one = [wire.Message(room="r", seq=1, ts=1, user="a", name="a", text="x" * MOST_BYTES * 2)]
        self.assertEqual(len(fitting(one, newest=True)), 1)

    def test_what_is_asked_wrongly(self) -> None:
        for fields in ({"limit": 0}, {"limit": 101}, {"before": 3, "after": 1}):
            self.assert_refused(self.alice.ask(wire.Hist, room=self.room, **fields), "bad")
        self.assert_refused(self.alice.ask(wire.Hist, room=self.hidden), "perm")


class SearchTests(LookingCase):
    def setUp(self) -> None:
        super().setUp()
        self.bob.say(self.room, "genome assembly")
        self.bob.say(self.hidden, "genome secrets")

    def found(self, **fields: object) -> list[str]:
        return [one.text for one in self.alice.ask(wire.Search, **fields).events]

    def test_only_where_one_may_read(self) -> None:
        self.assertEqual(self.found(text="genome"), ["genome assembly"])
        self.assertEqual(self.found(text="genome", room=self.room), ["genome assembly"])
        self.assert_refused(self.alice.ask(wire.Search, text="genome", room=self.hidden), "perm")

    def test_what_is_asked_wrongly(self) -> None:
        self.assert_refused(self.alice.ask(wire.Search, text="  "), "bad")
        self.assert_refused(self.alice.ask(wire.Search, text="x" * 201), "len")

    def test_an_impersonating_administrator_searches_public_rooms_only(self) -> None:
        actor = self.come(identity(2, "bob", impersonated_by="boss"))
        self.assert_refused(actor.ask(wire.Search, text="genome"), "perm")
        self.assert_refused(actor.ask(wire.Export), "perm")
        ok = actor.ask(wire.Search, text="genome", room=self.room)
        self.assertEqual(len(ok.events), 1)


class ExportTests(LookingCase):
    def test_ones_own_messages(self) -> None:
        self.alice.say(self.room, "mine")
        self.bob.say(self.room, "his")
        ok = self.alice.ask(wire.Export)
        self.assertEqual(([one.text for one in ok.events], ok.next), (["mine"], None))


class PeopleTests(LookingCase):
    def test_by_the_beginning_of_the_name(self) -> None:
        self.come(CAROL)
        names = [one.name for one in self.alice.ask(wire.People, text="C").people]
        self.assertEqual(names, ["carol"])
        names = [one.name for one in self.alice.ask(wire.People, room=self.room).people]
        self.assertEqual(sorted(names), ["alice", "bob"])
        self.assert_refused(self.alice.ask(wire.People, room=self.hidden), "perm")

    def test_only_those_who_take_part(self) -> None:
        self.come(CAROL)
        self.chat.configure(replace(FREE, opt_in=True))
        for who in (ALICE, BOB):
            self.came(self.chat.choose(who, wire.Prefs(id=0, opt_in=True)))
        names = [one.name for one in self.alice.ask(wire.People).people]
        self.assertEqual(names, ["alice", "bob"])
        self.assert_refused(self.alice.ask(wire.Create, kind="dm", user="id3"), "bad")
        self.assertIsInstance(self.alice.ask(wire.Create, kind="dm", user="id2"), wire.Ok)


class ReadTests(LookingCase):
    def test_read_here_and_at_other_clients(self) -> None:
        other = self.come(ALICE)
        for _ in range(3):
            self.bob.say(self.room, "@alice hi")
        self.tick()
        other.frames(), self.bob.frames()
        ok = self.alice.ask(wire.Read, room=self.room, seq=2)
        self.assertEqual((ok.unread, ok.mentions), (1, 1))
        [told] = other.frames()
        self.assertEqual((told.room, told.seq, told.unread, told.mentions), (self.room, 2, 1, 1))
        self.assertEqual(self.bob.frames(), [])
        self.alice.ask(wire.Read, room=self.room, seq=1)
        self.assertEqual(other.frames()[-1].seq, 2)
        self.alice.ask(wire.Read, room=self.room, seq=99)
        self.assertEqual(other.frames()[-1].seq, 3)
        self.assertEqual(self.come(ALICE).hello().rooms[0].read, 3)

    def test_not_in_rooms_of_others(self) -> None:
        self.assert_refused(self.alice.ask(wire.Read, room=self.hidden, seq=1), "perm")
