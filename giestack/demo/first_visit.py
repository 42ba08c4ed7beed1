"""What somebody meets at first in a JupyterLab of the demo: a notebook, and no questions."""

import json
from pathlib import Path

NOTEBOOK = "Welcome.ipynb"

QUIET: dict[str, object] = {
    # Nothing is asked of other hosts.
    "LabApp.news_url": None,
    "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    "LabApp.extension_manager": "readonly",
    # Looking for them starts npm.
    "LanguageServerManager.autodetect": False,
}
"""Jupyter's configuration by name."""

UNASKED = Path("lab", "user-settings", "@jupyterlab", "apputils-extension")
"""The folder of `NO_NEWS` below Jupyter's configuration."""

NO_NEWS = ("notification.jupyterlab-settings", '{"fetchNews": "false"}')
"""A file and what it holds: else everybody is asked whether Jupyter may look for news."""


def notebook(words: str) -> str:
    """Return a notebook with these words in Markdown, and something to compute."""
    cells = [
        {"cell_type": "markdown", "id": "welcome", "metadata": {}, "source": words},
        {
            "cell_type": "code",
            "id": "answer",
            "metadata": {},
            "source": "6*7",
            "execution_count": None,
            "outputs": [],
        },
    ]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    return json.dumps(
        {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5},
        indent=1,
    )
