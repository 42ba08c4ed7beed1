"""Words that are denied or hidden."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.chat.word_filter import Denied, WordFilter

TEXTS = st.text(
    st.sampled_from("abADÄä ._-\u200b\u0301\u0308ﬀſßÅ한ᄒ\u1161\u11ab") | st.characters()
)


class DenyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.filter = WordFilter(["darn", "heck*", "Süß", "go away", "हिन", "c++"])

    def denied(self, text: str, word: str) -> None:
        self.assertEqual(self.filter.check(text), Denied(word), text)

    def passes(self, text: str) -> None:
        self.assertEqual(self.filter.check(text), text)

    def test_words(self) -> None:
        self.denied("oh darn!", "darn")
        self.denied("DARN", "DARN")
        self.denied("_darn_, **darn**", "darn")
        self.denied("I like c++.", "c++")

    def test_parts_of_words_are_no_words(self) -> None:
        for text in ("darning", "goddarn", "darn1", "check", "हिन्दी", "darnा", ""):
            self.passes(text)

    def test_words_that_begin_so(self) -> None:
        self.denied("what the heck", "heck")
        self.denied("HECKING_ok", "HECKING")
        self.denied("heckनी", "heckनी")

    def test_words_in_other_forms(self) -> None:
        self.denied("ｄａｒｎ", "ｄａｒｎ")
        self.denied("da\u200brn\u200b", "da\u200brn")
        self.denied("d\u0336a\u0336r\u0336n\u0336 it", "d\u0336a\u0336r\u0336n\u0336")
        self.denied("SÜSS", "SÜSS")
        self.denied("su\u0308ß", "su\u0308ß")
        self.passes("suß")

    def test_several_words(self) -> None:
        self.denied("Go\n  away", "Go\n  away")
        self.denied("go…away", "go…away")
        self.passes("go far away")
        self.passes("goaway")

    def test_syllables_are_one_letter_however_written(self) -> None:
        found = WordFilter(["한글"])
        apart = unicodedata.normalize("NFD", "한글")
        self.assertEqual(found.check(f"a {apart} b"), Denied(apart))


class MaskTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.filter = WordFilter(["worse"], ["bad", "bad taste", "ugly*"])

    def test_words_are_hidden_where_they_stand(self) -> None:
        self.assertEqual(
            self.filter.check("Bad, and ugliness; UGLYISH."), "•••, and ugliness; •••••••."
        )
        self.assertEqual(self.filter.check("ab\u0308 b\u200bad é"), "ab\u0308 •••• é")

    def test_the_longer_one_counts(self) -> None:
        self.assertEqual(self.filter.check("bad  taste bad"), "•••••••••• •••")

    def test_denied_comes_first(self) -> None:
        self.assertEqual(self.filter.check("bad or worse"), Denied("worse"))

    def test_ligatures_are_hidden_whole(self) -> None:
        self.assertEqual(WordFilter(mask=["staff"]).check("the staﬀ!"), "the ••••!")


class AnyTests(SynchronousTestCase):
    def test_an_empty_filter_does_nothing(self) -> None:
        text = "anything \u202e at all"
        self.assertIs(WordFilter().check(text), text)

    def test_entries_that_are_everywhere(self) -> None:
        for entry in ("", " ", "*", "***", "-", "\u200b", "_*"):
            self.assertRaises(ValueError, WordFilter, [entry])
            self.assertRaises(ValueError, WordFilter, [], [entry])

    @given(TEXTS)
    def test_hiding_keeps_the_length_and_the_rest(self, text: str) -> None:
        hidden = WordFilter(mask=["a", "ad*", "b ä", "한"]).check(text)
        assert isinstance(hidden, str)
        self.assertEqual(len(hidden), len(text))
        for was, now in zip(text, hidden, strict=True):
            self.assertIn(now, (was, "•"))

    @given(TEXTS)
    def test_whatever_is_a_word_is_found_in_its_text(self, word: str) -> None:
        try:
            found = WordFilter([word.replace("*", "")])
        except ValueError:
            return
        self.assertIsInstance(found.check(f"so {word.replace('*', '')} it is"), Denied)

    def test_hostile_texts_end(self) -> None:
        # Each of these takes hours if the pattern goes back on its way, or a square of the length.
        entries = ["a", "aa*", "a a", "a a a a a a a a b*", "a" * 60 + "b"]
        found = WordFilter([*entries[3:]], entries)
        for piece in ("a", "a ", "a_", "a\u0301", "\u0301", "a\u200b", " ", "ﷺ", "a" * 60 + " "):
            text = piece * (100_000 // len(piece))
            self.assertIsInstance(found.check(text), str)
