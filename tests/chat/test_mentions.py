"""Whom a text speaks to."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.chat.mentions import MOST_NAMES, Mentions, mentions

NAMES = st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,20}[a-z0-9])?", fullmatch=True)


class MentionTests(SynchronousTestCase):
    def assert_names(self, text: str, *names: str) -> None:
        self.assertEqual(mentions(text), Mentions(names), text)

    def test_names(self) -> None:
        self.assert_names("@alice: hi", "alice")
        self.assert_names("hi @Bob-2.b_c and (@carol), @bob-2.b_c", "bob-2.b_c", "carol")
        self.assert_names("„@alice“ — @bob’s", "alice", "bob")
        self.assert_names("first\n@alice", "alice")

    def test_the_end_of_a_sentence_is_not_in_the_name(self) -> None:
        self.assert_names("ask @alice.", "alice")
        self.assert_names("@alice... @bob-- @carol?", "alice", "bob", "carol")

    def test_emphasis(self) -> None:
        self.assert_names("_@alice_ **@bob** *@carol*", "alice", "bob", "carol")
        self.assert_names("@alice_", "alice_")

    def test_everybody(self) -> None:
        self.assertEqual(mentions("@room: coffee"), Mentions((), True))
        self.assertEqual(mentions("@Room. @alice"), Mentions(("alice",), True))
        self.assertEqual(mentions("@rooms"), Mentions(("rooms",)))

    def test_what_is_no_mention(self) -> None:
        for text in (
            "alice@example.org",
            "a.@example.org",
            "a+@example.org",
            "https://example.org/@alice",
            "@alice@example.org",
            "@aliceé",
            "@",
            "@...",
            "@ alice",
            "@@alice",
            "a lot of words",
            "@" + "a" * 256,
        ):
            self.assert_names(text)

    def test_code(self) -> None:
        self.assert_names("`@alice` @bob `@carol`", "bob")
        self.assert_names("`` ` @alice `` @bob", "bob")
        self.assert_names("```python\n@alice\n```\n@bob", "bob")
        self.assert_names("@bob\n  ```\n@alice", "bob")
        self.assert_names("one ` tick @alice", "alice")
        self.assert_names("three ``` ticks @alice", "alice")
        self.assert_names("``@alice` @bob", "alice", "bob")

    def test_not_too_many(self) -> None:
        text = " ".join([f"@user{number}" for number in range(30)])
        found = mentions(text + " @room")
        self.assertEqual(found.names, tuple([f"user{n}" for n in range(MOST_NAMES)]))
        self.assertTrue(found.everybody)

    @given(st.lists(NAMES.filter(lambda name: name != "room"), max_size=10))
    def test_all_are_found(self, names: list[str]) -> None:
        text = ", ".join([f"@{name}" for name in names])
        self.assertEqual(mentions(text).names, tuple(dict.fromkeys(names)))

    @given(st.text(st.sampled_from("@ab.`~_-\n /é") | st.characters()))
    def test_any_text(self, text: str) -> None:
        found = mentions(text)
        for name in found.names:
            self.assertIn(f"@{name}", text.lower())
        self.assertEqual(mentions(f"````{text.replace('`', '')}````"), Mentions())

    def test_hostile_texts_end(self) -> None:
        for piece in ("@", "@a", "@a.", "`", "` ", "@a`", "``` `` ` ", "\n```"):
            mentions(piece * (100_000 // len(piece)))
        mentions("".join(["`" * number + " " for number in range(1000)]) + "@a")
