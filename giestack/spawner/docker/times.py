"""Times as Docker writes them."""

from datetime import datetime


def seconds_of(text: object) -> float | None:
    """Seconds since the epoch of ``2026-11-21T14:34:44.056965205Z``; None: there is none."""
    if not isinstance(text, str) or text.startswith("0001-"):
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None
