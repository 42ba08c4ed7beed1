"""Words that are not allowed, or not shown (pure).

Words are compared as they look, not as they are written: compatibility forms and case don't
count (NFKC, casefold), nor does what is invisible, nor a line struck through a letter. A word is
found between word borders only, so that "ass" says nothing about "class". Searching takes time
in proportion to the text, whatever that is: no part of the one pattern can match in two ways.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache

from giestack.chat.names import is_invisible

_MASK = "•"
"""Takes the place of each hidden character: Markdown doesn't know it."""

# Blocks of marks for any letter, and jamo that grow together to syllables.
_FREE_MARKS = (
    range(0x0300, 0x0370),
    range(0x1AB0, 0x1B00),
    range(0x1DC0, 0x1E00),
    range(0x20D0, 0x2100),
    range(0xFE20, 0xFE30),
)
_JAMO = range(0x1161, 0x11C3)


@dataclass(frozen=True, slots=True)
class Denied:
    """A text holds a word that is not allowed: ``word``, as it stands in the text."""

    word: str


class WordFilter:
    """Looks for words in texts.

    Texts with a word of ``deny`` are refused; those of ``mask`` are hidden. An entry is a word,
    or some with spaces between; with ``*`` at its end all words that begin so.

    :raises ValueError: for an entry that would be found everywhere.
    """

    def __init__(self, deny: Iterable[str] = (), mask: Iterable[str] = ()) -> None:
        self._deny = _pattern(deny)
        self._mask = _pattern(mask)

    def check(self, text: str) -> str | Denied:
        """Return the text, with words hidden that are not to be shown; its length stays."""
        if self._deny is None and self._mask is None:
            return text
        looks = _Looks(text)
        if self._deny is not None:
            found = self._deny.search(looks.text)
            if found is not None:
                start, end = looks.place(found)
                return Denied(text[start:end])
        if self._mask is not None:
            return self._hidden(text, looks, self._mask)
        return text

    @staticmethod
    def _hidden(text: str, looks: "_Looks", pattern: re.Pattern[str]) -> str:
        kept, last = [], 0
        for found in pattern.finditer(looks.text):
            start, end = looks.place(found)
            kept += [text[last:start], _MASK * (end - start)]
            last = end
        return "".join([*kept, text[last:]])


class _Looks:
    """A text as it looks, and where each character of that stands in the text itself.

    :ivar text: what to search.
    """

    def __init__(self, text: str) -> None:
        self._starts: list[int] | None = None
        self._ends: list[int] = []
        if text.isascii() and text.isprintable():
            self.text = text.lower().replace("_", " ")
            return
        shown: list[str] = []
        starts: list[int] = []
        ends = self._ends
        for place, character in enumerate(text):
            for one in _folded(character):
                number = ord(one)
                if shown and (unicodedata.combining(one) or number in _JAMO):
                    both = unicodedata.normalize("NFC", shown[-1] + one)
                    if len(both) == 1:
                        shown[-1] = both
                        ends[-1] = place + 1
                        continue
                    if any(number in block for block in _FREE_MARKS):
                        ends[-1] = place + 1
                        continue
                shown.append(one)
                starts.append(place)
                ends.append(place + 1)
        self.text = "".join(shown)
        self._starts = starts

    def place(self, found: re.Match[str]) -> tuple[int, int]:
        """Start and end of a match in the text itself."""
        if self._starts is None:
            return found.span()
        return self._starts[found.start()], self._ends[found.end() - 1]


@lru_cache(maxsize=4096)
def _folded(character: str) -> str:
    if character == "_" or character.isspace():
        return " "
    # Taking one character apart needs no other; putting together is up to who has them all.
    apart = unicodedata.normalize("NFKD", character).casefold()
    return "".join([one for one in unicodedata.normalize("NFKD", apart) if not is_invisible(one)])


def _pattern(entries: Iterable[str]) -> re.Pattern[str] | None:
    # The longer ones first: of two that begin alike the whole of the longer one is meant.
    words = sorted({_entry(one) for one in entries}, key=lambda one: (-len(one), one))
    if not words:
        return None
    return re.compile(f"(?<!{_letter()})(?:{'|'.join(words)})(?!{_letter()})")


def _entry(entry: str) -> str:
    """One entry as a part of the pattern."""
    stem = entry.strip()
    begins = stem.endswith("*")
    words = _Looks(stem.rstrip("*") if begins else stem).text.split()
    if not any(one.isalnum() for word in words for one in word):
        raise ValueError(f"{entry!r} is no word")
    # So many spaces are as good as one; any number would take time.
    gap = rf"[^{_letter()[1:-1]}]{{1,16}}"
    return gap.join([re.escape(one) for one in words]) + (f"{_letter()}*" if begins else "")


@cache
def _letter() -> str:
    """What words are made of. Python's ``\\w`` leaves marks out, which many scripts live by."""
    found: list[list[int]] = []
    for number in range(0x0300, 0xFFFF):
        if unicodedata.category(chr(number)) in ("Mn", "Mc"):
            if found and found[-1][1] == number - 1:
                found[-1][1] = number
            else:
                found.append([number, number])
    return rf"[\w{''.join([f'{chr(first)}-{chr(last)}' for first, last in found])}]"
