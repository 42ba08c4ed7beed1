"""The command ``giestack``: what an administrator asks without starting the service."""

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from giestack.settings.files import PLACES, find_config, load
from giestack.settings.problems import Problem, SettingsError
from giestack.settings.schema import Settings

_DEFAULT_FILE = f"giestack.yml [default: {', '.join(('$GIESTACK_CONFIG', *PLACES))}]"
_NO = ("verdict: refused", "verdict: nobody")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0 all is well, 1 something is wrong, 2 usage.

    The answers go to standard output, one line each.
    """
    options = _parser().parse_args(argv)
    try:
        status: int = options.run(options, os.environ, Path.cwd())
    except SettingsError as error:
        for problem in error.problems:
            print(problem)
        return 1
    return status


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="giestack",
        description="What administrators ask without starting the service (twistd giestack).",
    )
    parser.add_argument("--version", action="version", version=f"giestack {version('giestack')}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    check = commands.add_parser("check-config", help="name every problem of a configuration")
    check.add_argument("file", metavar="FILE", nargs="?", help=_DEFAULT_FILE)
    check.set_defaults(run=_check_config)

    whoami = commands.add_parser("whoami", help="say whom a cookie stands for, and why")
    whoami.add_argument(
        "cookie",
        metavar="COOKIE",
        help="value of the cookie galaxysession; '-': read it from standard input, which keeps it "
        "out of the list of processes",
    )
    whoami.add_argument("--config", metavar="FILE", help=_DEFAULT_FILE)
    whoami.set_defaults(run=_whoami)

    create = commands.add_parser("create-map", help="make a session map for Galaxy to write")
    create.add_argument(
        "url",
        metavar="URL",
        help="Galaxy's interactivetoolsproxy_map, postgresql://… or sqlite:///…, with Galaxy's own "
        "user; '-': read it from standard input, which keeps it out of the list of processes",
    )
    create.add_argument("--print", action="store_true", help="only print the SQL")
    create.set_defaults(run=_create_map)

    doctor = commands.add_parser(
        "doctor",
        help="look at everything, and say what would help",
        description="Look at a deployment from all sides, change nothing, and say what would help. "
        "Exit status 1: something fails.",
    )
    _doctor_options(doctor)
    doctor.set_defaults(run=_doctor)
    return parser


def _doctor_options(parser: ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", help=_DEFAULT_FILE)
    parser.add_argument(
        "--galaxy-config",
        metavar="FILE",
        help="Galaxy's galaxy.yml or galaxy.ini, as for the service; alone: without a giestack.yml",
    )
    parser.add_argument(
        "--url",
        metavar="FRONT",
        help="where visitors come in, https://usegalaxy.example.org: look at it from outside, too",
    )
    parser.add_argument(
        "--cookie",
        metavar="-",
        choices=["-"],
        help="read the value of a cookie galaxysession from standard input, and compare",
    )
    parser.add_argument("--json", action="store_true", help="a list of findings, for programs")


def _check_config(options: Namespace, environ: Mapping[str, str], cwd: Path) -> int:
    path = find_config(options.file, environ, cwd)
    problems: Sequence[Problem]
    try:
        loaded = load(path, environ, cwd)
    except SettingsError as error:
        problems, warnings = error.problems, error.warnings
    else:
        problems, warnings = _process_problems(loaded.settings, environ), loaded.warnings
    for problem in problems:
        print(problem)
    for warning in warnings:
        print(f"warning: {warning}")
    if not problems:
        print(f"{path}: ok")
    return 1 if problems else 0


def _process_problems(settings: Settings, environ: Mapping[str, str]) -> Sequence[Problem]:
    """What would keep local processes from starting on this machine, for this user."""
    spawner = settings.spawner
    if spawner is None or not any(engine.is_process for engine in spawner.engines):
        return ()
    # Late: most commands ask nothing about processes.
    from giestack.spawner.engine import EngineError
    from giestack.spawner.process.environment import search_path
    from giestack.spawner.process.limits import reaper_options
    from giestack.spawner.process.program_check import folder_troubles, troubles_of

    path = search_path(environ, Path(sys.executable))
    found = [Problem("data_dir", text) for text in folder_troubles(settings.data_dir)]
    for number, profile in enumerate(spawner.profiles):
        key = f"spawner.profiles[{number}]"
        found += [Problem(f"{key}.command", text) for text in troubles_of(profile, path)]
        try:
            reaper_options(profile, 0)
        except EngineError as error:
            found.append(Problem(f"{key}.ulimits", str(error)))
    return found


def _create_map(options: Namespace, environ: Mapping[str, str], cwd: Path) -> int:
    # Late: the other commands need no database driver and should not wait for it.
    from giestack.map_table import CannotMake, make_map, sql_for

    url = sys.stdin.readline().strip() if options.url == "-" else options.url
    try:
        print(sql_for(url).rstrip() if options.print else make_map(url, cwd))
    except CannotMake as error:
        print(error)
        return 1
    return 0


def _whoami(options: Namespace, environ: Mapping[str, str], cwd: Path) -> int:
    settings = load(find_config(options.config, environ, cwd), environ, cwd).settings
    galaxy = settings.galaxy
    if galaxy.database_connection is None or galaxy.id_secret is None:
        print("galaxy: no database is configured, so nobody can tell; set galaxy.config_file")
        return 1
    cookie = sys.stdin.readline() if options.cookie == "-" else options.cookie
    cookie = cookie.strip().removeprefix(f"{galaxy.cookie_name}=")
    # Late: the other commands need no database driver and should not wait for it.
    from giestack.galaxy import galaxy_policy
    from giestack.identity.explain import explain

    lines = explain(cookie, galaxy_policy(galaxy), galaxy.id_secret, galaxy.database_connection)
    for line in lines:
        print(line)
    return 1 if lines[-1].startswith(_NO) else 0


def _doctor(options: Namespace, environ: Mapping[str, str], cwd: Path) -> int:
    # Late: the other commands need little of what it looks with.
    from giestack.doctor_command import run

    return run(options, environ, cwd)
