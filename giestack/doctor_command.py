"""``giestack doctor``: reads the configuration, has everything looked at, and tells it."""

import io
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from giestack.doctor.check import Check, Result
from giestack.doctor.configuration import unreadable
from giestack.doctor.deployment import Deployment
from giestack.doctor.examination import checks_of
from giestack.doctor.report import Redaction, Report, as_json
from giestack.doctor.runner import results
from giestack.galaxy import galaxy_policy
from giestack.identity.explain import explain
from giestack.settings.document import NOTHING, Node, compose
from giestack.settings.files import find_config, load
from giestack.settings.galaxy_file import GalaxyFile, read_galaxy_file
from giestack.settings.places import HttpUrl, http_url
from giestack.settings.problems import Report as Problems
from giestack.settings.problems import SettingsError, Wrong
from giestack.settings.reading import World
from giestack.settings.schema import GalaxySettings

_LONGEST = 78


def run(options: Namespace, environ: Mapping[str, str], cwd: Path) -> int:
    """Run the command; returns its exit status: 1 where something failed, 2 for a bad --url."""
    cookie = sys.stdin.readline() if options.cookie else None
    front = None
    if options.url is not None:
        try:
            front = http_url(options.url, "a URL like https://galaxy.example.org")
        except Wrong as wrong:
            print(f"giestack doctor: --url {wrong}", file=sys.stderr)
            return 2
    try:
        deployment = _deployment(options, environ, cwd, front, cookie)
    except SettingsError as error:
        checks: Sequence[Check] = [unreadable(error.problems)]
        redaction = Redaction([cookie])
    else:
        checks = checks_of(deployment, _umask())
        redaction = Redaction(deployment.secrets())
    if isinstance(sys.stdout, io.TextIOWrapper):
        # An old terminal may not have every sign.
        sys.stdout.reconfigure(errors="replace")
    try:
        found = _told(checks, redaction, environ, as_list=options.json)
    except KeyboardInterrupt:
        print()
        return 1
    return 1 if any(result.finding.status == "fail" for result in found) else 0


def _told(
    checks: Sequence[Check], redaction: Redaction, environ: Mapping[str, str], *, as_list: bool
) -> Sequence[Result]:
    """Run the checks, and print what they find as it comes."""
    if as_list:
        found = list(results(checks))
        print(as_json(found, redaction))
        return found
    terminal = sys.stdout.isatty() and environ.get("TERM") != "dumb"
    report = Report(redaction, colours=terminal and not environ.get("NO_COLOR"))
    waits = _waiting(report, sys.stdout) if terminal else lambda check: None
    found = []
    for result in results(checks, waits):
        if terminal:
            print("\r\033[K", end="")
        for line in report.lines(result):
            print(line, flush=True)
        found.append(result)
    if terminal:
        print("\r\033[K", end="")
    for line in report.summary(found):
        print(line)
    return found


def _waiting(report: Report, output: TextIO) -> Callable[[Check], None]:
    """Shows what is waited for, in a line that goes again."""

    def waits(check: Check) -> None:
        output.write(f"\r\033[K{report.waiting(check, _LONGEST)}")
        output.flush()

    return waits


def _deployment(
    options: Namespace,
    environ: Mapping[str, str],
    cwd: Path,
    front: HttpUrl | None,
    cookie: str | None,
) -> Deployment:
    overrides: dict[str, object] = {}
    path = None
    if options.galaxy_config is not None:
        overrides["galaxy.config_file"] = str(Path(cwd, options.galaxy_config))
    if options.config is not None or options.galaxy_config is None:
        path = find_config(options.config, environ, cwd)
    loaded = load(path, environ, cwd, overrides)
    galaxy = loaded.settings.galaxy
    if cookie is not None:
        cookie = cookie.strip().removeprefix(f"{galaxy.cookie_name}=").strip('"')
    return Deployment(
        settings=loaded.settings,
        warnings=loaded.warnings,
        config=path,
        own=_own(path),
        galaxy=_galaxy_file(galaxy, environ, cwd),
        front=front,
        cookie=cookie,
        explain=_explain(galaxy),
        environ=environ,
    )


def _own(path: Path | None) -> Node:
    return NOTHING if path is None else compose(path.read_text(encoding="utf-8"), Problems())


def _galaxy_file(
    galaxy: GalaxySettings, environ: Mapping[str, str], cwd: Path
) -> GalaxyFile | None:
    if galaxy.config_file is None:
        return None
    world = World(cwd, environ, lambda path: path.read_text(encoding="utf-8"), Path.is_file)
    return read_galaxy_file(galaxy.config_file, world, Problems())


def _explain(galaxy: GalaxySettings) -> Callable[[str], Sequence[str]] | None:
    secret, database = galaxy.id_secret, galaxy.database_connection
    if secret is None or database is None:
        return None
    return lambda cookie: explain(cookie, galaxy_policy(galaxy), secret, database)


def _umask() -> int:
    """There is no other way to ask for it than to set it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
