"""The body of a request for a session."""

import json

from twisted.trial.unittest import SynchronousTestCase

from giestack.site.asked import LONGEST_FORM
from giestack.site.endpoint import RefusalError
from giestack.site.session_request import Wanted, wanted
from giestack.spawner.view import SpawnRefused


class WantedTests(SynchronousTestCase):
    def refused(self, body: bytes) -> tuple[int, str, str]:
        refuse = self.assertRaises(RefusalError, wanted, body).refuse
        return refuse.status, refuse.code, refuse.message

    def test_what_is_asked_for(self) -> None:
        for given, read in (
            ({"profile": "jupyter"}, Wanted("jupyter")),
            ({"profile": "jupyter", "name": None, "options": None}, Wanted("jupyter")),
            (
                {"profile": "j", "name": "my own", "options": {"rows": 5, "debug": [None]}},
                Wanted("j", "my own", {"rows": 5, "debug": [None]}),
            ),
        ):
            self.assertEqual(wanted(json.dumps(given).encode()), read)

    def test_too_large(self) -> None:
        body = json.dumps({"profile": "x" * LONGEST_FORM}).encode()
        self.assertEqual(self.refused(body[: LONGEST_FORM + 1])[:2], (413, "too-large"))

    def test_no_json(self) -> None:
        for body in (
            b"",
            b"{",
            b"profile=jupyter",
            b"\xff\xfe",
            b"\x80",
            b"[" * 60_000,
            b'{"profile": ' + b"9" * 5000 + b"}",
        ):
            self.assertEqual(self.refused(body), (400, "bad-request", "The body must be JSON."))

    def test_no_object(self) -> None:
        for body in (b"[]", b'"jupyter"', b"1", b"null", b"NaN"):
            status, code, message = self.refused(body)
            self.assertEqual((status, code), (400, "bad-request"))
            self.assertIn("must be an object", message)

    def test_wrong_types_are_named(self) -> None:
        for body, name in (
            (b"{}", "profile"),
            (b'{"profile": null}', "profile"),
            (b'{"profile": 1}', "profile"),
            (b'{"profile": ["jupyter"]}', "profile"),
            (b'{"profile": "j", "name": 1}', "name"),
            (b'{"profile": "j", "name": {}}', "name"),
            (b'{"profile": "j", "options": []}', "options"),
            (b'{"profile": "j", "options": "rows"}', "options"),
            (b'{"profile": "j", "image": ["evil"]}', "image"),
            (b'{"profile": "j", "history_id": 5}', "history_id"),
            (b'{"profile": "j", "container": "evil"}', "container"),
        ):
            status, code, message = self.refused(body)
            self.assertEqual((status, code), (400, "bad-request"), body)
            self.assertIn(f"“{name}”", message)

    def test_where_it_comes_from(self) -> None:
        body = {"profile": "j", "history_id": "f2db41e1fa331b3e", "image": "quay.io/site/j:1"}
        self.assertEqual(
            wanted(json.dumps(body).encode()),
            Wanted("j", None, {}, "f2db41e1fa331b3e", "quay.io/site/j:1"),
        )
        self.assertEqual(wanted(b'{"profile": "j", "history_id": null}'), Wanted("j"))

    def test_datasets_are_not_just_left_out(self) -> None:
        for value in ("null", '"f2db41e1fa331b3e"', "[]"):
            body = f'{{"profile": "j", "dataset_id": {value}}}'.encode()
            refused = self.assertRaises(SpawnRefused, wanted, body)
            self.assertEqual((refused.status, refused.field), (422, "dataset_id"))
            self.assertIn("dataset_id", str(refused))

    def test_a_long_key_is_not_told_in_full(self) -> None:
        message = self.refused(json.dumps({"k" * 10_000: 1}).encode())[2]
        self.assertLess(len(message), 200)
