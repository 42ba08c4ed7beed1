"""What the keys of ``spawner`` must say together."""

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote, urlsplit

from giestack.settings.places import is_loopback, settable_header
from giestack.settings.problems import Report, Wrong
from giestack.settings.spawner_schema import Engine, Profile, SpawnerSettings
from giestack.spawner.options import BadOption, options_of
from giestack.spawner.templates import names_in, unknown_names

NO_ISOLATION = (
    "no isolation: sessions run as the user that giestack runs as, and whoever may start one may "
    "do what that user may; for trying out only"
)
SHORT = 60
"""Seconds of idleness or life below which somebody must have meant minutes or hours."""
FOR_CONTAINERS = (
    *("image", "user", "volumes", "cpus", "shm_size", "cap_add", "read_only"),
    *("tmpfs", "devices", "network"),
)
"""Keys of a profile that mean nothing to a local process."""

_VARIABLE = re.compile(r"[!-<>-~]+")
_FIELD = re.compile(r"[\t -~\xa0-\xff]*")
_SECRET = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def check_spawner(spawner: SpawnerSettings, report: Report) -> None:
    """Note every contradiction in engines and profiles."""
    if not report.sound("spawner.engines", "spawner.profiles"):
        return
    _check_unique("spawner.engines", (engine.name for engine in spawner.engines), report)
    _check_unique("spawner.profiles", (profile.name for profile in spawner.profiles), report)
    for number, engine in enumerate(spawner.engines):
        _check_engine(f"spawner.engines[{number}]", engine, report)
    processes = [number for number, one in enumerate(spawner.engines) if one.is_process]
    for number in processes[1:]:
        report.problem(
            f"spawner.engines[{number}].docker_host",
            "is that of another engine: one engine runs all local processes",
        )
    only_processes = bool(processes) and len(processes) == len(spawner.engines)
    for number, profile in enumerate(spawner.profiles):
        path = f"spawner.profiles[{number}]"
        _check_options(path, profile, report)
        _check_templates(path, profile, report)
        _check_image(path, profile, report)
        _check_names(path, profile, report)
        _check_headers(path, profile, report)
        _check_paths(path, profile, report)
        _check_times(path, profile, report)
        if only_processes:
            _check_process(path, profile, report)
        else:
            _check_container(path, profile, report)


def _check_unique(path: str, names: Iterable[str], report: Report) -> None:
    seen: set[str] = set()
    for number, name in enumerate(names):
        if name in seen:
            report.problem(f"{path}[{number}].name", f"{name!r} is taken by another one")
        seen.add(name)


def _check_engine(path: str, engine: Engine, report: Report) -> None:
    parts = (engine.tls.ca, engine.tls.cert, engine.tls.key)
    if any(parts) and not all(parts):
        report.problem(f"{path}.tls", "needs ca, cert and key, or none of them")
    if any(parts) and not engine.docker_host.startswith("tcp:"):
        report.problem(f"{path}.tls", "is only for a docker_host that begins with tcp://")
    host = urlsplit(engine.docker_host).hostname
    if host and not any(parts) and not is_loopback(host) and not engine.insecure:
        report.problem(
            f"{path}.docker_host",
            f"{engine.docker_host} without tls gives everybody on that network this engine; "
            "set tls, or insecure: true if you mean it",
        )
    if engine.is_process:
        report.warn(f"{path}.docker_host", NO_ISOLATION)


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


def _check_image(path: str, profile: Profile, report: Report) -> None:
    """A text that people write must not become the image: it could be any."""
    for name in names_in(profile.image):
        # What is no option has no dot, and no option has one in its name.
        given = profile.options.get(name.partition(".")[2])
        if isinstance(given, Mapping) and "choices" not in given:
            report.problem(f"{path}.image", f"{{{name}}} must be an option with choices")


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


def _check_container(path: str, profile: Profile, report: Report) -> None:
    if not profile.image:
        report.problem(f"{path}.image", "is missing")
    if profile.port == 0:
        report.problem(f"{path}.port", "0 is only for local processes (docker_host: process:)")


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
