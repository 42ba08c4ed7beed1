"""Python's package registry, which is on the machine's own network alone."""

import subprocess
import sys
import tempfile


def run(*command: object) -> str:
    """Run a command away from the sources; what it prints. AssertionError where it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, cwd=tempfile.gettempdir(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise AssertionError(f"{words} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def pip(*words: object) -> str:
    """Run pip, which may fetch packages."""
    quiet = ("--disable-pip-version-check", "--quiet")
    return run(sys.executable, "-m", "pip", *quiet, *words)
