"""The widget's JavaScript, tested by Node's own test runner."""

import os
import re
from pathlib import Path
from shutil import which

from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

HERE = Path(__file__).parent / "widget"
ENGINE = Path(__file__).parents[2] / "giestack" / "chat" / "widget" / "engine"


class EngineTests(TestCase):
    timeout = 300

    async def test_by_node(self):
        node = which("node") or which("nodejs")
        self.assertIsNotNone(node, "the tests of the widget need Debian's package nodejs")
        tests = sorted(str(path) for path in HERE.glob("*.test.mjs"))
        out, err, status = await getProcessOutputAndValue(
            node, ["--test", "--test-reporter=tap", *tests], os.environ, str(HERE)
        )
        said = out.decode() + err.decode()
        self.assertEqual(status, 0, said)
        # Files without a test in them pass as well.
        passed = re.search(r"^# pass (\d+)$", said, re.MULTILINE)
        assert passed is not None, said
        self.assertGreater(int(passed[1]), 200)
        for nothing in ("skipped", "todo", "cancelled"):
            self.assertIn(f"# {nothing} 0\n", said)

    def test_the_engine_asks_for_nothing_from_elsewhere(self):
        for path in ENGINE.glob("*.js"):
            text = path.read_text(encoding="utf-8")
            for imported in re.findall(r"""(?:from|import)\s*\(?\s*["']([^"']+)""", text):
                self.assertTrue((ENGINE / imported).is_file(), f"{path.name}: {imported}")
                self.assertTrue(imported.startswith("./"), f"{path.name}: {imported}")

    def test_the_engine_writes_no_markup_and_runs_no_text(self):
        for path in ENGINE.glob("*.js"):
            text = path.read_text(encoding="utf-8")
            for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "new Function"):
                self.assertNotIn(word, text, path.name)
