"""What somebody meets at first in a JupyterLab of the demo."""

import nbformat
from twisted.trial.unittest import SynchronousTestCase

from giestack.demo.first_visit import notebook


class NotebookTests(SynchronousTestCase):
    def test_valid_with_words_and_something_to_compute(self):
        found = nbformat.reads(notebook("# Hello"), as_version=4)
        nbformat.validate(found)
        sources = [(cell.cell_type, cell.source) for cell in found.cells]
        self.assertEqual(sources, [("markdown", "# Hello"), ("code", "6*7")])
