"""Times, sizes and places in words, for people."""

from datetime import timedelta

_UNITS = ((86400, "day", "days"), (3600, "h", "h"), (60, "min", "min"), (1, "s", "s"))
_SIZES = ("B", "kB", "MB", "GB", "TB")


def ago(age: timedelta) -> str:
    """Return how long ago something was, in the largest unit that fits."""
    seconds = int(age.total_seconds())
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        count = seconds // length
        if count > 0:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def duration(seconds: float) -> str:
    """Return a time in its two largest units, such as ``1 h 5 min``; under a second is ``0 s``."""
    rest = max(0, int(seconds))
    said: list[str] = []
    for length, one, many in _UNITS:
        count, rest = divmod(rest, length)
        if count:
            said.append(f"{count} {one if count == 1 else many}")
        elif said:
            break
        # From ten minutes on nobody counts seconds.
        if len(said) == 2 or (length == 60 and count >= 10):
            break
    return " ".join(said) or "0 s"


def size(count: float) -> str:
    """Return a number of bytes in the unit that fits; a kB is 1024 bytes, as in the settings."""
    unit = 0
    while count >= 1000 and unit < len(_SIZES) - 1:
        count /= 1024
        unit += 1
    digits = 1 if unit > 2 and count < 9.95 else 0
    return f"{count:.{digits}f} {_SIZES[unit]}"


def ordinal(number: int) -> str:
    """Return ``1st``, ``2nd``, ``3rd``, ``4th``."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10)
    return f"{number}{ending or 'th'}"
