"""What the chat's addresses are asked: bodies and queries of anybody, read or refused."""

import json
import re
from collections.abc import Mapping

from giestack.chat.storage import Rejected
from giestack.site.asked import LONGEST_FORM, Asked
from giestack.site.endpoint import NOT_LOGGED_IN, RefusalError
from giestack.visitor import Identity

_NUMBER = re.compile(r"[0-9]{1,15}")


def user(asked: Asked) -> Identity:
    """The logged-in user who asks; `RefusalError` (401) where there is none."""
    if not isinstance(asked.visitor, Identity):
        raise RefusalError(NOT_LOGGED_IN)
    return asked.visitor


def body(asked: Asked) -> bytes:
    """The whole body; `Rejected` where it is too large to be one of the chat's."""
    if len(asked.body) > LONGEST_FORM:
        raise Rejected("len", "The body is too large.")
    return asked.body


def json_object(asked: Asked) -> Mapping[str, object]:
    """The body as a JSON object; `Rejected` for anything else."""
    try:
        found = json.loads(body(asked))
    except (ValueError, RecursionError):
        raise Rejected("bad", "The body must be JSON.") from None
    if not isinstance(found, dict):
        raise Rejected("bad", "The body must be an object.")
    return found


def number(asked: Asked, name: str) -> int | None:
    """A number of the query, None where it is not there; `Rejected` where it is none."""
    text = asked.query.get(name)
    return None if text is None else whole(text, name)


def whole(text: str, name: str) -> int:
    """A whole number that is called ``name``; `Rejected` where it is none."""
    if not _NUMBER.fullmatch(text):
        raise Rejected("bad", f"{name} must be a whole number.")
    return int(text)


def text_of(given: Mapping[str, object], key: str) -> str | None:
    """A text of an object, None where it is not there; `Rejected` where it is none."""
    value = given.get(key)
    if value is not None and not isinstance(value, str):
        raise Rejected("bad", f"{key} must be a text.")
    return value
