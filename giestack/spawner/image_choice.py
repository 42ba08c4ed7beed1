"""The image that a link names, as what it means for a profile's options.

A profile has one image, or several where its ``image`` has options in braces, all with choices:
``image: "quay.io/site/jupyter:{options.version}"``. No other image is ever started.
"""

from collections.abc import Mapping
from itertools import product

from giestack.settings.spawner_schema import Profile
from giestack.spawner.options import Value, options_of
from giestack.spawner.templates import fill, names_in
from giestack.spawner.view import bad_option

_OPTION = "options."
_MOST_NAMED = 20


def images_of(profile: Profile) -> dict[str, dict[str, Value]]:
    """Return each image that a profile can have, with the options that lead to it, in order."""
    named = {
        name.removeprefix(_OPTION) for name in names_in(profile.image) if name.startswith(_OPTION)
    }
    chosen = [
        [(option.name, choice) for choice in option.choices]
        for option in options_of(profile.options)
        if option.name in named
    ]
    found: dict[str, dict[str, Value]] = {}
    for choices in product(*chosen):
        values = {f"{_OPTION}{name}": choice for name, choice in choices}
        found.setdefault(fill(profile.image, values), dict(choices))
    return found


def with_image(profile: Profile, image: str, options: Mapping[str, object]) -> dict[str, object]:
    """Return the options with those that an image means.

    ``image`` is a whole reference, or the choice alone where one option is in the template.
    Raises `SpawnRefused` (422) where the profile has no such image, or the options given mean
    another one.
    """
    images = images_of(profile)
    meant = images.get(image)
    if meant is None:
        alone = (one for one in images.values() if list(one.values()) == [image])
        meant = next(alone, None)
    if meant is None or not profile.image:
        raise bad_option("image", _refusal(profile, list(images)))
    for name, value in meant.items():
        if options.get(name, value) != value:
            raise bad_option("image", f"This image is another one than the option “{name}” says.")
    return {**options, **meant}


def _refusal(profile: Profile, images: list[str]) -> str:
    title = profile.title or profile.name
    if not profile.image:
        return f"{title} has no image to choose."
    named = ", ".join(images[:_MOST_NAMED])
    more = ", …" if len(images) > _MOST_NAMED else ""
    return f"The image of {title} must be {'one of: ' if len(images) > 1 else ''}{named}{more}."
