"""What the audit log says, and what it never says."""

import json
from datetime import datetime
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.ops import audit_log
from giestack.ops.audit_log import AuditLog
from giestack.spawner.owner import Owner
from giestack.visitor import Anonymous, Identity, Operator
from tests.ops.test_access_log import Paper, Threads

NOW = datetime(2026, 11, 21, 8, 33, 3, 123456)
ALICE = Identity("galaxy", 12, "f2db41e1fa331b3e", "alice", "a@example.org", False, 7, "s3ss10n")


class AuditLogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.paper = Paper()
        self.log = self.start(self.paper)

    def start(self, target: Paper | None) -> AuditLog:
        log = AuditLog(target, self.clock, lambda: NOW, Threads(), lambda seconds: None)
        log.start()
        return log

    def written(self) -> list[dict[str, Any]]:
        self.clock.advance(1)
        written, self.paper.lines = self.paper.lines, []
        return [json.loads(line) for line in written]

    def test_who_did_what(self) -> None:
        self.log("started", ALICE, session="ab12", profile="jupyter", address=b"192.0.2.1")
        self.assertEqual(
            self.written(),
            [
                {
                    "time": "2026-11-21T08:33:03.123Z",
                    "event": "started",
                    "user": "alice",
                    "user_id": "f2db41e1fa331b3e",
                    "session": "ab12",
                    "profile": "jupyter",
                    "address": "192.0.2.1",
                }
            ],
        )

    def who(self, person: Any) -> tuple[object, object]:
        self.log("stopped", person)
        [line] = self.written()
        return line["user"], line["user_id"]

    def test_all_sorts_of_people(self) -> None:
        self.assertEqual(self.who(Owner("galaxy", 5, "abc", None, "o@x.org")), ("o@x.org", "abc"))
        self.assertEqual(self.who(Anonymous(7, "s3ss10n")), (None, None))
        self.assertEqual(self.who(None), (None, None))
        self.assertEqual(self.who(Operator()), ("operator", None))

    def test_an_administrator_in_somebodys_place(self) -> None:
        self.log("entered", Identity("galaxy", 1, "x", "bob", "b@x", False, 1, "k", "root@x.org"))
        [line] = self.written()
        self.assertEqual((line["user"], line["impersonated_by"]), ("bob", "root@x.org"))

    def test_fields_of_all_kinds(self) -> None:
        self.log("culled", None, reason=None, seconds=1.5, count=3, idle=True, what=OSError("no"))
        [line] = self.written()
        self.assertNotIn("reason", line)
        self.assertEqual(
            (line["seconds"], line["count"], line["idle"], line["what"]), (1.5, 3, True, "no")
        )

    def test_no_field_takes_the_place_of_another(self) -> None:
        self.log("refused", ALICE, user="root", time="never")
        [line] = self.written()
        self.assertEqual((line["user"], line["time"]), ("alice", "2026-11-21T08:33:03.123Z"))

    def test_a_record_is_one_line_whatever_is_in_it(self) -> None:
        self.log("failed", None, reason='\udcff"}\n{"event": "started"', name="é\u2028" * 1000)
        [line] = self.written()
        self.assertEqual(line["reason"], '\udcff"}')
        self.assertLess(len(line["name"]), 400)

    def test_no_secret(self) -> None:
        self.log("entered", ALICE, reason="postgresql://galaxy:s3ss10n@db password=s3ss10n")
        self.clock.advance(1)
        self.assertNotIn(b"s3ss10n", b"".join(self.paper.lines))

    def test_what_finds_no_room_is_counted(self) -> None:
        self.patch(audit_log, "RECORDS", 3)
        for _ in range(5):
            self.log("entered", ALICE)
        self.assertEqual((len(self.written()), self.log.dropped), (3, 2))

    def test_off(self) -> None:
        log = self.start(None)
        for _ in range(3):
            log("entered", ALICE)
        self.clock.advance(1)
        log.retarget(self.paper)
        self.assertEqual(self.written(), [])
        log("entered", ALICE)
        self.assertEqual((len(self.written()), log.dropped), (1, 0))
