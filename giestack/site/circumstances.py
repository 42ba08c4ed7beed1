"""What a wish for a session comes with: a history, an image, and where the visitor is."""

import re
from collections.abc import Mapping

from giestack.proxy.seen import UNIX_PEER
from giestack.settings.spawner_schema import Profile
from giestack.site.asked import Asked
from giestack.spawner.engine import Circumstances
from giestack.spawner.image_choice import with_image
from giestack.spawner.view import SpawnRefused, bad_option

_HISTORY = re.compile(r"[0-9a-zA-Z_-]{1,64}")


def circumstances_of(asked: Asked, history_id: str | None) -> Circumstances:
    """Return what a session may know of a wish for it; raise `SpawnRefused` (422)."""
    seen = asked.seen
    # A front behind a UNIX socket need not tell where the visitor is.
    address = b"" if seen.address == UNIX_PEER else seen.address
    origin = b"%b://%b" % (seen.scheme, seen.host) if seen.host else b""
    return Circumstances(
        history_id=checked_history(history_id),
        remote_host=address.decode("latin-1"),
        origin=origin.decode("latin-1"),
    )


def checked_history(history_id: str | None) -> str:
    """Return the id of a history as Galaxy shows it, "" for none; raise `SpawnRefused` (422)."""
    if not history_id:
        return ""
    if not _HISTORY.fullmatch(history_id):
        raise bad_option(
            "history_id",
            "“history_id” must be as Galaxy shows it: up to 64 letters, digits, “-” and “_”.",
        )
    return history_id


def options_with_image(
    profile: Profile | None, image: str | None, options: Mapping[str, object]
) -> Mapping[str, object]:
    """Return the options with those that an image means for a profile, where it is named.

    Raises `SpawnRefused` (422) where it is none of the profile's.
    """
    return with_image(profile, image, options) if profile is not None and image else options


def no_datasets() -> SpawnRefused:
    """What is said to those who want datasets put into a session."""
    return bad_option(
        "dataset_id",
        "Datasets can't be put into a session by “dataset_id” yet: fetch them from inside.",
    )
