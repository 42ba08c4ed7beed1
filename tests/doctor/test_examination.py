"""All checks together."""

import re

from twisted.trial.unittest import SynchronousTestCase

from giestack.doctor.check import GROUPS
from giestack.doctor.examination import checks_of
from tests.doctor.deployments import SECRET, deployment

ALL = f"""
galaxy: {{id_secret: {SECRET}, database_connection: "sqlite:////d"}}
spawner: {{profiles: [{{name: a, image: b}}]}}
chat: {{}}
"""


class ExaminationTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.checks = checks_of(deployment(ALL, front="http://127.0.0.1:1"), 0o022)

    def test_there_are_many(self) -> None:
        self.assertGreater(len(self.checks), 50)

    def test_ids_are_stable_words_and_nobody_shares_one(self) -> None:
        ids = [check.id for check in self.checks]
        self.assertEqual(len(set(ids)), len(ids))
        for id in ids:
            self.assertRegex(id, re.compile(r"^[a-z]+\.[a-z_]+$"))

    def test_groups_come_in_their_order_and_whole(self) -> None:
        groups = list(dict.fromkeys(check.group for check in self.checks))
        self.assertEqual(groups, list(GROUPS))
        told = [check.group for check in self.checks]
        self.assertEqual(told, sorted(told, key=GROUPS.index))

    def test_nobody_is_waited_for_longer_than_ten_seconds(self) -> None:
        self.assertLessEqual(max(check.seconds for check in self.checks), 10)

    def test_without_anything(self) -> None:
        self.assertGreater(len(checks_of(deployment(), 0o022)), 25)
