"""Texts as databases take, compare and find them (pure)."""

import re
import unicodedata

_REPLACEMENT = "\ufffd"
_word = re.compile(r"[^\W_]+").findall


def is_storable(text: str) -> bool:
    """Whether every database takes a text: PostgreSQL has no NUL, UTF-8 no half surrogates."""
    return storable(text) == text


def storable(text: str) -> str:
    """Return a text with U+FFFD where something stood that no database takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        text = "".join(_REPLACEMENT if "\ud800" <= one <= "\udfff" else one for one in text)
    return text.replace("\0", _REPLACEMENT)


def folded(text: str) -> str:
    """Return what the names of two rooms have in common when they are the same name."""
    return unicodedata.normalize("NFKC", storable(text)).casefold().strip()


def lowered(name: str) -> str:
    """Return the form in which names of people are mentioned and looked for."""
    return storable(name).lower()


def words(text: str) -> list[str]:
    """Return the words of a text, each once, without case and accents.

    What separates words are all characters but letters and digits, so that the parts of
    ``reads/sample_1.fastq`` can be found.
    """
    plain = unicodedata.normalize("NFKD", storable(text))
    plain = "".join([one for one in plain if not unicodedata.combining(one)]).casefold()
    return list(dict.fromkeys(_word(plain)))
