"""Problems: values that print as one line."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.settings.problems import Problem, Report, SettingsError


class ProblemTests(SynchronousTestCase):
    def test_line_of_text(self) -> None:
        self.assertEqual(str(Problem("a.b", "is wrong")), "a.b: is wrong")
        self.assertEqual(str(Problem("a.b", "is wrong", 7)), "a.b: is wrong (line 7)")
        self.assertEqual(str(Problem("", "is wrong", 7)), "is wrong (line 7)")

    def test_error_has_one_line_for_each(self) -> None:
        error = SettingsError((Problem("a", "x"), Problem("b", "y")), (Problem("c", "z"),))
        self.assertEqual(str(error), "a: x\nb: y")
        self.assertEqual([one.path for one in error.warnings], ["c"])


class ReportTests(SynchronousTestCase):
    def test_nothing_that_a_terminal_acts_upon(self) -> None:
        report = Report()
        report.problem("a\x1b[31m", "b\nc\u2028d\x85e\ud800")
        report.warn("a\rb", "c\x00")
        self.assertEqual(report.problems, [Problem("a�[31m", "b�c�d�e�")])
        self.assertEqual(report.warnings, [Problem("a�b", "c�")])

    def test_sound_looks_at_a_key_and_below_it(self) -> None:
        report = Report()
        report.problem("proxy.services[0].path", "x")
        report.problem("galaxy", "x")
        for path in ("proxy", "proxy.services", "proxy.services[0]", "galaxy"):
            self.assertFalse(report.sound(path), path)
        for path in ("prox", "proxy.service", "proxy.services[0].backend", "galaxy.url"):
            self.assertTrue(report.sound(path), path)
        self.assertFalse(report.sound("log", "proxy"))
