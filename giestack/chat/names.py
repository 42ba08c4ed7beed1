"""Names as everybody sees them: nothing invisible in them, and none that only looks like another.

All of it is pure. What is invisible or turns the writing direction has no place in a name, be it
in good faith or not (Unicode Technical Report 36, section 2): with it one name could be shown as
another.
"""

import re
import unicodedata

LONGEST_PERSON = 64
LONGEST_ROOM = 80

_MOST_MARKS = 4
"""Marks on one letter; more than that only cover the lines above and below."""

_INVISIBLE = {
    0x034F,  # combining grapheme joiner
    *range(0x115F, 0x1161),  # Hangul fillers are letters that show nothing
    *range(0x17B4, 0x17B6),
    0x2800,  # a braille pattern without dots
    0x3164,
    0xFFA0,
    *range(0x180B, 0x1810),
    *range(0xFE00, 0xFE10),  # variation selectors
    *range(0xE0100, 0xE01F0),
}
_MARKS_TOO_MANY = re.compile(rf"(\0{{{_MOST_MARKS}}})\0+")

# What most fonts show alike, beside letters that differ in case only (all lower case). Letters
# that people tell apart, like o and ö, stay apart.
_ALIKE = str.maketrans(
    {
        **dict.fromkeys("1|iıӏіι", "l"),
        **dict.fromkeys("0оοօ", "o"),
        **dict.fromkeys("аα", "a"),
        **dict.fromkeys("еє", "e"),
        **dict.fromkeys("рρ", "p"),
        **dict.fromkeys("сϲ", "c"),
        **dict.fromkeys("уγ", "y"),
        **dict.fromkeys("хχ", "x"),
        **dict.fromkeys("кκ", "k"),
        **dict.fromkeys("тτ", "t"),
        **dict.fromkeys("мμ", "m"),
        **dict.fromkeys("нη", "h"),
        **dict.fromkeys("вβ", "b"),
        **dict.fromkeys("υս", "u"),
        "ѕ": "s",
        "ј": "j",
        "һ": "h",
        "ԁ": "d",
        "ԛ": "q",
        "ԝ": "w",
        "ɡ": "g",
        "ν": "v",
        "ѵ": "v",
        "ո": "n",
        **dict.fromkeys("‐‒–—−_", "-"),
        **dict.fromkeys("‘’ʼ`´", "'"),
    }
)


def cleaned(name: str) -> str:
    """Return a name in one line and in one form (NFKC), without what can't be seen; maybe "".

    Cleaning twice changes nothing.
    """
    # Taking something out lets what stood on its two sides grow together.
    visible = _without_invisible(unicodedata.normalize("NFKC", name))
    whole = unicodedata.normalize("NFKC", " ".join(visible.split()))
    return _with_few_marks(whole)


def person_name(name: str | None, id: str) -> str:
    """Return the name that others see of somebody, 1 to 64 characters.

    Who has none that can be shown is called by their ``id``, as others see it anyway.
    """
    return _cut(cleaned(name or ""), LONGEST_PERSON) or _cut(cleaned(f"user-{id}"), LONGEST_PERSON)


def room_name(name: str) -> str:
    """Return the name of a room, 1 to 80 characters.

    :raises ValueError: for a name that is empty, or too long.
    """
    found = cleaned(name)
    if not found:
        raise ValueError("a room needs a name")
    if len(found) > LONGEST_ROOM:
        raise ValueError(f"a room’s name has {LONGEST_ROOM} characters at most")
    return found


def comparison_key(name: str) -> str:
    """Return what two names have in common that people can't tell apart.

    For comparing only: it is not meant to be read.
    """
    folded = unicodedata.normalize("NFKC", cleaned(name).casefold())
    return folded.translate(_ALIKE).replace("rn", "m").replace("vv", "w")


def is_invisible(character: str) -> bool:
    """Whether a character shows nothing at all, or only turns the direction of others.

    Controls, formats (directions, joiners, tags), halves of pairs, fillers; spaces don't count.
    """
    if ord(character) in _INVISIBLE:
        return True
    category = unicodedata.category(character)
    # Unassigned ones might be anything one day, those for private use are anything today.
    return category in ("Cc", "Cf", "Cs", "Co", "Cn") and not character.isspace()


def _without_invisible(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join([one for one in text if not is_invisible(one)])


def _with_few_marks(text: str) -> str:
    """Without marks that stand on nothing, and those that are too many on one letter."""
    if text.isascii():
        return text
    shape = "".join(
        ["\0" if unicodedata.combining(one) else " " if one == " " else "x" for one in text]
    )
    kept = []
    end = len(shape) - len(shape.lstrip("\0 "))
    for found in _MARKS_TOO_MANY.finditer(shape, end):
        kept.append(text[end : found.end(1)])
        end = found.end()
    return "".join(kept) + text[end:]


def _cut(name: str, longest: int) -> str:
    return name[:longest].rstrip()
