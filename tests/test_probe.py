"""Passes of the doctor."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.probe import LIFETIME, is_pass, key_of, signed

KEY = key_of("a secret of sixteen or more")
WORD = "abcdefghijklmnop"
NOW = 1_700_000_000.5


class PassTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.text = signed(KEY, NOW, WORD).encode()

    def test_a_pass_is_one(self) -> None:
        self.assertTrue(is_pass(KEY, self.text, NOW))

    def test_not_with_another_secret(self) -> None:
        self.assertFalse(is_pass(key_of("another secret, just as long"), self.text, NOW))

    def test_for_a_while_only(self) -> None:
        for ago in (LIFETIME - 1, -LIFETIME + 1):
            self.assertTrue(is_pass(KEY, self.text, NOW + ago))
        for ago in (LIFETIME + 1, -LIFETIME - 1):
            self.assertFalse(is_pass(KEY, self.text, NOW + ago))

    def test_nothing_of_it_can_be_changed(self) -> None:
        for at in range(len(self.text)):
            other = bytearray(self.text)
            other[at] ^= 1
            self.assertFalse(is_pass(KEY, bytes(other), NOW), at)

    def test_the_secret_is_not_the_key(self) -> None:
        self.assertNotIn(b"secret", key_of("a secret of sixteen or more"))

    @given(st.binary(max_size=200))
    def test_other_texts_are_none(self, text: bytes) -> None:
        self.assertFalse(is_pass(KEY, text, NOW))
