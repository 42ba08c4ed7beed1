"""Names that others see."""

import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.chat.names import (
    LONGEST_PERSON,
    LONGEST_ROOM,
    cleaned,
    comparison_key,
    is_invisible,
    person_name,
    room_name,
)

ODD = st.text(
    st.sampled_from(
        "ab \t\n\0\u200b\u202e\u2066\u0301\u0323\u0336\u3164\u115f\u1161\ufb01é\u00a0½ﷺ"
    )
    | st.characters()
)


class CleanedTests(SynchronousTestCase):
    def test_forms_are_one(self) -> None:
        for name, clean in (
            ("alice", "alice"),
            ("Ａｌｉｃｅ", "Alice"),
            ("ﬁnn", "finn"),
            ("e\u0301va", "éva"),
            ("  Genome\t\n Annotation\u00a0 ", "Genome Annotation"),
            ("日本語 ユーザー", "日本語 ユーザー"),
            ("مستخدم", "مستخدم"),
        ):
            self.assertEqual(cleaned(name), clean)

    def test_what_turns_the_direction_goes(self) -> None:
        turning = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
        self.assertEqual(cleaned("nim" + turning + "da"), "nimda")

    def test_what_shows_nothing_goes(self) -> None:
        unseen = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u115f\u1160\u3164\uffa0\u2800\ufe0f"
        unseen += "\U000e0101\U000e0041\0\x07\x1b\x7f\ud800\ue000\U0010ffff"
        self.assertEqual(cleaned("ad" + unseen + "min"), "admin")
        self.assertEqual(cleaned(unseen), "")

    def test_marks_do_not_pile_up_and_stand_on_something(self) -> None:
        self.assertEqual(cleaned("z" + "\u0335" * 50 + "a"), "z" + "\u0335" * 4 + "a")
        self.assertEqual(cleaned("\u0335 \u0335z"), "z")
        self.assertEqual(cleaned("\u0335"), "")

    @given(ODD)
    @example("a\u200d\u0301")
    @example(" \u0301")
    def test_twice_is_once(self, name: str) -> None:
        clean = cleaned(name)
        self.assertEqual(cleaned(clean), clean)
        self.assertEqual(unicodedata.normalize("NFKC", clean), clean)
        self.assertEqual(" ".join(clean.split()), clean)
        self.assertFalse([one for one in clean if is_invisible(one)])
        clean.encode()


class PersonTests(SynchronousTestCase):
    def test_a_public_name_is_the_name(self) -> None:
        self.assertEqual(person_name("alice", "f2db41e1fa331b3e"), "alice")

    def test_who_has_none_is_called_by_the_id(self) -> None:
        for name in (None, "", " ", "\u202e\u200b"):
            self.assertEqual(person_name(name, "f2db41e1fa331b3e"), "user-f2db41e1fa331b3e")

    def test_long_names_are_cut(self) -> None:
        self.assertEqual(person_name("a" * 63 + " b", "1"), "a" * 63)

    @given(st.none() | ODD, st.text(max_size=100))
    def test_everybody_has_one(self, name: str | None, id: str) -> None:
        found = person_name(name, id)
        self.assertTrue(1 <= len(found) <= LONGEST_PERSON)
        self.assertEqual(cleaned(found), found)


class RoomTests(SynchronousTestCase):
    def test_names(self) -> None:
        self.assertEqual(room_name(" RNA-Seq "), "RNA-Seq")
        self.assertEqual(room_name("r" * LONGEST_ROOM), "r" * LONGEST_ROOM)

    def test_refusals(self) -> None:
        for name in ("", " \u200b", "r" * (LONGEST_ROOM + 1), "ﷺ" * 5):
            self.assertRaises(ValueError, room_name, name)


class ComparisonTests(SynchronousTestCase):
    def test_what_looks_alike_is_alike(self) -> None:
        for one, other in (
            ("admin", "ADMIN"),
            ("admin", "аdmіn"),
            ("alice", "aIice"),
            ("b0b", "bob"),
            ("modern", "modem"),
            ("RNA-Seq", "rna_seq"),
            ("NGS", "ＮＧＳ\u200b"),
            ("Straße", "STRASSE"),
        ):
            self.assertEqual(comparison_key(one), comparison_key(other))

    def test_what_people_tell_apart_is_not(self) -> None:
        keys = {comparison_key(one) for one in ("alice", "alina", "Tür", "Tur", "NGS", "NGS 2", "")}
        self.assertEqual(len(keys), 7)

    @given(ODD)
    def test_case_does_not_count(self, name: str) -> None:
        self.assertEqual(comparison_key(cleaned(name)), comparison_key(name))
        self.assertEqual(comparison_key(cleaned(name).casefold()), comparison_key(name))
