"""What an engine answers: JSON, or an error in its words."""

import json

from twisted.trial.unittest import SynchronousTestCase

from giestack.docker.answer import Answer, refusal, words_of
from giestack.docker.errors import Conflict, DockerError, NotFound


class JsonTests(SynchronousTestCase):
    def test_what_was_asked_for(self) -> None:
        answer = Answer(200, b'{"Id": "x", "StatusCode": 137, "None": null}')
        self.assertEqual(answer.object()["Id"], "x")
        self.assertEqual((answer.text("Id"), answer.number("StatusCode")), ("x", 137))
        self.assertEqual(Answer(200, b'[{"a": 1}]').objects(), [{"a": 1}])

    def test_null_is_an_empty_list(self) -> None:
        self.assertEqual(Answer(200, b"null").objects(), [])

    def test_something_else_is_an_error_of_the_engine(self) -> None:
        for body in (b"", b"OK", b"\xff", b"[" * 100_000, b"[1]", b'"x"', b"{}", b"1"):
            answer = Answer(200, body)
            for ask in (lambda: answer.text("Id"), lambda: answer.number("Id")):  # noqa: B023
                self.assertIn("JSON", str(self.assertRaises(DockerError, ask)))
        for body in (b"[1]", b"{}", b"1", b"x"):
            self.assertRaises(DockerError, Answer(200, body).objects)


class WordsTests(SynchronousTestCase):
    def test_the_message(self) -> None:
        self.assertEqual(words_of(b'{"message": "No such image: \\u2603\\nx"}'), "No such image: ☃")

    def test_text(self) -> None:
        self.assertEqual(words_of(b"\n404 page not found\nmore\n"), "404 page not found")
        self.assertEqual(words_of(b"\xff\0"), "\ufffd")

    def test_other_json_is_text(self) -> None:
        for body in (b'{"error": 1}', b'{"message": 1}', b"[1]"):
            self.assertEqual(words_of(body), body.decode())

    def test_the_title_of_a_page(self) -> None:
        # As nginx says it, in front of an engine.
        page = b"<html>\r\n<head><title>400 No required SSL certificate was sent</title></head>"
        self.assertEqual(words_of(page), "400 No required SSL certificate was sent")

    def test_no_more_than_500_characters(self) -> None:
        self.assertEqual(len(words_of(json.dumps({"message": "x" * 9999}).encode())), 500)
        self.assertEqual(len(words_of(b"y" * 9999)), 500)

    def test_kinds(self) -> None:
        for status, kind in ((404, NotFound), (409, Conflict), (500, DockerError)):
            error = refusal(status, b"x")
            self.assertEqual((type(error), error.status, str(error)), (kind, status, "x"))

    def test_without_a_word(self) -> None:
        self.assertEqual(
            str(refusal(503, b"")), "the engine answers with status 503, and without a word"
        )
