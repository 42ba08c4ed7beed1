"""What somebody sees who waits."""

import io

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.demo.image.progress import Progress


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


class ProgressTests(SynchronousTestCase):
    def tell(self, out: io.StringIO) -> str:
        clock = Clock()
        progress = Progress(out, clock.seconds)
        progress.done("Here we go")
        progress.step("fetching")
        clock.advance(61.4)
        progress.note("half of it")
        progress.note("x" * 500)
        progress.step("packing")
        clock.advance(2)
        progress.done("That's it")
        self.assertEqual(progress.elapsed, 63.4)
        return out.getvalue()

    def test_in_a_file_a_line_for_each_step(self) -> None:
        lines = ["Here we go", " 0:00  fetching", " 1:01  packing", "That's it", ""]
        self.assertEqual(self.tell(io.StringIO()).split("\n"), lines)

    def test_on_a_screen_what_goes_on(self) -> None:
        said = self.tell(Screen())
        self.assertIn("\r\x1b[K 0:00  fetching: half of it", said)
        # What stays are the steps.
        lines = [line.rpartition("\x1b[K")[2] for line in said.split("\n")]
        self.assertEqual(
            lines, ["Here we go", " 0:00  fetching", " 1:01  packing", "That's it", ""]
        )

    def test_a_line_fits_on_the_screen(self) -> None:
        pieces = self.tell(Screen()).replace("\n", "\r").split("\r")
        self.assertLessEqual(max(len(piece.removeprefix("\x1b[K")) for piece in pieces), 79)
