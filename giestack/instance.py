"""The name of this giestack among others on the same machine, host or engine."""

import os
import re
import secrets
from pathlib import Path

_kept = re.compile(r"[0-9a-f]{12}").fullmatch


def instance_name(configured: str | None, data_dir: Path) -> str:
    """The configured name, else a random one that is kept in ``data_dir/instance``.

    Waits for the disk: for use before the reactor runs. Raises OSError where the file can't be
    made, ValueError where it holds something else.
    """
    if configured:
        return configured
    file = data_dir / "instance"
    if not file.exists():
        new = data_dir / f"instance.{os.getpid()}"
        new.write_text(f"{secrets.token_hex(6)}\n", encoding="ascii")
        try:
            # Whoever comes first decides.
            os.link(new, file)
        except FileExistsError:
            pass
        finally:
            new.unlink()
    name = file.read_text(encoding="latin-1").strip()
    if not _kept(name):
        raise ValueError(f"{file} is damaged: remove it, or set instance")
    return name
