"""What every store of the chat does: one suite for the one in memory and for real databases.

A class that uses it derives from `StoreSuite` and a trial TestCase, and has `new_store`.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.python.failure import Failure

from giestack.chat.storage import (
    AuditRow,
    NewDeletion,
    NewEdit,
    NewMessage,
    NewModeration,
    Rejected,
    Sanction,
    Who,
)
from giestack.chat.wire import FOR_EVER, Choices, Deleted, Edited, Message, Moderated, User
from giestack.database import DatabaseUnavailable
from tests.threaded_clock import ThreadedClock

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as Case
else:
    Case = object

HOUR = 3_600_000


def answer_of(clock, deferred):
    """Let things happen until a Deferred has fired; return its result, or raise why it failed."""
    results: list[Any] = []
    deferred.addBoth(results.append)
    while not results:
        clock.let_happen()
    if isinstance(results[0], Failure):
        results[0].raiseException()
    return results[0]


class StoreSuite(Case):
    """Three people, and one room of the configuration; mixed into a SynchronousTestCase."""

    def new_store(self):
        """Return a store that has not been opened, on ``self.clock``."""
        raise NotImplementedError

    def setUp(self):
        self.clock = ThreadedClock()
        self.clock.advance(1000)
        self.store = self.opened(self.new_store())
        self.ann, self.bob, self.eve = self.person("Ann"), self.person("Bob"), self.person("Eve")
        self.get(self.store.persist(["NGS"]))
        self.ngs = self.get(self.store.rooms_of(self.ann))[0].id
        for one in (self.ann, self.bob):
            self.get(self.store.join(one, self.ngs, 1))
        self.cids = 0

    def opened(self, store):
        self.get(store.open())
        self.addCleanup(lambda: self.get(store.close()))
        return store

    def get(self, deferred):
        """Return what a Deferred fires with, or raise what it fails with."""
        return answer_of(self.clock, deferred)

    def assertRejected(self, code, deferred):
        with self.assertRaises(Rejected) as caught:
            self.get(deferred)
        self.assertEqual(caught.exception.code, code)
        self.assertTrue(caught.exception.message)

    def person(self, name, user_id=None):
        who = Who(host="galaxy", user_id=user_id or sum(name.encode()), id="id-" + name, name=name)
        return self.get(self.store.person(who))

    def draft(self, author=None, text="hello", *, room=None, **values):
        self.cids += 1
        return NewMessage(
            **{
                "room": room or self.ngs,
                "author": author or self.ann,
                "ts": 1000 + self.cids,
                "cid": f"cid-{self.cids}",
                "text": text,
                **values,
            }
        )

    def say(self, author=None, text="hello", **values):
        return self.get(self.store.append(self.draft(author, text, **values))).event

    def edit(self, ref, text, author=None, since=0, **values):
        author, room = author or self.ann, values.pop("room", self.ngs)
        return self.store.append(
            NewEdit(room=room, author=author, ts=5000, ref=ref, text=text, since=since, **values)
        )

    def delete(self, ref, author=None, since=0, **values):
        author, room = author or self.ann, values.pop("room", self.ngs)
        return self.store.append(
            NewDeletion(room=room, author=author, ts=6000, ref=ref, since=since, **values)
        )

    def page(self, room=None, **where):
        return self.get(self.store.events(room or self.ngs, **{"limit": 100, **where}))

    def seqs(self, **where):
        return [one.seq for one in self.page(**where).events]

    def state(self, person, room=None):
        return self.get(self.store.state(person, room or self.ngs))

    def found(self, text, person=None, room=None):
        page = self.get(self.store.search(person or self.ann, text, room, None, 100))
        return [one.text for one in page.events]

    # People.

    def test_a_person_is_known_again(self):
        again = self.person("Ann")
        self.assertEqual(again, self.ann)
        self.assertEqual(self.ann.user, User(id="id-Ann", name="Ann"))
        self.assertIsNone(self.ann.opt_in)
        self.assertEqual(self.ann.choices, Choices())

    def test_a_person_is_renamed(self):
        said = self.say()
        who = Who(host="galaxy", user_id=sum(b"Ann"), id="other", name="Änne")
        renamed = self.get(self.store.person(who))
        self.assertEqual(renamed, replace(self.ann, id="other", name="Änne"))
        self.assertEqual(self.get(self.store.people(["other", "id-Ann"])), {"other": renamed})
        self.assertEqual(self.page().events[0], replace(said, user="other", name="Änne"))

    def test_hosts_have_numbers_of_their_own(self):
        who = Who(host="openbis", user_id=sum(b"Ann"), id="b", name="Ann")
        self.assertNotEqual(self.get(self.store.person(who)).key, self.ann.key)

    def test_people_by_id(self):
        found = self.get(self.store.people(["id-Bob", "id-Eve", "nobody", "\0", "\ud800"]))
        self.assertEqual(found, {"id-Bob": self.bob, "id-Eve": self.eve})
        self.assertEqual(self.get(self.store.people([])), {})

    def test_names_are_completed(self):
        anna = self.person("anna")
        self.person("Zoë%")

        def named(prefix, room=None, limit=10):
            return [one.name for one in self.get(self.store.named(prefix, room, limit))]

        self.assertEqual(named("AN"), ["Ann", "anna"])
        self.assertEqual(named("an", limit=1), ["Ann"])
        self.assertEqual(named("an", room=self.ngs), ["Ann"])
        self.assertEqual(named("zoë"), ["Zoë%"])
        self.assertEqual(named("%"), [])
        self.assertEqual(named("\0"), [])
        self.assertEqual(len(named("")), 5)
        self.assertRejected("noroom", self.store.named("a", "none", 10))
        self.get(self.store.join(anna, self.ngs, 1))
        self.assertEqual(named("an", room=self.ngs), ["Ann", "anna"])

    def test_choices_are_kept(self):
        self.assertTrue(self.get(self.store.choose(self.ann, opt_in=True)).opt_in)
        chosen = self.get(self.store.choose(self.ann, do_not_disturb=True, online=True))
        self.assertEqual(chosen.choices, Choices(do_not_disturb=True, online=True, opt_in=True))
        self.assertIs(self.get(self.store.choose(self.ann, opt_in=False)).opt_in, False)
        self.assertEqual(self.get(self.store.choose(self.ann)), self.person("Ann"))

    # Rooms.

    def test_rooms_of_the_configuration(self):
        self.get(self.store.persist(["RNA-Seq", "ngs", "NGS", "Über"]))
        found = self.get(self.store.rooms_of(self.eve))
        self.assertEqual([one.name for one in found], ["RNA-Seq", "ngs", "Über"])
        self.assertEqual(found[1].id, self.ngs)
        self.assertTrue(all(one.persistent and not one.joined for one in found))
        self.assertEqual(len({one.id for one in found}), 3)
        for one in found:
            self.assertNotIn(one.name, one.id)

    def test_a_room_leaves_the_configuration(self):
        self.say()
        self.get(self.store.persist(["ÜBER", "Other"]))
        self.assertEqual(len(self.get(self.store.rooms_of(self.eve))), 2)
        mine = self.get(self.store.rooms_of(self.ann))
        self.assertEqual([one.name for one in mine], ["ÜBER", "Other", "NGS"])
        self.assertFalse(mine[2].persistent)
        self.assertEqual(self.seqs(), [1])
        self.get(self.store.persist(["über", "NGS"]))
        self.assertEqual(self.get(self.store.rooms_of(self.eve))[1].id, self.ngs)
        self.get(self.store.persist([]))
        self.assertEqual(self.get(self.store.rooms_of(self.eve)), [])

    def test_a_room_of_somebody_becomes_persistent(self):
        made = self.get(self.store.create(self.eve, "public", "Spades", 5))
        self.get(self.store.persist(["SPADES"]))
        self.assertEqual(self.get(self.store.rooms_of(self.ann))[0].id, made.id)

    def test_create(self):
        made = self.get(self.store.create(self.ann, "unlisted", "Lab", 5))
        self.assertEqual((made.name, made.kind, made.last), ("Lab", "unlisted", 0))
        self.assertEqual(made.owner, self.ann.user)
        self.assertEqual(made.members, ())
        self.assertEqual(self.get(self.store.room(made.id)), made)
        self.assertTrue(self.state(self.ann, made.id).joined)
        self.assertEqual(self.state(self.bob, made.id).owner, "id-Ann")
        self.assertFalse(self.state(self.bob, made.id).joined)

    def test_public_names_are_taken_once(self):
        self.assertRejected("bad", self.store.create(self.ann, "public", "nGs", 5))
        self.get(self.store.create(self.ann, "unlisted", "NGS", 5))
        self.get(self.store.create(self.ann, "unlisted", "NGS", 5))
        self.get(self.store.create(self.ann, "public", "Other", 5))
        self.assertRejected("bad", self.store.create(self.bob, "public", "OTHER ", 5))
        self.assertRejected("bad", self.store.create(self.bob, "dm", "", 5))

    def test_public_rooms(self):
        lively = self.get(self.store.create(self.ann, "public", "100% Straße", 5))
        self.get(self.store.create(self.ann, "unlisted", "Hidden", 5))
        self.say(room=lively.id)

        def listed(text, limit=9):
            return [one.name for one in self.get(self.store.public_rooms(text, limit))]

        self.assertEqual(listed(""), ["100% Straße", "NGS"])
        self.assertEqual(listed("", 1), ["100% Straße"])
        self.assertEqual(listed("STRASSE"), ["100% Straße"])
        self.assertEqual(listed("0%"), ["100% Straße"])
        self.assertEqual(listed("g_"), [])
        self.assertEqual(listed("%"), ["100% Straße"])
        self.assertEqual(listed("ngs\0"), [])
        self.assertEqual(listed("hidden"), [])
        self.say(room=self.ngs)
        self.assertEqual(listed(""), ["NGS", "100% Straße"])

    def test_direct(self):
        made = self.get(self.store.direct(self.ann, self.bob, 5))
        self.assertEqual(made.kind, "dm")
        self.assertEqual(made.members, (self.ann, self.bob))
        self.assertEqual(self.get(self.store.direct(self.bob, self.ann, 6)).id, made.id)
        for one, peer in ((self.ann, self.bob), (self.bob, self.ann)):
            state = self.state(one, made.id)
            self.assertEqual((state.peer, state.name), (peer.user, peer.name))
            self.assertTrue(state.joined)
        self.assertNotEqual(self.get(self.store.direct(self.ann, self.eve, 5)).id, made.id)
        self.assertRejected("bad", self.store.direct(self.ann, self.ann, 5))
        self.assertRejected("noroom", self.store.join(self.eve, made.id, 5))

    def test_direct_brings_back_who_has_left(self):
        made = self.get(self.store.direct(self.ann, self.bob, 5))
        self.say(room=made.id)
        self.get(self.store.leave(self.bob, made.id))
        self.assertEqual(self.get(self.store.room(made.id)).members, (self.ann, self.bob))
        self.get(self.store.direct(self.ann, self.bob, 5))
        self.assertEqual(self.state(self.bob, made.id).unread, 0)
        self.get(self.store.join(self.bob, made.id, 5))
        self.assertTrue(self.state(self.bob, made.id).joined)

    def test_join_and_leave(self):
        self.say()
        self.get(self.store.join(self.eve, self.ngs, 5))
        state = self.state(self.eve)
        self.assertEqual((state.read, state.unread, state.joined), (1, 0, True))
        self.say()
        self.get(self.store.join(self.eve, self.ngs, 5))
        self.assertEqual(self.state(self.eve).unread, 1)
        self.assertEqual(self.get(self.store.joined(self.eve)), {self.ngs})
        self.get(self.store.leave(self.eve, self.ngs))
        self.get(self.store.leave(self.eve, self.ngs))
        self.assertEqual(self.get(self.store.joined(self.eve)), frozenset())
        state = self.state(self.eve)
        self.assertEqual((state.read, state.unread, state.joined), (0, 0, False))

    def test_rooms_of_a_person_by_use(self):
        old = self.get(self.store.create(self.ann, "unlisted", "old", 5))
        new = self.get(self.store.create(self.ann, "unlisted", "new", 6))
        self.get(self.store.create(self.bob, "public", "not mine", 7))

        def names():
            return [one.name for one in self.get(self.store.rooms_of(self.ann))]

        self.assertEqual(names(), ["NGS", "new", "old"])
        self.say(room=old.id)
        self.assertEqual(names(), ["NGS", "old", "new"])
        self.say(room=new.id)
        self.assertEqual(names(), ["NGS", "new", "old"])

    def test_rooms_that_there_are_not(self):
        store, ann = self.store, self.ann
        for id in ("", "\0", "\ud800" + "x" * 10_000):
            self.assertIsNone(self.get(store.room(id)))
            for refused in (
                store.state(ann, id),
                store.join(ann, id, 1),
                store.leave(ann, id),
                store.mark(ann, id, 1),
                store.set_room(id, slow=1),
                store.append(self.draft(room=id) if id else replace(self.draft(), room="")),
                store.events(id, limit=10),
                store.search(ann, "x", id, None, 10),
                store.export(ann, id, None, 10),
                store.report(ann, id, 1, "", 1),
                store.sanction(Sanction(person=ann, act="mute", until=FOR_EVER, room=id)),
            ):
                self.assertRejected("noroom", refused)

    def test_set_room(self):
        self.get(self.store.set_room(self.ngs, locked=True))
        self.get(self.store.set_room(self.ngs, slow=30))
        self.get(self.store.set_room(self.ngs))
        record, state = self.get(self.store.room(self.ngs)), self.state(self.ann)
        self.assertEqual((record.locked, record.slow), (True, 30))
        self.assertEqual((state.locked, state.slow), (True, 30))
        self.get(self.store.set_room(self.ngs, locked=False, slow=0))
        self.assertFalse(self.get(self.store.room(self.ngs)).locked)

    # Reading marks.

    def test_unread(self):
        for text in ("one", "two", "three"):
            self.say(text=text)
        self.assertEqual(self.state(self.ann).unread, 0)
        self.assertEqual(self.state(self.bob).unread, 3)
        state = self.get(self.store.mark(self.bob, self.ngs, 2))
        self.assertEqual((state.read, state.unread, state.last), (2, 1, 3))
        self.assertEqual(self.get(self.store.mark(self.bob, self.ngs, 1)).read, 2)
        self.assertEqual(self.get(self.store.mark(self.bob, self.ngs, 999)).read, 3)
        self.assertEqual(self.get(self.store.rooms_of(self.bob))[0], self.state(self.bob))
        self.assertRejected("perm", self.store.mark(self.eve, self.ngs, 1))

    def test_only_messages_that_are_there_are_unread(self):
        self.say()
        self.say()
        self.get(self.edit(1, "other"))
        self.get(self.delete(2))
        self.get(self.store.append(NewModeration(room=self.ngs, author=self.ann, ts=9, act="lock")))
        state = self.state(self.bob)
        self.assertEqual((state.last, state.unread), (5, 1))

    def test_a_thousand_unread_are_enough(self):
        for one in [self.store.append(self.draft(everybody=True)) for _ in range(1005)]:
            self.get(one)
        state = self.state(self.bob)
        self.assertEqual((state.unread, state.mentions, state.last), (1000, 1000, 1005))

    def test_mentions(self):
        said = self.say(text="@bob @nobody", names=("bob", "nobody", "eve", "ann"))
        self.assertEqual(said.mentions, ("id-Ann", "id-Bob", "id-Eve"))
        self.assertEqual(self.page().events[0].mentions, said.mentions)
        said = self.say(text="@room", everybody=True, names=("bob",))
        self.assertEqual(said.mentions, ("id-Bob", "room"))
        self.say(text="plain")
        self.assertEqual([one.mentions for one in self.page().events][1:], [said.mentions, ()])
        self.assertEqual(self.state(self.bob).mentions, 2)
        self.assertEqual(self.state(self.ann).mentions, 0)
        self.assertEqual(self.get(self.store.mark(self.bob, self.ngs, 1)).mentions, 1)

    def test_mentions_in_closed_rooms_are_of_members(self):
        lab = self.get(self.store.create(self.ann, "unlisted", "Lab", 5)).id
        self.get(self.store.join(self.bob, lab, 5))
        names = ("bob", "eve")
        self.assertEqual(self.say(room=lab, names=names).mentions, ("id-Bob",))
        self.assertEqual(
            self.get(self.edit(1, "x", room=lab, names=names)).event.mentions, ("id-Bob",)
        )

    def test_several_people_with_one_name(self):
        other = self.person("BOB")
        said = self.say(names=("bob",))
        self.assertEqual(said.mentions, (self.bob.id, other.id))

    # Events.

    def test_numbers(self):
        lab = self.get(self.store.create(self.ann, "unlisted", "Lab", 5)).id
        self.assertEqual([self.say().seq for _ in range(3)], [1, 2, 3])
        self.assertEqual(self.say(room=lab).seq, 1)
        self.assertEqual(self.say(self.bob).seq, 4)
        self.assertEqual(self.get(self.store.room(self.ngs)).last, 4)

    def test_a_message(self):
        appended = self.get(
            self.store.append(
                NewMessage(room=self.ngs, author=self.ann, ts=77, cid="c", text="Grüße\n😀 'x\"")
            )
        )
        self.assertTrue(appended.new)
        self.assertEqual(
            appended.event,
            Message(room=self.ngs, seq=1, ts=77, user="id-Ann", name="Ann", text="Grüße\n😀 'x\""),
        )
        self.assertEqual(self.page().events, (appended.event,))

    def test_sent_twice(self):
        draft = self.draft(names=("bob",), everybody=True)
        first = self.get(self.store.append(draft))
        again = self.get(self.store.append(replace(draft, text="other", ts=9)))
        self.assertEqual((again.event, again.new), (first.event, False))
        self.assertEqual(self.seqs(), [1])
        other = self.get(self.store.append(replace(draft, author=self.bob)))
        self.assertTrue(other.new)
        self.get(self.edit(1, "changed"))
        again = self.get(self.store.append(draft))
        self.assertEqual(
            (again.event.text, again.event.edited, again.new), ("changed", 5000, False)
        )

    def test_sent_twice_at_once(self):
        draft = self.draft()
        both = [self.get(one) for one in [self.store.append(draft) for _ in range(2)]]
        self.assertEqual([one.new for one in both], [True, False])
        self.assertEqual(both[0].event, both[1].event)

    def test_many_at_once(self):
        drafts = [self.draft(text=f"text {n}") for n in range(600)]
        events = [self.get(one).event for one in [self.store.append(one) for one in drafts]]
        self.assertEqual([one.seq for one in events], list(range(1, 601)))
        self.assertEqual(self.page(limit=2000).events, tuple(events))

    def test_what_is_refused_harms_nobody_else(self):
        asked = [
            self.store.append(draft)
            for draft in (
                self.draft(text="first"),
                self.draft(room="none"),
                self.draft(text="a\0b"),
                self.draft(text="half \ud800"),
                self.draft(cid="\0"),
                self.draft(reply=99),
                self.draft(author=replace(self.ann, key=2**80)),
                self.draft(text="second"),
            )
        ]
        self.assertEqual(self.get(asked[0]).event.seq, 1)
        for refused in asked[1:7]:
            self.assertRaises((Rejected, DatabaseUnavailable), self.get, refused)
        self.assertEqual(self.get(asked[7]).event.seq, 2)
        self.assertEqual([one.text for one in self.page().events], ["first", "second"])

    def test_reply(self):
        self.say()
        self.assertEqual(self.say(reply=1).reply, 1)
        self.assertEqual(self.page().events[1].reply, 1)
        self.get(self.edit(1, "x"))
        for wrong in (3, 4, 0, 2**53 - 1):
            self.assertRejected("bad", self.store.append(self.draft(reply=wrong)))
        self.get(self.delete(1))
        self.assertEqual(self.say(reply=1).reply, 1)
        lab = self.get(self.store.create(self.ann, "unlisted", "Lab", 5)).id
        self.assertRejected("bad", self.store.append(self.draft(room=lab, reply=1)))

    def test_reply_to_what_was_said_just_now(self):
        asked = [self.store.append(self.draft()), self.store.append(self.draft(reply=1))]
        self.assertEqual([self.get(one).event.reply for one in asked], [None, 1])

    def test_edit(self):
        said = self.say(text="old", names=("bob",))
        edited = self.get(self.edit(1, "new", names=("eve",)))
        self.assertEqual(
            edited.event,
            Edited(
                room=self.ngs,
                seq=2,
                ts=5000,
                user="id-Ann",
                name="Ann",
                ref=1,
                text="new",
                mentions=("id-Eve",),
            ),
        )
        now = replace(said, text="new", edited=5000, mentions=("id-Eve",))
        self.assertEqual(self.page().events, (now, edited.event))
        self.assertEqual(self.state(self.bob).mentions, 0)

    def test_earlier_edits_show_what_is_said_now(self):
        self.say(text="old")
        self.get(self.edit(1, "newer"))
        self.get(self.edit(1, "newest"))
        self.assertEqual([one.text for one in self.page().events], ["newest"] * 3)

    def test_edits_that_are_refused(self):
        self.say()
        self.get(self.edit(1, "x"))
        self.assertRejected("perm", self.edit(1, "y", author=self.bob))
        self.assertRejected("perm", self.edit(1, "y", since=2000))
        self.assertRejected("bad", self.edit(2, "y"))
        self.assertRejected("bad", self.edit(9, "y"))
        self.assertRejected("bad", self.edit(1, "\0"))
        self.get(self.delete(1))
        self.assertRejected("bad", self.edit(1, "y"))
        self.assertEqual(self.seqs(), [1, 2, 3])

    def test_deletion(self):
        said = self.say(text="secret", names=("bob",))
        self.get(self.edit(1, "secret too", names=("bob",)))
        gone = self.get(self.delete(1, reason="oops")).event
        self.assertEqual(
            gone,
            Deleted(room=self.ngs, seq=3, ts=6000, user="id-Ann", name="Ann", ref=1, reason="oops"),
        )
        events = self.page().events
        self.assertEqual(events[0], replace(said, text="", deleted=True, edited=5000, mentions=()))
        self.assertEqual((events[1].text, events[1].mentions, events[2]), ("", (), gone))
        self.assertEqual(self.state(self.bob).mentions, 0)
        self.assertEqual(self.found("secret"), [])

    def test_deletions_that_are_refused(self):
        self.say()
        self.assertRejected("perm", self.delete(1, author=self.bob))
        self.assertRejected("perm", self.delete(1, since=2000))
        self.assertRejected("bad", self.delete(2, moderator=True))
        self.get(self.delete(1, author=self.bob, since=2000, moderator=True))
        self.assertRejected("bad", self.delete(1))

    def test_changes_of_what_was_said_just_now(self):
        asked = [
            self.store.append(self.draft(text="old")),
            self.edit(1, "new"),
            self.delete(1),
            self.edit(1, "newer"),
        ]
        self.assertEqual([self.get(one).event.seq for one in asked[:3]], [1, 2, 3])
        self.assertRejected("bad", asked[3])

    def test_moderation(self):
        told = NewModeration(
            room=self.ngs,
            author=self.ann,
            ts=9,
            act="mute",
            target=self.bob,
            until=FOR_EVER,
            reason="spam",
        )
        muted = self.get(self.store.append(told)).event
        self.assertEqual(
            muted,
            Moderated(
                room=self.ngs,
                seq=1,
                ts=9,
                act="mute",
                by="id-Ann",
                by_name="Ann",
                user="id-Bob",
                name="Bob",
                until=FOR_EVER,
                reason="spam",
            ),
        )
        slow = NewModeration(room=self.ngs, author=self.ann, ts=9, act="slow", seconds=10)
        slowed = self.get(self.store.append(slow)).event
        self.assertEqual((slowed.seconds, slowed.user, slowed.name), (10, None, None))
        self.assertEqual(self.page().events, (muted, slowed))

    def test_impersonation(self):
        by = {"impersonated_by": "admin@example.org"}
        self.say(**by)
        self.get(self.edit(1, "x", **by))
        self.get(self.delete(1, **by))
        self.say()
        found = self.page().events
        self.assertEqual([one.impersonated for one in found], [True, True, True, False])
        self.assertNotIn("admin@", repr(found))
        rows = self.get(self.store.audited(10))
        self.assertEqual([row.detail for row in rows], [{"seq": 3}, {"seq": 2}, {"seq": 1}])
        self.assertEqual(
            {(row.action, row.by, row.room, row.target) for row in rows},
            {("impersonation", "admin@example.org", self.ngs, "Ann")},
        )

    # Pages.

    def test_pages(self):
        for _ in range(10):
            self.say()
        for where, seqs, more in (
            ({"limit": 3}, [8, 9, 10], True),
            ({"limit": 10}, list(range(1, 11)), False),
            ({"limit": 3, "before": 8}, [5, 6, 7], True),
            ({"limit": 3, "before": 4}, [1, 2, 3], False),
            ({"limit": 3, "before": 1}, [], False),
            ({"limit": 3, "after": 0}, [1, 2, 3], True),
            ({"limit": 3, "after": 7}, [8, 9, 10], False),
            ({"limit": 3, "after": 10}, [], False),
            ({"limit": 9, "after": 2, "before": 5}, [3, 4], False),
            ({"limit": 1, "after": 2, "before": 5}, [3], True),
        ):
            page = self.page(**where)
            self.assertEqual([one.seq for one in page.events], seqs, where)
            self.assertEqual(page.more, more, where)

    def test_export(self):
        lab = self.get(self.store.create(self.ann, "unlisted", "Lab", 5)).id
        self.say(text="1", cid="mine")
        self.say(self.bob, text="2")
        self.say(text="3", room=lab)
        self.say(text="4")
        self.say(text="5")
        self.get(self.delete(3))
        self.get(self.edit(1, "1!"))

        def exported(room=None, limit=10):
            texts, after = [], None
            while True:
                page = self.get(self.store.export(self.ann, room, after, limit))
                texts += [one.text for one in page.events]
                after = page.next
                self.assertEqual(page.more, after is not None)
                if after is None:
                    return texts

        for limit in (1, 2, 10):
            self.assertEqual(exported(limit=limit), ["1!", "3", "5"])
        self.assertEqual(exported(room=self.ngs), ["1!", "5"])
        first = self.get(self.store.export(self.ann, None, None, 1)).events[0]
        self.assertEqual(first.cid, "mine")

    # Search.

    def test_search(self):
        self.say(text="The Quick brown fox: reads/sample_1.fastq")
        self.say(text="quick silver café")
        self.say(text="CAFÉ cafe\u0301")
        for query, texts in (
            ("quick", ["quick silver café", "The Quick brown fox: reads/sample_1.fastq"]),
            ("QUICK fox", ["The Quick brown fox: reads/sample_1.fastq"]),
            ("fox qui", ["The Quick brown fox: reads/sample_1.fastq"]),
            ("qui fox", []),
            ("cafe", ["CAFÉ cafe\u0301", "quick silver café"]),
            ("cafè", ["CAFÉ cafe\u0301", "quick silver café"]),
            ("fastq", ["The Quick brown fox: reads/sample_1.fastq"]),
            ("sample_1.fas", ["The Quick brown fox: reads/sample_1.fastq"]),
            ("missing", []),
            ("", []),
            (" ", []),
            ("!?", []),
        ):
            self.assertEqual(self.found(query), texts, query)

    def test_search_takes_any_text(self):
        self.say(text="nothing to see")
        for query in (
            '"',
            "'",
            "a' OR 'b",
            '" OR "',
            "see AND",
            "NOT see",
            "NEAR(see to)",
            "text:see",
            "see*",
            "*",
            "^see",
            "(((",
            "see)",
            "& | ! <-> :*",
            "\\",
            "see\\",
            "\0",
            "see\0",
            "\ud800",
            "😀",
            "😀 see",
            "see 😀",
            "-see",
            "--",
            "a " * 2000,
            "x" * 4000,
            " ".join(f"w{n}" for n in range(1000)),
            "%s %(a)s :a ?",
        ):
            self.found(query)
        for query in ("see*", "(see)", "see 😀", '"see"', "nothing' see", "see:", "%see"):
            self.assertEqual(self.found(query), ["nothing to see"], query)

    def test_any_text_is_found_by_its_beginning(self):
        @settings(max_examples=20)
        @given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=50))
        def check(text):
            self.say(text="zyxwv " + text)
            self.assertIn("zyxwv " + text, self.found("zyx"))
            self.found(text)

        check()

    def test_long_texts_are_found(self):
        text = "endless " + "x" * 3990
        self.say(text=text)
        self.assertEqual(self.found("endless"), [text])
        self.assertEqual(self.found("xxxx"), [text])

    def test_search_follows_changes(self):
        self.say(text="alpha")
        self.get(self.edit(1, "beta"))
        self.assertEqual((self.found("alpha"), self.found("beta")), ([], ["beta"]))
        self.get(self.edit(1, "gamma"))
        self.get(self.delete(1))
        self.assertEqual((self.found("beta"), self.found("gamma")), ([], []))

    def test_search_shows_what_one_may_read(self):
        lab = self.get(self.store.create(self.ann, "unlisted", "Lab", 5)).id
        dm = self.get(self.store.direct(self.ann, self.bob, 5)).id
        for room in (lab, dm, self.ngs):
            self.say(text=f"word {room}", room=room)
        self.assertEqual(len(self.found("word")), 3)
        self.assertEqual(len(self.found("word", self.bob)), 2)
        self.assertEqual(self.found("word", self.eve), [f"word {self.ngs}"])
        self.assertEqual(self.found("word", self.bob, dm), [f"word {dm}"])
        for person, room in ((self.bob, lab), (self.eve, dm)):
            self.assertRejected("noroom", self.store.search(person, "word", room, None, 9))
        self.get(self.store.leave(self.bob, dm))
        self.assertRejected("noroom", self.store.search(self.bob, "word", dm, None, 9))

    def test_search_in_pages(self):
        for n in range(5):
            self.say(text=f"word {n}")
        texts, before = [], None
        while True:
            page = self.get(self.store.search(self.bob, "word", None, before, 2))
            texts += [one.text for one in page.events]
            before = page.next
            if before is None:
                break
        self.assertEqual(texts, [f"word {n}" for n in (4, 3, 2, 1, 0)])

    # Order in the house.

    def test_sanctions(self):
        mute = Sanction(
            person=self.bob, act="mute", until=2_000_000, room=self.ngs, by="a@b", reason="r"
        )
        ban = Sanction(person=self.eve, act="ban", until=FOR_EVER)
        for one in (mute, ban):
            self.get(self.store.sanction(one))
        self.assertEqual(self.get(self.store.sanctions()), [mute, ban])
        longer = replace(mute, until=3_000_000, reason="again")
        self.get(self.store.sanction(longer))
        self.assertEqual(self.get(self.store.sanctions()), [longer, ban])
        self.get(self.store.lift("ban", self.eve, None))
        self.get(self.store.lift("ban", self.eve, None))
        self.get(self.store.lift("mute", self.bob, None))
        self.assertEqual(self.get(self.store.sanctions()), [longer])
        self.clock.advance(2000)
        self.assertEqual(self.get(self.store.sanctions()), [])

    def test_muted_until(self):
        self.assertEqual(self.state(self.bob).muted_until, 0)
        lab = self.get(self.store.create(self.bob, "unlisted", "Lab", 5)).id
        for room, until in ((self.ngs, 2_000_000), (None, 1_500_000)):
            self.get(
                self.store.sanction(Sanction(person=self.bob, act="mute", until=until, room=room))
            )
        self.assertEqual(self.state(self.bob).muted_until, 2_000_000)
        self.assertEqual(self.state(self.bob, lab).muted_until, 1_500_000)
        self.assertEqual(self.state(self.ann).muted_until, 0)
        self.clock.advance(600)
        self.assertEqual(self.state(self.bob, lab).muted_until, 0)
        found = self.get(self.store.rooms_of(self.bob))
        self.assertEqual([one.muted_until for one in found], [2_000_000, 0])

    def test_reports(self):
        self.say(text="bad words")
        self.say(text="others")
        self.get(self.store.report(self.bob, self.ngs, 1, "rude", 10))
        self.get(self.store.report(self.eve, self.ngs, 1, "rude!", 20))
        self.get(self.store.report(self.bob, self.ngs, 2, "too", 30))
        found = self.get(self.store.reports(10))
        self.assertEqual(
            [(one.ref, one.by.name) for one in found], [(2, "Bob"), (1, "Eve"), (1, "Bob")]
        )
        first = found[2]
        self.assertEqual((first.ts, first.room, first.reason), (10, self.ngs, "rude"))
        self.assertEqual((first.author, first.text), (self.ann.user, "bad words"))
        self.assertEqual(len(self.get(self.store.reports(1))), 1)
        self.get(self.store.close_report(first.number, "mod@example.org"))
        self.assertEqual(len(self.get(self.store.reports(10))), 2)
        self.get(self.store.report(self.bob, self.ngs, 1, "again", 40))
        found = self.get(self.store.reports(10))
        self.assertEqual((found[0].reason, found[0].ts, len(found)), ("again", 40, 3))
        self.get(self.delete(1))
        self.assertEqual(self.get(self.store.reports(10))[0].text, "")
        for wrong in (3, 9):
            self.assertRejected("bad", self.store.report(self.bob, self.ngs, wrong, "", 1))
        self.assertRejected("bad", self.store.close_report(9999, "x"))

    def test_audit(self):
        rows = [
            AuditRow(ts=5, action="ban", by="a@b", target="Bob", detail={"until": FOR_EVER}),
            AuditRow(ts=5, action="lock", by="a@b\0", room="r", detail={"why": "\0\ud800ü"}),
            AuditRow(ts=4, action="x", by="c@d", detail={}),
        ]
        for one in rows:
            self.get(self.store.audit(one))
        found = self.get(self.store.audited(10))
        self.assertEqual([row.action for row in found], ["x", "lock", "ban"])
        self.assertEqual([row.detail for row in found], [one.detail for one in rows[::-1]])
        self.assertEqual(replace(found[2], number=0), rows[0])
        older = self.get(self.store.audited(1, found[0].number))
        self.assertEqual([row.action for row in older], ["lock"])

    def test_prune(self):
        texts = [self.say(text=f"word{n}", ts=n * HOUR, names=("bob",)).text for n in range(1, 6)]
        self.get(self.store.report(self.bob, self.ngs, 1, "old", 1))
        self.get(self.store.report(self.bob, self.ngs, 5, "new", 1))
        self.assertEqual(self.get(self.store.prune(4 * HOUR)), 3)
        self.assertEqual(self.seqs(), [4, 5])
        self.assertEqual(self.seqs(after=0), [4, 5])
        self.assertEqual(self.found("word"), texts[:2:-1])
        self.assertEqual(self.found("word1"), [])
        state = self.state(self.bob)
        self.assertEqual((state.last, state.unread, state.mentions), (5, 2, 2))
        self.assertEqual([one.ref for one in self.get(self.store.reports(9))], [5])
        self.assertEqual(self.get(self.store.prune(4 * HOUR)), 0)
        self.assertEqual(self.get(self.store.prune(FOR_EVER)), 2)
        self.assertEqual(self.seqs(), [])
        self.assertEqual(self.say().seq, 6)
        self.assertEqual(self.found("word"), [])

    def test_prune_leaves_no_gap(self):
        for ts in (1, 9, 2, 10):
            self.say(ts=ts)
        self.assertEqual(self.get(self.store.prune(5)), 1)
        self.assertEqual(self.seqs(), [2, 3, 4])

    def test_edits_outlive_what_they_changed(self):
        self.say(ts=1)
        self.get(self.edit(1, "x"))
        self.get(self.store.prune(100))
        found = self.page().events
        self.assertEqual([(one.seq, one.ref) for one in found], [(2, 1)])

    def test_prune_of_many(self):
        for one in [self.store.append(self.draft(ts=1)) for _ in range(503)]:
            self.get(one)
        self.say(ts=100)
        self.assertEqual(self.get(self.store.prune(100)), 503)
        self.assertEqual(self.seqs(), [504])
