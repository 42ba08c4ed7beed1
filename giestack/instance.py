"""The name of this giestack among others on the same machine, host or engine."""

from pathlib import Path

from giestack.kept_digits import kept_digits


def instance_name(configured: str | None, data_dir: Path) -> str:
    """The configured name, else a random one that is kept in ``data_dir/instance``.

    Waits for the disk: for use before the reactor runs. Raises OSError where the file can't be
    made, ValueError where it holds something else.
    """
    if configured:
        return configured
    return kept_digits(data_dir / "instance", 12)
