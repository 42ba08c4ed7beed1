"""Random digits that a giestack makes once and keeps in a file."""

import os
import re
import secrets
from pathlib import Path


def kept_digits(file: Path, count: int, mode: int = 0o666) -> str:
    """Return the hexadecimal digits in a file, which is made where it is not there.

    The file has the name of the key that can be set in its place. ``count`` is even; ``mode`` is
    what a new file has, without what the umask takes away. Waits for the disk: for use before
    the reactor runs. Raises OSError where it can't be made, ValueError where it holds something
    else.
    """
    if not file.exists():
        new = file.with_name(f"{file.name}.{os.getpid()}")
        new.unlink(missing_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as made:
            made.write(f"{secrets.token_hex(count // 2)}\n")
        try:
            # Whoever comes first decides.
            os.link(new, file)
        except FileExistsError:
            pass
        finally:
            new.unlink()
    text = file.read_text(encoding="latin-1").strip()
    if not re.fullmatch(f"[0-9a-f]{{{count}}}", text):
        raise ValueError(f"{file} is damaged: remove it, or set {file.name}")
    return text
