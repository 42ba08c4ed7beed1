"""The body of ``POST sessions``: JSON from anybody, read into values or refused."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from giestack.proxy.decision import Refuse
from giestack.site.asked import LONGEST_FORM
from giestack.site.circumstances import no_datasets
from giestack.site.endpoint import RefusalError

_KEYS = ("profile", "name", "options", "history_id", "image")
_TOO_LARGE = Refuse(413, "too-large", "The body is too large.")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A session that somebody asks for.

    :ivar name: None where it is not given; the same for `history_id` and `image`.
    :ivar options: by name. Of all five only the types are checked.
    """

    profile: str
    name: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    history_id: str | None = None
    image: str | None = None


def wanted(body: bytes) -> Wanted:
    """Read a body as `Asked.body` has it.

    Raises `RefusalError` (400, 413) with what is wrong, and `SpawnRefused` (422) where datasets
    are asked for.
    """
    if len(body) > LONGEST_FORM:
        raise RefusalError(_TOO_LARGE)
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        raise _bad("The body must be JSON.") from None
    if not isinstance(given, dict):
        raise _bad("The body must be an object, for example {“profile”: “jupyter”}.")
    if "dataset_id" in given:
        raise no_datasets()
    for key in given:
        if key not in _KEYS:
            raise _bad(f"There is no key “{key[:100]}”, only {', '.join(_KEYS)}.")
    profile = given.get("profile")
    if not isinstance(profile, str):
        raise _bad("“profile” must be there, and a text.")
    options = given.get("options")
    if options is not None and not isinstance(options, dict):
        raise _bad("“options” must be an object.")
    return Wanted(
        profile,
        _text(given, "name"),
        options or {},
        _text(given, "history_id"),
        _text(given, "image"),
    )


def _text(given: Mapping[str, object], key: str) -> str | None:
    value = given.get(key)
    if value is not None and not isinstance(value, str):
        raise _bad(f"“{key}” must be a text.")
    return value


def _bad(message: str) -> RefusalError:
    return RefusalError(Refuse(400, "bad-request", message))
