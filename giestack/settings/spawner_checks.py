"""What the keys of ``spawner`` must say together."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

from giestack.settings.container_checks import check_container, check_links
from giestack.settings.engine_checks import check_engines
from giestack.settings.places import settable_header
from giestack.settings.problems import Report, Wrong
from giestack.settings.spawner_schema import Engine, Profile, SpawnerSettings
from giestack.spawner.docker.files import ENVIRONMENT
from giestack.spawner.options import BadOption, options_of
from giestack.spawner.templates import SECRET, names_in, unknown_names

SHORT = 60
"""Seconds of idleness or life below which somebody must have meant minutes or hours."""
FOR_CONTAINERS = (
    *("image", "user", "volumes", "cpus", "shm_size", "cap_add", "read_only"),
    *("tmpfs", "devices", "network", "warm"),
)
"""Keys of a profile that mean nothing to a local process."""

_VARIABLE = re.compile(r"[!-<>-~]+")
_FIELD = re.compile(r"[\t -~\xa0-\xff]*")
_SECRET = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def check_spawner(spawner: SpawnerSettings, data_dir: Path, report: Report) -> None:
    """Note every contradiction in engines and profiles.

    :param data_dir: giestack's own folder, which no session may see.
    """
    if not report.sound("spawner.engines", "spawner.profiles"):
        return
    engines, profiles = spawner.engines, spawner.profiles
    _check_unique("spawner.engines", (engine.name for engine in engines), report)
    _check_unique("spawner.profiles", (profile.name for profile in profiles), report)
    check_engines(engines, report)
    only_processes = bool(engines) and all(engine.is_process for engine in engines)
    for number, profile in enumerate(profiles):
        path = f"spawner.profiles[{number}]"
        _check_options(path, profile, report)
        _check_templates(path, profile, report)
        _check_names(path, profile, report)
        _check_headers(path, profile, report)
        _check_paths(path, profile, report)
        _check_times(path, profile, report)
        _check_gpus(path, profile, engines, report)
        if only_processes:
            _check_process(path, profile, report)
        else:
            check_container(path, profile, engines, data_dir, report)
    if not only_processes:
        check_links(profiles, report)


def _check_unique(path: str, names: Iterable[str], report: Report) -> None:
    seen: set[str] = set()
    for number, name in enumerate(names):
        if name in seen:
            report.problem(f"{path}[{number}].name", f"{name!r} is taken by another one")
        seen.add(name)


def _check_options(path: str, profile: Profile, report: Report) -> None:
    for name, given in profile.options.items():
        try:
            options_of({name: given})
        except BadOption as bad:
            report.problem(f"{path}.options.{bad.path}", bad.text)


def _check_templates(path: str, profile: Profile, report: Report) -> None:
    options = frozenset(profile.options)
    for key, text in _templates(profile):
        for name in unknown_names(text, options):
            report.problem(f"{path}.{key}", f"{{{name}}} is none of this profile's options")
        for name in names_in(text):
            if not name.startswith(SECRET):
                continue
            if not key.startswith("env."):
                report.problem(f"{path}.{key}", f"{{{name}}} can stand in env only")
            elif name.removeprefix(SECRET) not in profile.secrets:
                report.problem(f"{path}.{key}", f"{{{name}}} is none of this profile's secrets")


def _templates(profile: Profile) -> Iterator[tuple[str, str]]:
    yield "image", profile.image
    for number, word in enumerate(profile.command):
        yield f"command[{number}]", word
    for name, value in profile.env.items():
        yield f"env.{name}", value
    for source, target in profile.volumes.items():
        yield f"volumes.{source}", source
        yield f"volumes.{source}", target
    for name, value in profile.headers.items():
        yield f"headers.{name}", value


def _check_names(path: str, profile: Profile, report: Report) -> None:
    for name in profile.env:
        if not _VARIABLE.fullmatch(name):
            report.problem(f"{path}.env.{name}", "cannot be the name of a variable")
    for name in profile.secrets:
        if not _SECRET.fullmatch(name):
            report.problem(f"{path}.secrets.{name}", "cannot be the name of a file")
        elif name == ENVIRONMENT:
            report.problem(f"{path}.secrets.{name}", "is the name of a file of giestack's own")


def _check_headers(path: str, profile: Profile, report: Report) -> None:
    seen: dict[str, str] = {}
    for name, value in profile.headers.items():
        key = f"{path}.headers.{name}"
        try:
            settable_header(name)
        except Wrong as wrong:
            report.problem(key, str(wrong))
            continue
        # To most programs letter case and the two lines are equal.
        plain = name.lower().replace("_", "-")
        if plain in seen:
            report.problem(key, f"is the same header as {seen[plain]}")
        seen[plain] = name
        if not _FIELD.fullmatch(value):
            report.problem(key, "can only have Latin letters and signs, on one line")
    if profile.ca_file is not None and profile.scheme != "https":
        report.problem(f"{path}.ca_file", "is only for scheme: https")


def _check_paths(path: str, profile: Profile, report: Report) -> None:
    for key, text in (("path", profile.path), ("readiness.path", profile.readiness.path)):
        if "#" in text:
            report.problem(f"{path}.{key}", "a '#' is for browsers and never sent; leave it out")
        if {".", ".."} & set(unquote(text.partition("?")[0]).split("/")):
            report.problem(f"{path}.{key}", f"{text!r} must not have '.' or '..' between slashes")


def _check_times(path: str, profile: Profile, report: Report) -> None:
    times = {"idle_timeout": profile.idle_timeout, "max_lifetime": profile.max_lifetime}
    for key, seconds in times.items():
        if 0 < seconds < SHORT:
            report.warn(
                f"{path}.{key}",
                f"{seconds:g} seconds (that is the unit) are too few to work in; 0 is no limit",
            )


def _check_gpus(path: str, profile: Profile, engines: Sequence[Engine], report: Report) -> None:
    most = max((len(engine.gpus) for engine in engines), default=0)
    if profile.gpus > most:
        text = f"the one with the most has {most}" if most else "no engine has any"
        report.problem(f"{path}.gpus", f"{text}; give an engine's ids: gpus: [ID, …]")


def _check_process(path: str, profile: Profile, report: Report) -> None:
    if not profile.command or not profile.command[0]:
        report.problem(f"{path}.command", "is missing: a local process needs a program")
        return
    texts = (*profile.command, *profile.env.values())
    told = {name for text in texts for name in names_in(text)}
    if "socket" not in told and profile.port:
        report.warn(
            f"{path}.port",
            f"{profile.port} is the same for all sessions, so that one can run at a time; for "
            "more, put {socket} into command, or {port} and set port: 0",
        )
    elif not told & {"port", "socket"}:
        report.problem(
            f"{path}.command",
            "does not tell the program where to listen: put {port} or {socket} into it or env",
        )
    if "socket" in told and profile.scheme == "https":
        report.problem(f"{path}.scheme", "https is not spoken over a {socket}: use {port}")
    default = Profile()
    ignored = [key for key in FOR_CONTAINERS if getattr(profile, key) != getattr(default, key)]
    if ignored:
        report.warn(path, f"a local process has no use for {', '.join(ignored)}")
