"""Variables that a session is told after it has started, when it was started ahead for anybody.

They are in a file of lines ``NAME='as a shell quotes it'``. IPython executes this very file at the
start of each kernel, so that it stands alone and leaves no names in people's notebooks.
"""

import os
import shlex

FILE = "/run/secrets/giestack.env"


def told(path: str = FILE) -> dict[str, str]:
    """What the file says; empty where there is none, or none that can be read."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            words = shlex.split(file.read())
    except (OSError, ValueError):
        return {}
    return dict(word.split("=", 1) for word in words if "=" in word)


if __name__ == "__main__":
    os.environ.update(told())
    del os, shlex, told, FILE
