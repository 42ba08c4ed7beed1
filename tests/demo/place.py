"""Folders and times for tests of the demo."""

import shutil
import tempfile
from datetime import datetime
from pathlib import Path

NOW = datetime(2026, 5, 4, 3, 2, 1, 654321)


def new_folder(test):
    """A path that does not exist yet, short enough for UNIX sockets below it."""
    above = tempfile.mkdtemp(prefix="gd-")
    test.addCleanup(shutil.rmtree, above, ignore_errors=True)
    return Path(above) / "d"


def mode_of(path):
    """Permission bits of a file."""
    return path.stat().st_mode & 0o777
