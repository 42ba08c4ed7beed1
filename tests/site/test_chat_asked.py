"""Bodies and queries of the chat's addresses."""

from collections.abc import Callable
from functools import partial

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.chat.storage import Rejected
from giestack.site.asked import LONGEST_FORM, Asked
from giestack.site.chat_asked import body, json_object, number, text_of, user, whole
from giestack.site.endpoint import RefusalError
from tests.site.conversation import ALICE, GUEST, seen_as


def asked(target: bytes = b"/", content: bytes = b"", visitor=None) -> Asked:
    return Asked(b"POST", target, False, seen_as(), visitor, body=content)


class AskedTests(SynchronousTestCase):
    def refused(self, code: str, call: Callable[[], object]) -> None:
        with self.assertRaises(Rejected) as caught:
            call()
        self.assertEqual(caught.exception.code, code)

    def test_users_only(self) -> None:
        self.assertIs(user(asked(visitor=ALICE)), ALICE)
        for visitor in (None, GUEST):
            self.assertRaises(RefusalError, user, asked(visitor=visitor))

    def test_bodies(self) -> None:
        self.assertEqual(body(asked(content=b"x" * LONGEST_FORM)), b"x" * LONGEST_FORM)
        self.refused("len", lambda: body(asked(content=b"x" * (LONGEST_FORM + 1))))

    def test_objects(self) -> None:
        self.assertEqual(json_object(asked(content=b'{"a": 1}')), {"a": 1})
        for content in (b"", b"[]", b"1", b"{", b"\xff", b"[" * 60000):
            self.refused("bad", partial(json_object, asked(content=content)))

    def test_numbers(self) -> None:
        self.assertEqual(number(asked(b"/?after=12"), "after"), 12)
        self.assertIsNone(number(asked(b"/?after=12"), "before"))
        for text in ("", "-1", "1.0", "x", "²", "١", "1" * 16, "1_0", " 1"):
            self.refused("bad", partial(whole, text, "after"))

    def test_texts(self) -> None:
        self.assertEqual(text_of({"a": "b"}, "a"), "b")
        self.assertIsNone(text_of({"a": None}, "a"))
        self.assertIsNone(text_of({}, "a"))
        self.refused("bad", lambda: text_of({"a": 1}, "a"))

    @given(st.binary(max_size=200))
    def test_any_body(self, content: bytes) -> None:
        try:
            self.assertIsInstance(json_object(asked(content=content)), dict)
        except Rejected as rejected:
            self.assertEqual(rejected.code, "bad")
