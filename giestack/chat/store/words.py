"""Texts as databases take, compare and find them (pure)."""

import re
import unicodedata

MOST_WORDS = 32
"""How many words of a search count."""

_LONGEST_WORD = 250
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

    All characters but letters and digits separate words, so that the parts of
    ``reads/sample_1.fastq`` can be found. Very long ones are cut.
    """
    plain = unicodedata.normalize("NFKD", storable(text))
    plain = "".join([one for one in plain if not unicodedata.combining(one)]).casefold()
    return list(dict.fromkeys(one[:_LONGEST_WORD] for one in _word(plain)))


def fts5_query(text: str) -> str:
    """Return an FTS5 query for all words of a text, the last one by its beginning; or "".

    Each word is a quoted string, of which FTS5 itself makes words: nothing in it can be an
    operator (https://www.sqlite.org/fts5.html section 3.1).
    """
    parts = [one for one in storable(text).split() if any(map(str.isalnum, one))][:MOST_WORDS]
    quoted = " ".join('"' + one.replace('"', '""') + '"' for one in parts)
    return quoted and quoted + "*"


def tsquery(text: str) -> str:
    """Return the same for PostgreSQL, to be cast to ``tsquery``; words have no quotes."""
    quoted = " & ".join(f"'{one}'" for one in words(text)[:MOST_WORDS])
    return quoted and quoted + ":*"
