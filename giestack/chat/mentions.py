"""Whom a message speaks to: ``@name`` and ``@room`` in its text (pure)."""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

MOST_NAMES = 20
"""More people than that are spoken to as a room."""

EVERYBODY = "room"

_LONGEST = 255

# Not behind what makes it an e-mail address or a part of a URL, nor before what does. An
# underscore may stand there: so does emphasis.
_MENTION = re.compile(r"(?<![^\W_])(?<![.+/@-])@([A-Za-z0-9._-]++)(?![\w@])")
_TICKS = re.compile(r"`+")


@dataclass(frozen=True, slots=True)
class Mentions:
    """Whom a text speaks to.

    :ivar names: public names in lower case, each once, in the order of the text.
    :ivar everybody: whether it speaks to the whole room.
    """

    names: tuple[str, ...] = ()
    everybody: bool = False


def mentions(text: str) -> Mentions:
    """Find whom a text speaks to, `MOST_NAMES` at most.

    Names are as Galaxy has them: letters a to z, digits, ``.``, ``_`` and ``-``. Dots and hyphens
    at the end are the sentence's, underscores are emphasis where one stands in front of the
    ``@`` too. What stands in code is no mention.
    """
    if "@" not in text:
        return Mentions()
    names: dict[str, None] = {}
    everybody = False
    for start, end in _prose(text):
        for found in _MENTION.finditer(text, start, end):
            name = _name(text, found)
            if name == EVERYBODY:
                everybody = True
            elif 0 < len(name) <= _LONGEST and len(names) < MOST_NAMES:
                names[name] = None
    return Mentions(tuple(names), everybody)


def _name(text: str, found: re.Match[str]) -> str:
    name = found[1].lower()
    emphasis = found.start() > 0 and text[found.start() - 1] == "_"
    return name.rstrip("._-" if emphasis else ".-")


def _prose(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of what is not in code: spans, and blocks that may lack an end.

    A span ends with as many backticks as it began with (CommonMark 0.31 section 6.1).
    """
    ticks = [found.span() for found in _TICKS.finditer(text)]
    by_length = defaultdict(list)
    for index, (start, end) in enumerate(ticks):
        by_length[end - start].append(index)
    index = place = 0
    while index < len(ticks):
        start, end = ticks[index]
        same = by_length[end - start]
        other = bisect_left(same, index + 1)
        if other < len(same):
            yield place, start
            index = same[other]
            place = ticks[index][1]
        elif end - start >= 3 and not text[text.rfind("\n", 0, start) + 1 : start].strip():
            yield place, start
            return
        index += 1
    yield place, len(text)
