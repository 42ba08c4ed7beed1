"""What a page is asked."""

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from giestack.site.asked import Answer, Asked
from tests.site.conversation import seen_as

FORM = b"application/x-www-form-urlencoded"


def asked(target: bytes = b"/", content_type: bytes | None = None, body: bytes = b"") -> Asked:
    headers = Headers() if content_type is None else Headers({b"Content-Type": [content_type]})
    return Asked(b"POST", target, True, seen_as(), headers=headers, body=body)


class FormTests(SynchronousTestCase):
    def test_first_value_of_each_field(self) -> None:
        form = asked(content_type=FORM + b"; charset=UTF-8", body=b"a=1&b=%C3%A9&a=2&c=").form
        self.assertEqual(dict(form), {"a": "1", "b": "é", "c": ""})

    def test_anything_but_a_form_is_empty(self) -> None:
        for sort in (None, b"application/json", b"multipart/form-data; boundary=x", b""):
            self.assertEqual(asked(content_type=sort, body=b"a=1").form, {})

    def test_a_form_with_very_many_fields_is_empty(self) -> None:
        self.assertEqual(asked(content_type=FORM, body=b"a=1&" * 65).form, {})

    def test_query(self) -> None:
        self.assertEqual(asked(b"/x?next=%2Fy%3Fz&a=b?c").query, {"next": "/y?z", "a": "b?c"})
        self.assertEqual(asked(b"/x").query, {})


class SingleTests(SynchronousTestCase):
    def test_a_field_that_was_sent_twice_has_no_value(self) -> None:
        headers = Headers({b"X-One": [b"1"], b"X-Two": [b"1", b"1"]})
        request = Asked(b"GET", b"/", True, seen_as(), headers=headers)
        self.assertEqual(request.single(b"x-one"), b"1")
        self.assertIsNone(request.single(b"x-two"))
        self.assertIsNone(request.single(b"x-none"))


class AnswerTests(SynchronousTestCase):
    def test_header_lines(self) -> None:
        answer = Answer(200, ((b"A", b"1"), (b"B", b"2")))
        self.assertEqual(answer.header_lines, b"A: 1\r\nB: 2\r\n")
