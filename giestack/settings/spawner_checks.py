"""What the keys of ``spawner`` must say together."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from giestack.settings.places import is_loopback
from giestack.settings.problems import Report
from giestack.settings.spawner_schema import Engine, Profile, SpawnerSettings


def check_spawner(spawner: SpawnerSettings, report: Report) -> None:
    """Note every contradiction in engines and profiles."""
    if not report.sound("spawner.engines", "spawner.profiles"):
        return
    _check_unique("spawner.engines", (engine.name for engine in spawner.engines), report)
    _check_unique("spawner.profiles", (profile.name for profile in spawner.profiles), report)
    for number, engine in enumerate(spawner.engines):
        _check_engine(f"spawner.engines[{number}]", engine, report)
    only_processes = bool(spawner.engines) and all(
        engine.docker_host == "process:" for engine in spawner.engines
    )
    for number, profile in enumerate(spawner.profiles):
        _check_profile(f"spawner.profiles[{number}]", profile, only_processes, report)


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


def _check_profile(path: str, profile: Profile, process: bool, report: Report) -> None:
    if process and not profile.command:
        report.problem(f"{path}.command", "is missing: a local process needs a program")
    if not process and not profile.image:
        report.problem(f"{path}.image", "is missing")
    if not process and profile.port == 0:
        report.problem(f"{path}.port", "0 is only for local processes (docker_host: process:)")
