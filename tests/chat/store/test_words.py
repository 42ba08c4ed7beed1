"""Texts as databases take, compare and find them."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.chat.store.words import (
    MOST_WORDS,
    folded,
    fts5_query,
    is_storable,
    lowered,
    storable,
    tsquery,
    words,
)

ANY = st.text(st.characters(exclude_categories=()))


class WordsTests(SynchronousTestCase):
    @given(ANY)
    def test_every_text_becomes_storable(self, text):
        made = storable(text)
        made.encode()
        self.assertNotIn("\0", made)
        self.assertEqual(len(made), len(text))
        self.assertEqual(is_storable(text), made == text)
        self.assertTrue(is_storable(folded(text)) and is_storable(lowered(text)))

    def test_what_can_not_be_stored(self):
        self.assertEqual(storable("a\0b\ud800c😀"), "a\ufffdb\ufffdc😀")
        self.assertTrue(is_storable("ü😀\n"))

    def test_names(self):
        self.assertEqual(folded(" Straße Ⅳ "), "strasse iv")
        self.assertEqual(lowered("ÄNNE"), "änne")

    def test_words(self):
        self.assertEqual(words("Café, CAFE\u0301! x_1"), ["cafe", "x", "1"])
        self.assertEqual(words("reads/s1.fastq"), ["reads", "s1", "fastq"])
        self.assertEqual(words(""), [])
        self.assertEqual(words("x" * 4000), ["x" * 250])

    @given(ANY)
    def test_queries_hold_no_operators(self, text):
        query = fts5_query(text)
        self.assertEqual(query.count('"') % 2, 0)
        for outside in query.split('"')[::2]:
            self.assertEqual(outside.strip(" *"), "")
        for outside in tsquery(text).split("'")[::2]:
            self.assertIn(outside, ("", " & ", ":*"))

    def test_queries(self):
        self.assertEqual(fts5_query('say "hi" now'), '"say" """hi""" "now"*')
        self.assertEqual(tsquery('say "hi" now'), "'say' & 'hi' & 'now':*")
        self.assertEqual((fts5_query("!? 😀"), tsquery("!? 😀")), ("", ""))
        many = " ".join(f"w{n}" for n in range(100))
        self.assertEqual(fts5_query(many).count(" ") + 1, MOST_WORDS)
        self.assertEqual(tsquery(many).count("&") + 1, MOST_WORDS)
