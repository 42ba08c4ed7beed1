"""The form in which people choose a profile's options: as it is shown, and as it is sent."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from giestack.settings.spawner_schema import Profile
from giestack.site.amounts import duration, size
from giestack.site.circumstances import checked_history, no_datasets, options_with_image
from giestack.spawner.options import LONGEST_TEXT, Option, Value, options_of
from giestack.spawner.view import SpawnRefused

PREFIX = "option."
"""Stands before an option's name in forms and links, so that it is no other field's."""


@dataclass(frozen=True, slots=True)
class Field:
    """One option as it is asked for.

    :ivar id: of the element; ``name`` is that of the field.
    :ivar value: as shown; what was sent, though it be wrong.
    :ivar error: what is wrong with it, or "".
    """

    id: str
    name: str
    option: Option
    value: Value
    error: str = ""
    longest: int = LONGEST_TEXT


@dataclass(frozen=True, slots=True)
class Form:
    """What is asked for a profile.

    :ivar note: what people should know before they start it.
    :ivar closed: why it can't be started just now; "" if it can.
    :ivar name: what its owner wants to call the session.
    :ivar history_id: Galaxy's id of the history that it is started from, or "".
    :ivar errors: what is wrong with the whole of it.
    """

    profile: Profile
    note: str
    fields: tuple[Field, ...]
    name: str = ""
    name_error: str = ""
    errors: tuple[str, ...] = ()
    history_id: str = ""
    closed: str = ""

    @property
    def title(self) -> str:
        return self.profile.title or self.profile.name

    @property
    def limits(self) -> str:
        """What a session of this profile may use, for people."""
        profile = self.profile
        said = [f"Up to {size(profile.memory)} of memory"] if profile.memory else []
        if profile.cpus:
            said.append(f"{profile.cpus:g} CPU {'core' if profile.cpus == 1 else 'cores'}")
        if profile.gpus:
            said.append(f"{profile.gpus} GPU{'' if profile.gpus == 1 else 's'}")
        if profile.idle_timeout:
            said.append(f"stops after {duration(profile.idle_timeout)} without use")
        text = ", ".join(said)
        return text[:1].upper() + text[1:]

    @property
    def wrong(self) -> bool:
        """Whether there is something to correct."""
        faults = [field.error for field in self.fields]
        return any((*faults, self.name_error, *self.errors))

    @property
    def options(self) -> dict[str, object]:
        """What was chosen, by the names of the options."""
        return {field.option.name: field.value for field in self.fields}


def form_of(
    profile: Profile, note: str, given: Mapping[str, str], *, sent: bool, closed: str = ""
) -> Form:
    """Return the form, filled in with what a link or (``sent``) the form itself has.

    In a form that was sent, a box that is not named is not ticked. Names that are no option's
    are an error where they stand behind `PREFIX`, and else not looked at, but for ``name``,
    ``history_id``, ``image``, which is a choice of some option, and ``dataset_id``.
    """
    errors: list[str] = []
    history_id = ""
    try:
        given = _with_image(profile, given)
    except SpawnRefused as refused:
        errors.append(str(refused))
    try:
        history_id = checked_history(given.get("history_id"))
    except SpawnRefused as refused:
        errors.append(str(refused))
    if "dataset_id" in given:
        errors.append(str(no_datasets()))
    fields = tuple(_field(profile, one, given, sent) for one in options_of(profile.options))
    known = {field.name for field in fields}
    strange = [name for name in given if name.startswith(PREFIX) and name not in known]
    errors += [f"There is no option “{name.removeprefix(PREFIX)}”." for name in strange]
    return Form(
        profile,
        note,
        fields,
        given.get("name", "").strip(),
        errors=tuple(errors),
        history_id=history_id,
        closed=closed,
    )


def _with_image(profile: Profile, given: Mapping[str, str]) -> Mapping[str, str]:
    """What is given, with the options that the image means; raise `SpawnRefused`."""
    named = {
        name.removeprefix(PREFIX): value for name, value in given.items() if name.startswith(PREFIX)
    }
    meant = options_with_image(profile, given.get("image"), named)
    return {**given, **{PREFIX + name: str(value) for name, value in meant.items()}}


def refused_form(form: Form, refused: SpawnRefused) -> Form:
    """Return the form with what the spawner finds wrong, at its place."""
    said = str(refused)
    if any(field.option.name == refused.field for field in form.fields):
        fields = tuple(
            replace(field, error=said) if field.option.name == refused.field else field
            for field in form.fields
        )
        return replace(form, fields=fields)
    if refused.field == "name":
        return replace(form, name_error=said)
    return replace(form, errors=(*form.errors, said))


def _field(profile: Profile, option: Option, given: Mapping[str, str], sent: bool) -> Field:
    name = PREFIX + option.name
    made = Field(f"{profile.name}-{option.name}", name, option, option.default)
    text = given.get(name)
    if text is None:
        return replace(made, value=False) if sent and option.kind == "boolean" else made
    try:
        return replace(made, value=option.read(text))
    except SpawnRefused as refused:
        return replace(made, value=text, error=str(refused))
