"""Lines of the access log: the combined log format, with route and times behind it.

``addr - user [time] "METHOD target HTTP/x" status bytes "referer" "user-agent" route=…
upstream=0.003 total=0.004``. The time is UTC, when the exchange was over. ``upstream`` is how
long the backend took until its answer began, ``total`` the whole exchange, both in seconds; for
a tunnel ``total`` is how long it was open. What isn't known is ``-``. A line is plain ASCII:
any other byte, quotes and backslashes are written as ``\\xHH``, as nginx does.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from time import gmtime

from giestack.ops.masking import Masking
from giestack.ops.traffic import LONGEST_FIELD, LONGEST_TARGET, Line

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNSAFE = re.compile(rb"[^ !#-\[\]-~]")
_UNSAFE_IN_WORD = re.compile(rb"[^!#-\[\]-~]")
_LONGEST_WORD = 256
_REMEMBERED = 512

# A host name that was cut in the middle of a token would not look like one any more.
_UNSURE = 320


def stamp(second: int) -> str:
    """The time of a line, for a second since 1970 UTC; the same in every locale."""
    year, month, day, hour, minute, seconds, *_ = gmtime(second)
    return f"{day:02d}/{_MONTHS[month - 1]}/{year:04d}:{hour:02d}:{minute:02d}:{seconds:02d} +0000"


def quoted(text: bytes) -> str:
    """Text that can stand between double quotes in a line."""
    return _UNSAFE.sub(_escape, text).decode("ascii")


def word(text: bytes) -> str:
    """Text that can stand between spaces in a line: never empty, at most some hundred bytes."""
    return _UNSAFE_IN_WORD.sub(_escape, text[:_LONGEST_WORD]).decode("ascii") or "-"


def _escape(match: re.Match[bytes]) -> bytes:
    return b"\\x%02X" % match[0][0]


class LineFormat:
    """Writes lines, with secrets masked. Texts that come often are remembered."""

    def __init__(self, mask: Masking) -> None:
        def target(text: bytes) -> str:
            return shown(text, LONGEST_TARGET).replace(" ", "\\x20")

        def shown(text: bytes, longest: int = LONGEST_FIELD) -> str:
            if len(text) < longest:
                return quoted(mask(text))
            return quoted(mask(text)[:-_UNSURE]) + "..."

        def field(text: bytes | None) -> str:
            return shown(text) if text else "-"

        self._target: Callable[[bytes], str] = lru_cache(_REMEMBERED)(target)
        self._field: Callable[[bytes | None], str] = lru_cache(_REMEMBERED)(field)
        self._word: Callable[[bytes], str] = lru_cache(_REMEMBERED)(word)
        self._name: Callable[[str], str] = lru_cache(_REMEMBERED)(
            lambda name: word(name.encode("utf-8", "backslashreplace"))
        )
        self._second = -1
        self._stamp = ""

    def __call__(self, line: Line, offset: float) -> str:
        """Return the line with its line feed.

        ``offset`` is what to add to the clock's seconds to get seconds since 1970 UTC.
        """
        ended, started, asked, answered, address, user, method = line[:7]
        target, version, status, sent, referer, agent, route = line[7:]
        second = int(ended + offset)
        if second != self._second:
            self._second = second
            self._stamp = stamp(second)
        upstream = f"{max(answered - asked, 0.0):.3f}" if asked and answered else "-"
        return (
            f"{self._word(address)} - {self._name(user) if user else '-'} [{self._stamp}] "
            f'"{self._word(method)} {self._target(target)} HTTP/{version}" {status:03d} {sent} '
            f'"{self._field(referer)}" "{self._field(agent)}" '
            f"route={self._name(route)} upstream={upstream} "
            f"total={max(ended - started, 0.0):.3f}\n"
        )
