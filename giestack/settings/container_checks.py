"""What a profile must say that is started as a container."""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from giestack.docker.references import BadReference, parsed
from giestack.settings.problems import Report
from giestack.settings.spawner_schema import Engine, Profile
from giestack.spawner.docker.grants import (
    ESCAPES,
    BadGrant,
    capability_of,
    device_of,
    tmpfs_of,
    ulimit_of,
)
from giestack.spawner.docker.volume_names import BadVolume, check_volume, lies_in
from giestack.spawner.options import BadOption, Option, options_of
from giestack.spawner.templates import OF_OWNER, fill, is_of_owner, names_in

LEAST_MEMORY = 6 * 1024**2
"""Bytes: Docker starts nothing with less."""
LEAST_CPUS = 0.01

_OPTION = "options."
_user = re.compile(r"[A-Za-z0-9_.-]{1,64}(?::[A-Za-z0-9_.-]{1,64})?").fullmatch
_network = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*").fullmatch
_shell_name = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch


def check_container(
    path: str, profile: Profile, engines: Sequence[Engine], data_dir: Path, report: Report
) -> None:
    """Note what would keep a profile's containers from being started."""
    _check_image(path, profile, report)
    _check_grants(path, profile, report)
    _check_sizes(path, profile, engines, report)
    hidden = [str(data_dir)]
    hidden += [
        engine.docker_host.removeprefix("unix://")
        for engine in engines
        if engine.docker_host.startswith("unix:")
    ]
    _check_volumes(path, profile, hidden, report)
    _check_places(path, profile, report)
    _check_warm(path, profile, report)
    if profile.port == 0:
        report.problem(f"{path}.port", "0 is only for local processes (docker_host: process:)")
    for key, text in _told(profile):
        if "socket" in names_in(text):
            report.problem(f"{path}.{key}", "{socket} is only for local processes; use {port}")
    if profile.user and not _user(profile.user):
        report.problem(f"{path}.user", "must be a user of the image, as jovyan or 1000:100")
    if profile.network in ("host", "none"):
        report.problem(
            f"{path}.network",
            f"{profile.network!r} leaves no port to publish; name a network of Docker's, or none "
            "for giestack's own, where sessions don't see each other",
        )
    elif profile.network and not _network(profile.network):
        report.problem(f"{path}.network", "must be the name of a network of Docker's")


def check_links(profiles: Sequence[Profile], report: Report) -> None:
    """Note folders of the host that a session could replace by a link to any other folder.

    Docker follows such links when it mounts what lies in a folder that a session can write to.
    """
    sources = [
        (f"spawner.profiles[{number}].volumes.{source}", source, target.endswith(":ro"))
        for number, profile in enumerate(profiles)
        for source, target in profile.volumes.items()
        if source.startswith("/")
    ]
    for path, source, _ in sources:
        for _, other, read_only in sources:
            if not read_only and source != other and lies_in(posixpath.dirname(source), other):
                report.problem(
                    path,
                    f"lies in {other}, where sessions can write: they could put a link in its "
                    f"place that leads anywhere on the host. Mount {other} with :ro, or keep the "
                    "two apart",
                )
                break


def _check_image(path: str, profile: Profile, report: Report) -> None:
    if not profile.image:
        report.problem(f"{path}.image", "is missing")
        return
    choices = _choices(profile)
    used = list(dict.fromkeys(names_in(profile.image)))
    for name in used:
        if not name.startswith(_OPTION):
            report.problem(
                f"{path}.image", f"{{{name}}} can't be in it; {{options.NAME}} of a choice can"
            )
        elif name.removeprefix(_OPTION) in _told_by_people(profile):
            # A text that people write must not become the image: it could be any.
            report.problem(f"{path}.image", f"{{{name}}} must be an option with choices")
    if any(name not in choices for name in used):
        return
    first = {name: choices[name][0] for name in used}
    tries = [first] + [{**first, name: choice} for name in used for choice in choices[name][1:]]
    for values in tries:
        try:
            parsed(fill(profile.image, values))
        except BadReference as bad:
            report.problem(f"{path}.image", str(bad))
            return


def _check_grants(path: str, profile: Profile, report: Report) -> None:
    def note(bad: BadGrant) -> None:
        report.problem(f"{path}.{bad.path}", bad.text)

    for name, given in profile.ulimits.items():
        try:
            ulimit_of(name, given)
        except BadGrant as bad:
            note(bad)
    for number, text in enumerate(profile.cap_add):
        try:
            name = capability_of(text, number)
        except BadGrant as bad:
            note(bad)
            continue
        if name in ESCAPES:
            report.warn(
                f"{path}.cap_add[{number}]",
                f"{text} reaches beyond the container: only for people who may be root on the host",
            )
    for number, text in enumerate(profile.devices):
        try:
            device_of(text, number)
        except BadGrant as bad:
            note(bad)
    for number, text in enumerate(profile.tmpfs):
        try:
            tmpfs_of(text, number)
        except BadGrant as bad:
            note(bad)


def _check_sizes(path: str, profile: Profile, engines: Sequence[Engine], report: Report) -> None:
    if 0 < profile.memory < LEAST_MEMORY:
        report.problem(f"{path}.memory", "must be at least 6M; 0 is no limit")
    if 0 < profile.cpus < LEAST_CPUS:
        report.problem(f"{path}.cpus", f"must be at least {LEAST_CPUS}; 0 is no limit")
    known = [engine.memory for engine in engines if not engine.is_process]
    largest = max((memory or 0 for memory in known), default=0)
    if not all(known) or not largest:
        return
    if profile.memory > largest:
        report.problem(
            f"{path}.memory",
            f"{_megabytes(profile.memory)} are more than any engine may give: the largest of "
            f"spawner.engines[].memory is {_megabytes(largest)}",
        )
    elif not profile.memory:
        report.warn(
            f"{path}.memory",
            "0 is no limit: such sessions are not counted in the memory of engines",
        )


def _check_volumes(path: str, profile: Profile, hidden: Sequence[str], report: Report) -> None:
    choices = [name.removeprefix(_OPTION) for name in _choices(profile)]
    for source, target in profile.volumes.items():
        if not report.sound(f"{path}.volumes.{source}"):
            continue
        try:
            check_volume(source, target, choices=choices, hidden=hidden)
        except BadVolume as bad:
            report.problem(f"{path}.volumes.{source}", str(bad))


def _check_places(path: str, profile: Profile, report: Report) -> None:
    """Two things at one place."""
    if not report.sound(f"{path}.volumes", f"{path}.tmpfs"):
        return
    seen: set[str] = set()
    places = [
        *((f"volumes.{source}", _place(target)) for source, target in profile.volumes.items()),
        *((f"tmpfs[{n}]", _place(text.partition(":")[0])) for n, text in enumerate(profile.tmpfs)),
    ]
    for key, place in places:
        if place in seen:
            report.problem(f"{path}.{key}", f"something else is mounted at {place} already")
        seen.add(place)


def _check_warm(path: str, profile: Profile, report: Report) -> None:
    """What can't be known before it is known whose a session is."""
    if not profile.warm:
        return
    if profile.gpus:
        report.problem(
            f"{path}.warm",
            "what is started ahead would keep its GPUs from others; remove gpus or warm",
        )
    chosen = set()
    for key, text in _fixed(profile):
        for name in names_in(text):
            if name in OF_OWNER:
                report.problem(
                    f"{path}.{key}",
                    f"{{{name}}} is not known when a session is started ahead (warm): it may be "
                    "in env, headers and the sources of volumes",
                )
            elif name.startswith(_OPTION):
                chosen.add(name.removeprefix(_OPTION))
    if chosen:
        report.warn(
            f"{path}.warm",
            "only who leaves these options as they are gets a session that was started ahead: "
            + ", ".join(sorted(chosen)),
        )
    for name, text in profile.env.items():
        if is_of_owner(text) and not _shell_name(name):
            report.problem(
                f"{path}.env.{name}",
                "can't be told to a session that was started ahead (warm): its name must have "
                "letters, digits and '_' alone",
            )


def _choices(profile: Profile) -> Mapping[str, Sequence[str]]:
    """The options with choices, as they stand in braces."""
    options = _options(profile)
    return {f"{_OPTION}{one.name}": list(one.choices) for one in options if one.choices}


def _told_by_people(profile: Profile) -> frozenset[str]:
    """The names of options of any other kind."""
    return frozenset(one.name for one in _options(profile) if not one.choices)


def _options(profile: Profile) -> Iterator[Option]:
    """Those that can be read; others have been told of."""
    for name, given in profile.options.items():
        try:
            yield from options_of({name: given})
        except BadOption:
            continue


def _told(profile: Profile) -> Iterator[tuple[str, str]]:
    for number, word in enumerate(profile.command):
        yield f"command[{number}]", word
    for name, value in profile.env.items():
        yield f"env.{name}", value


def _fixed(profile: Profile) -> Iterator[tuple[str, str]]:
    """What can't be changed once a container is there."""
    yield "image", profile.image
    for number, word in enumerate(profile.command):
        yield f"command[{number}]", word
    for source, target in profile.volumes.items():
        yield f"volumes.{source}", target


def _place(target: str) -> str:
    path = target[:-3] if target[-3:] in (":ro", ":rw") else target
    return path.rstrip("/")


def _megabytes(size: int) -> str:
    return f"{size / 1024**2:g}M"
