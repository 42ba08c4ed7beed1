"""What people say."""

from dataclasses import replace
from typing import Any

from giestack.chat import wire
from tests.chat.people import ADMIN, ALICE, BOB, FREE, ChatCase, identity


class TalkCase(ChatCase):
    def setUp(self) -> None:
        super().setUp()
        self.room = self.lobby
        self.alice = self.come(ALICE, self.room)
        self.bob = self.come(BOB, self.room)
        self.admin = self.come(ADMIN, self.room)
        self.fresh()

    def fresh(self) -> None:
        self.tick()
        for one in (self.alice, self.bob, self.admin):
            one.frames()

    def heard(self) -> list[Any]:
        self.tick()
        return self.bob.events()


class MessageTests(TalkCase):
    def test_said_and_heard(self) -> None:
        ok = self.alice.say(self.room, "hello")
        [one] = self.heard()
        self.assertEqual((one.seq, one.ts, one.text), (ok.seq, ok.ts, "hello"))

    def test_said_twice_it_is_stored_once(self) -> None:
        first = self.alice.say(self.room, "hello", cid="x")
        again = self.alice.say(self.room, "hello", cid="x")
        self.assertEqual((first.seq, first.ts), (again.seq, again.ts))
        self.assertEqual(len(self.heard()), 1)

    def test_what_is_no_message(self) -> None:
        for text, cid, code in (
            ("", "c1", "bad"),
            (" \n\t", "c2", "bad"),
            ("\u200b \u2060\u3164", "c4", "bad"),
            ("x" * 4001, "c3", "len"),
            ("hi", "c" * 65, "bad"),
        ):
            self.assert_refused(self.alice.say(self.room, text, cid=cid), code)
        self.assert_refused(self.alice.ask(wire.Msg, room=self.room, text="hi", cid=""), "bad")
        self.assert_refused(self.alice.say(self.room, "hi", reply=99), "bad")
        self.assertEqual(self.heard(), [])
        self.assertIsInstance(self.alice.say(self.room, "x" * 4000), wire.Ok)

    def test_length_without_limit(self) -> None:
        self.chat.configure(replace(FREE, length=0))
        self.assertIsInstance(self.alice.say(self.room, "x" * 9000), wire.Ok)

    def test_a_room_that_was_not_joined(self) -> None:
        # D4: anybody could write to any room.
        stranger = self.come(identity(5))
        for room in (self.room, "nowhere"):
            self.assert_refused(stranger.say(room, "hi"), "perm")
        self.assertEqual(self.heard(), [])

    def test_mentions_and_replies(self) -> None:
        first = self.alice.say(self.room, "question")
        self.bob.say(self.room, "@alice @nobody @room yes", reply=first.seq)
        _, answer = self.heard()
        self.assertEqual((set(answer.mentions), answer.reply), ({"id1", "room"}, first.seq))

    def test_words_that_are_not_allowed(self) -> None:
        self.chat.configure(replace(FREE, deny=("spam",), mask=("darn",)))
        self.assert_refused(self.alice.say(self.room, "ＳＰＡＭ!"), "filter")
        self.alice.say(self.room, "oh darn it")
        [one] = self.heard()
        self.assertNotIn("darn", one.text)
        self.assertTrue(one.text.startswith("oh "))
        self.assert_refused(self.alice.ask(wire.Edit, room=self.room, ref=1, text="spam"), "filter")

    def test_a_person_has_one_rate_for_all_clients(self) -> None:
        self.chat.configure(replace(FREE, rate=1.0, burst=2))
        other = self.come(ALICE, self.room)
        self.assertIsInstance(self.alice.say(self.room, "1"), wire.Ok)
        self.assertIsInstance(other.say(self.room, "2"), wire.Ok)
        refused = other.say(self.room, "3")
        self.assert_refused(refused, "rate")
        self.assertEqual(refused.retry_ms, 1000)
        self.assertIsInstance(self.bob.say(self.room, "of another one"), wire.Ok)
        self.clock.advance(1)
        self.assertIsInstance(other.say(self.room, "3"), wire.Ok)

    def test_slow_mode(self) -> None:
        self.admin.ask(wire.Mod, act="slow", room=self.room, seconds=30)
        self.assertIsInstance(self.alice.say(self.room, "1"), wire.Ok)
        self.clock.advance(10)
        refused = self.alice.say(self.room, "2")
        self.assert_refused(refused, "rate")
        self.assertEqual(refused.retry_ms, 20_000)
        for text in ("1", "2"):
            self.assertIsInstance(self.admin.say(self.room, text), wire.Ok)
        self.clock.advance(20)
        self.assertIsInstance(self.alice.say(self.room, "2"), wire.Ok)

    def test_the_store_is_down(self) -> None:
        self.store.down = "no space left on device"
        refused = self.alice.say(self.room, "hello", cid="x")
        self.assert_refused(refused, "server")
        self.assertNotIn("device", refused.message)
        self.assertEqual(self.heard(), [])
        self.store.down = None
        self.assertEqual(self.alice.say(self.room, "hello", cid="x").seq, 1)
        self.assertEqual(len(self.heard()), 1)

    def test_many_at_once_stay_in_order(self) -> None:
        self.store.hold()
        for number in range(50):
            self.alice.say(self.room, str(number))
        self.store.release()
        self.assertEqual(self.texts(self.heard()), [str(number) for number in range(50)])


class ChangeTests(TalkCase):
    def setUp(self) -> None:
        super().setUp()
        self.seq = self.alice.say(self.room, "helo").seq
        self.fresh()

    def edit(self, who: Any, text: str = "hello") -> Any:
        return who.ask(wire.Edit, room=self.room, ref=self.seq, text=text)

    def delete(self, who: Any, **fields: object) -> Any:
        return who.ask(wire.Del, room=self.room, ref=self.seq, **fields)

    def test_editing_ones_own(self) -> None:
        ok = self.edit(self.alice)
        [edited] = self.heard()
        self.assertEqual((edited.seq, edited.ref, edited.text), (ok.seq, self.seq, "hello"))
        [message, _] = self.alice.ask(wire.Hist, room=self.room).events
        self.assertEqual((message.text, message.edited), ("hello", edited.ts))

    def test_not_that_of_others(self) -> None:
        for one in (self.bob, self.admin):
            self.assert_refused(self.edit(one), "perm")
        self.assert_refused(self.delete(self.bob), "perm")
        self.assertEqual(self.heard(), [])

    def test_not_after_its_time(self) -> None:
        self.clock.advance(901)
        for answer in (self.edit(self.alice), self.delete(self.alice)):
            self.assert_refused(answer, "perm")

    def test_an_edit_is_a_message_too(self) -> None:
        for text, code in (("", "bad"), ("x" * 4001, "len")):
            self.assert_refused(self.edit(self.alice, text), code)
        self.admin.ask(wire.Mod, act="mute", user="id1")
        self.assert_refused(self.edit(self.alice), "muted")
        self.assertIsInstance(self.delete(self.alice), wire.Ok)

    def test_deleting(self) -> None:
        self.delete(self.alice, reason="not told by plain users")
        [gone] = self.heard()
        self.assertEqual((gone.ref, gone.user, gone.reason), (self.seq, "id1", None))
        [message, _] = self.alice.ask(wire.Hist, room=self.room).events
        self.assertEqual((message.text, message.deleted), ("", True))
        self.assert_refused(self.edit(self.alice), "bad")

    def test_moderators_delete_with_a_reason(self) -> None:
        self.delete(self.admin, reason="off topic")
        [row] = self.came(self.chat.audited(ADMIN))
        self.assertEqual((row.action, row.by, row.target), ("chat-del", "admin", "alice"))
        [gone] = self.heard()
        self.assertEqual((gone.user, gone.reason), ("id9", "off topic"))

    def test_rates_hold_for_changes(self) -> None:
        self.chat.configure(replace(FREE, rate=1.0, burst=1))
        self.edit(self.alice)
        self.assert_refused(self.edit(self.alice), "rate")
        self.assert_refused(self.delete(self.alice), "rate")


class TypingTests(TalkCase):
    def typing(self) -> list[Any]:
        return [one for one in self.bob.frames() if isinstance(one, wire.Writing)]

    def test_others_are_told_seldom(self) -> None:
        self.alice.raw(b'{"t":"typing","room":"%b"}' % self.room.encode())
        self.assertEqual(self.alice.frames(), [])
        [told] = self.typing()
        self.assertEqual((told.user, told.name), ("id1", "alice"))
        self.assertIsInstance(self.alice.ask(wire.Typing, room=self.room), wire.Ok)
        self.assertEqual(self.typing(), [])
        self.clock.advance(3)
        self.alice.ask(wire.Typing, room=self.room)
        self.assertEqual(len(self.typing()), 1)

    def test_not_in_other_rooms(self) -> None:
        self.alice.raw(b'{"t":"typing","room":"nowhere"}')
        self.assertEqual(self.alice.frames(), [])
        self.assert_refused(self.alice.ask(wire.Typing, room="nowhere"), "perm")


class ImpersonationTests(TalkCase):
    def come_as_alice(self, mode: Any) -> Any:
        self.chat.configure(replace(FREE, impersonation=mode))
        actor = self.come(identity(1, "alice", impersonated_by="boss@example.org", session="other"))
        self.assertTrue(actor.hello().impersonated)
        actor.ask(wire.Resume, rooms={self.room: 0})
        return actor

    def test_denied(self) -> None:
        actor = self.come_as_alice("deny")
        self.assert_refused(actor.say(self.room, "it is me"), "perm")
        for kind, fields in (
            (wire.Del, {"ref": 1}),
            (wire.Read, {"seq": 1}),
            (wire.Leave, {}),
            (wire.Report, {"ref": 1, "reason": "x"}),
        ):
            self.assert_refused(actor.ask(kind, room=self.room, **fields), "perm")
        self.assert_refused(actor.ask(wire.Create, name="x"), "perm")
        self.assert_refused(actor.ask(wire.Prefs, opt_in=False), "perm")
        actor.say(self.room, "it is me again")
        rows = self.came(self.chat.audited(ADMIN))
        tried = [(row.by, row.target, row.detail["denied"]) for row in rows]
        self.assertEqual(len(tried), 7)
        self.assertIn(("boss@example.org", "alice", "msg"), tried)
        self.assertEqual(self.noted[0][0], "chat-impersonation-denied")
        self.assertEqual(self.heard(), [])
        self.alice.say(self.room, "that was not me")
        self.assertEqual(len(self.heard()), 1)

    def test_marked_and_written_down(self) -> None:
        actor = self.come_as_alice("mark")
        actor.say(self.room, "it is me")
        [one] = self.heard()
        self.assertTrue(one.impersonated)
        [row] = self.came(self.chat.audited(ADMIN))
        self.assertEqual(
            (row.action, row.by, row.target), ("impersonation", "boss@example.org", "alice")
        )
        self.assertEqual(self.noted[-1][0], "chat-impersonated")

    def test_allowed_and_written_down(self) -> None:
        actor = self.come_as_alice("allow")
        actor.say(self.room, "it is me")
        [one] = self.heard()
        self.assertFalse(one.impersonated)
        self.assertEqual(len(self.came(self.chat.audited(ADMIN))), 1)
        actor.ask(wire.Edit, room=self.room, ref=one.seq, text="it was me")
        actor.ask(wire.Del, room=self.room, ref=one.seq)
        rows = self.came(self.chat.audited(ADMIN))
        self.assertEqual([row.detail["seq"] for row in rows], [3, 2, 1])
        self.assertEqual({row.by for row in rows}, {"boss@example.org"})

    def test_nothing_is_chosen_or_read_for_somebody_else(self) -> None:
        actor = self.come_as_alice("mark")
        for kind, fields in (
            (wire.Read, {"room": self.room, "seq": 1}),
            (wire.Leave, {"room": self.room}),
            (wire.Prefs, {"opt_in": False}),
        ):
            self.assert_refused(actor.ask(kind, **fields), "perm")

    def test_nothing_private_is_told(self) -> None:
        bob = self.come(BOB)
        for mode, told in (("deny", []), ("mark", []), ("allow", ["dm", "unlisted", "read"])):
            actor = self.come_as_alice(mode)
            actor.frames()
            name = f"for {mode}"
            private = [
                bob.ask(wire.Create, kind="dm", user="id1").room.id,
                self.alice.ask(wire.Create, kind="unlisted", name=name).room.id,
            ]
            bob.say(private[0], "psst")
            self.alice.ask(wire.Read, room=private[0], seq=1)
            self.tick()
            frames = actor.frames()
            found: list[str] = [one.room.kind for one in frames if isinstance(one, wire.Room)]
            found += ["read" for one in frames if isinstance(one, wire.Marked)]
            # The talk with Bob is new only once.
            self.assertEqual(found, [one for one in told if one != "dm"], mode)
            actor.leave()
