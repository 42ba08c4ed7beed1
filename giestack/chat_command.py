"""The command ``giestack-chat``: the chat alone, by the command line of Galaxy's own chat server.

Galaxy 16.07 to 20.09 had ``scripts/communication/communication_server.py``. This takes its options,
looks for Galaxy's configuration where it did, and stays in the foreground as it did. Nothing else
of giestack runs: no proxy, no notebooks, and no admin listener unless a giestack.yml has one.
"""

import os
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path

from giestack.settings.document import Node, compose
from giestack.settings.endpoints import escaped, parse
from giestack.settings.files import load
from giestack.settings.load import Loaded
from giestack.settings.problems import Problem, Report, SettingsError
from giestack.settings.schema import Settings

PLACES = ("config/galaxy.yml", "config/galaxy.ini", "galaxy.yml", "galaxy.ini", "universe_wsgi.ini")
"""Where Galaxy's configuration is looked for, below the working folder."""

_HOST, _PORT = "localhost", 7070
_LARGEST_PORT = 65535
_GALAXYS_SECTIONS = ("galaxy", "app:main", "main")
# What only giestack's file has; the other keys of its section `galaxy:` are Galaxy's own options.
_OWN_SECTIONS = frozenset(one.name for one in fields(Settings)) - {"galaxy"}
_OWN_KEYS = frozenset({"config_file", "url"})

_EPILOG = (
    "Without a FILE: $GALAXY_CONFIG_FILE, " + ", ".join(PLACES) + ". Messages are kept in DIR; "
    "a giestack.yml says where itself, and whatever else can be configured."
)


@dataclass(frozen=True, slots=True)
class Command:
    """What the command line asks for.

    :ivar file: the configuration, Galaxy's or giestack's own.
    :ivar own: whether it is giestack's.
    :ivar host: None where it was not said; so with `port` and `data_dir`.
    """

    file: Path
    own: bool = False
    host: str | None = None
    port: int | None = None
    data_dir: Path | None = None

    @property
    def giestack_file(self) -> Path | None:
        """The giestack.yml, if it is one."""
        return self.file if self.own else None


def command_of(argv: Sequence[str], environ: Mapping[str, str], cwd: Path) -> Command:
    """Read a command line.

    :raises SystemExit: with status 2 for one that is wrong, 0 where it only asked for help.
    :raises SettingsError: where there is no configuration, or none that can be read.
    """
    options = _parser().parse_args(argv)
    file = _file(options.config_file, environ, cwd)
    data_dir = options.data_dir and Path(cwd, options.data_dir)
    own = file.suffix in (".yml", ".yaml") and is_giestacks(_text_of(file))
    return Command(file, own, options.host, options.port, data_dir)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="giestack-chat",
        description="A chat for the people of a Galaxy, by itself.",
        epilog=_EPILOG,
    )
    parser.add_argument(
        "--port",
        type=_port,
        help=f"port to listen on [default: communication_server_port of Galaxy, else {_PORT}]",
    )
    parser.add_argument(
        "--host", help=f"name or address of this host to listen on [default: {_HOST}]"
    )
    parser.add_argument(
        "-c",
        "--config-file",
        "--config",
        metavar="FILE",
        help="Galaxy's galaxy.yml or galaxy.ini, or a giestack.yml",
    )
    parser.add_argument("--config-section", type=_section, help="accepted, and of no effect")
    parser.add_argument("--data-dir", metavar="DIR", help="where messages are kept [default: var]")
    text = f"giestack {version('giestack')}"
    parser.add_argument("--version", "-V", action="version", version=text)
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _LARGEST_PORT:
        raise ArgumentTypeError(f"must be a number from 0 to {_LARGEST_PORT}, not {text!r}")
    return int(text)


def _section(text: str) -> str:
    if text not in _GALAXYS_SECTIONS:
        known = " and ".join(_GALAXYS_SECTIONS[:2])
        raise ArgumentTypeError(f"only Galaxy's sections are read, {known}, not {text!r}")
    return text


def _file(named: str | None, environ: Mapping[str, str], cwd: Path) -> Path:
    named = named or environ.get("GALAXY_CONFIG_FILE")
    if named:
        return Path(cwd, named)
    found = (path for path in (Path(cwd, place) for place in PLACES) if path.is_file())
    try:
        return next(found)
    except StopIteration:
        looked = ", ".join(("--config-file", "$GALAXY_CONFIG_FILE", *PLACES))
        text = f"no configuration of Galaxy: looked at {looked}"
        raise SettingsError((Problem("", text),)) from None


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        text = f"cannot be read: {error.strerror}"
    except ValueError:
        text = "cannot be read: it is no UTF-8 text"
    raise SettingsError((Problem(str(file), text),))


def is_giestacks(text: str) -> bool:
    """Tell a giestack.yml from a galaxy.yml: both have a section ``galaxy:``.

    A file that says nothing but what both may say, such as Galaxy's ``id_secret``, is Galaxy's;
    it would mean the same either way.
    """
    sections = _below(compose(text, Report(), lenient=True))
    return bool(
        sections.keys() & _OWN_SECTIONS or _below(sections.get("galaxy")).keys() & _OWN_KEYS
    )


def _below(node: Node | None) -> Mapping[str, Node]:
    return node.value if node is not None and isinstance(node.value, dict) else {}


def overrides(command: Command, environ: Mapping[str, str], cwd: Path) -> dict[str, object]:
    """What the command line stands for, by the path of the configuration key.

    :raises SettingsError: where the configuration is wrong.
    """
    given: dict[str, object] = {"proxy.listen": []}
    sections: Mapping[str, Node] = {}
    if command.own:
        sections = _below(compose(_text_of(command.file), Report()))
    else:
        given["galaxy.config_file"] = str(command.file)
    if "chat" not in sections:
        given["chat"] = {}
    if "admin" not in sections:
        given["admin.listen"] = []
    if command.data_dir is not None:
        given["data_dir"] = str(command.data_dir)
    if command.host is None and command.port is None and command.own:
        return given
    port = command.port
    if port is None:
        port = _port_of(load(command.giestack_file, environ, cwd, given).settings)
    host = escaped(command.host or _HOST)
    return {**given, "chat.listen": [f"tcp:{port}:interface={host}"]}


def _port_of(settings: Settings) -> int:
    """The port that a configuration has for the chat, whatever the host is there."""
    assert settings.chat is not None, "the overrides bring the section"
    told = (parse(one).values.get("port") for one in settings.chat.listen)
    return next((int(port) for port in told if port is not None), _PORT)


def alone(loaded: Loaded) -> Loaded:
    """Leave out of a configuration whatever is not the chat's, and say what keeps people out.

    :raises SettingsError: where the chat is switched off: nothing would be left.
    """
    settings = loaded.settings
    if settings.chat is None or not settings.chat.enabled:
        text = "is false (enable_communication_server in Galaxy's file): there is nothing to start"
        raise SettingsError((Problem("chat.enabled", text),), loaded.warnings)
    proxy = replace(settings.proxy, listen=(), session_maps=(), services=())
    warnings = [
        one for one in loaded.warnings if one.path.partition(".")[0] not in ("proxy", "spawner")
    ]
    if settings.galaxy.url is None:
        text = (
            "is not known: only the chat's own page works, not the bubble on Galaxy's pages. Set "
            "galaxy_infrastructure_url in Galaxy's file to the address that people use"
        )
        warnings.append(Problem("galaxy.url", text))
    return Loaded(replace(settings, proxy=proxy, spawner=None), tuple(warnings))


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT.

    Returns the exit status: 0, or 1 with what is wrong on standard error, one line each. A wrong
    command line ends with status 2.
    """
    try:
        command = command_of(sys.argv[1:] if argv is None else argv, os.environ, Path.cwd())
        given = overrides(command, os.environ, Path.cwd())
    except SettingsError as error:
        for problem in error.problems:
            print(f"giestack-chat: {problem}", file=sys.stderr)
        return 1
    _serve(command, given)
    return 0


def _serve(command: Command, given: dict[str, object]) -> None:
    # Late: asking for help needs none of it.
    from giestack.tap import Options, run_in_foreground

    class ChatOptions(Options):
        """What ``twistd giestack`` is told, and that the chat alone is meant."""

        def overrides(self) -> dict[str, object]:
            return given

        def meant(self, loaded: Loaded) -> Loaded:
            return alone(loaded)

    option = "--config" if command.own else "--galaxy-config"
    run_in_foreground(ChatOptions(), [option, str(command.file)])
