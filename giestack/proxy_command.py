"""The command ``giestack-proxy``: giestack by the command line of the proxies before it.

gx-it-proxy and the proxy of Galaxy's old Interactive Environments (``main.js``) have nearly the
same options. This takes all of them, and stays in the foreground as they did. It has no
configuration of its own, opens one port, and writes no file.
"""

import os
import socket
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from giestack.settings.endpoints import escaped
from giestack.settings.files import is_there, load
from giestack.settings.load import Loaded
from giestack.settings.places import host
from giestack.settings.problems import Problem, SettingsError, Wrong
from giestack.settings.schema import GoApi, Settings

PLACES = ("config/galaxy.yml", "config/galaxy.ini", "galaxy.ini")
"""Where Galaxy's configuration is looked for, below the working folder."""

LOCALHOST, PORT = "localhost", 8000
"""Where those proxies listen, unless they are told."""

_LARGEST_PORT = 65535
_LOOPBACK = ("127.0.0.1", "::1")
_LOOKED = ", ".join(("--galaxy-config", "$GALAXY_CONFIG_FILE", *PLACES))
_FLAGS = {
    "reverseProxy": "have a tool's redirects to http://localhost/ lead to the visitor's address",
    "verbose": "log more, and each request",
}
_VALUES = {
    "sessions": (
        "MAP",
        "session map of Galaxy: a file, which may come later, or a database's URL [default: the "
        "one that Galaxy's configuration names]",
    ),
    "cookie": ("NAME", "name of Galaxy's cookie [default: galaxysession]"),
    "proxyPathPrefix": (
        "PATH",
        "prefix of interactive tools by path [default: Galaxy's, else /interactivetool/ep]",
    ),
    "forwardIP": ("HOST", "send all requests for tools to this second proxy"),
    "forwardPort": ("PORT", "port of the second proxy"),
    "pollingInterval": ("MS", "milliseconds between looks at a PostgreSQL map [default: 5000]"),
    "galaxy-config": ("FILE", "Galaxy's galaxy.yml or galaxy.ini"),
}
_OPTIONS_OF_KEYS = {
    "galaxy.cookie_name": "--cookie",
    "proxy.forward.ip": "--forwardIP",
    "proxy.forward.port": "--forwardPort",
    "proxy.forward": "--forwardIP and --forwardPort",
    "proxy.interactivetools_prefix": "--proxyPathPrefix",
    "proxy.polling_interval": "--pollingInterval",
    "proxy.session_maps[0]": "--sessions",
}
_EPILOG = (
    f"Galaxy's configuration is looked for at {_LOOKED}. Without one, whoever knows the URL of a "
    "tool may use it."
)

# Where Galaxy is told its database so, there is one that knows who owns a tool.
_DATABASE = ("GALAXY_CONFIG_OVERRIDE_DATABASE_CONNECTION", "GALAXY_CONFIG_DATABASE_CONNECTION")
_NO_GALAXY_FILE = f"no configuration of Galaxy (looked at {_LOOKED})"
_NO_GALAXY = f"{_NO_GALAXY_FILE}, so nobody's login is checked"
_OPEN_TOOLS = "interactive tools are open to whoever knows their URL, as with gx-it-proxy"
_OPEN_ENVIRONMENTS = (
    "environments of the older maps are open to whoever sends the cookie that the map names, also "
    "after logging out"
)
_NO_URL = (
    "is not known: only interactive tools by path can be reached, not those on hosts of their own. "
    "Set galaxy_infrastructure_url in Galaxy's file to the address that people use"
)
_NO_MAP = (
    "no --sessions, and no map in Galaxy's configuration: all requests get 404. gx-it-proxy would "
    "go to any target that a request names. To have giestack as the far end of a double proxy, "
    "list the targets as proxy.forward.allowed_targets in a giestack.yml and start "
    "twistd -n giestack --config giestack.yml"
)
_NO_GO_API = (
    "the Go proxy's API (dynamic_proxy: golang) is not here: it would keep its routes in a file. "
    "Start twistd -n giestack --galaxy-config"
)


def command_of(
    argv: Sequence[str], environ: Mapping[str, str], cwd: Path
) -> tuple[str, int, Sequence[str]]:
    """Read a command line: where to listen, and the options for `giestack.tap.Options`.

    :raises SystemExit: with status 2 for one that is wrong, 0 where it only asked for help.
    """
    parser = _parser()
    found = vars(parser.parse_args(argv))
    if (found["forwardIP"] is None) != (found["forwardPort"] is None):
        parser.error("--forwardIP and --forwardPort need each other")
    options = [f"--{name}" for name in _FLAGS if found[name]]
    found["galaxy-config"] = _galaxys_file(found["galaxy-config"], environ, cwd)
    if found["galaxy-config"] is None and (told := [one for one in _DATABASE if environ.get(one)]):
        parser.error(f"{told[0]} is set, but there is {_NO_GALAXY_FILE}: name it")
    options += [f"--{name}={found[name]}" for name in _VALUES if found[name]]
    return found["ip"], found["port"], options


def _parser() -> ArgumentParser:
    # Whole names only, as with those proxies.
    parser = ArgumentParser(
        prog="giestack-proxy",
        description="A proxy for the interactive tools and environments of a Galaxy.",
        epilog=_EPILOG,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--ip",
        type=_host,
        default=LOCALHOST,
        help=f"name or address of this host to listen on [default: {LOCALHOST}]",
    )
    parser.add_argument(
        "--port", type=_port, default=PORT, help=f"port to listen on [default: {PORT}]"
    )
    for name, text in _FLAGS.items():
        parser.add_argument(f"--{name}", dest=name, action="store_true", help=text)
    for name, (what, text) in _VALUES.items():
        kind = _KINDS.get(name, str)
        parser.add_argument(f"--{name}", dest=name, metavar=what, type=kind, help=text)
    text = f"giestack {version('giestack')}"
    parser.add_argument("-V", "--version", action="version", version=text)
    return parser


def _host(text: str) -> str:
    try:
        return host(text)
    except Wrong as wrong:
        raise ArgumentTypeError(str(wrong)) from None


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= _LARGEST_PORT:
        raise ArgumentTypeError(f"must be a number from 1 to {_LARGEST_PORT}, not {text!r}")
    return int(text)


def _milliseconds(text: str) -> int:
    if not text.isdecimal() or len(text) > 12:
        raise ArgumentTypeError(f"must be a whole number, 0 or more, not {text!r}")
    return int(text)


def _prefix(text: str) -> str:
    return text.rstrip("/")


_KINDS: dict[str, Callable[[str], Any]] = {
    "forwardIP": _host,
    "forwardPort": _port,
    "pollingInterval": lambda text: str(_milliseconds(text)),
    "proxyPathPrefix": _prefix,
}


def _galaxys_file(named: str | None, environ: Mapping[str, str], cwd: Path) -> str | None:
    named = named or environ.get("GALAXY_CONFIG_FILE")
    if named:
        return named
    return next((place for place in PLACES if is_there(Path(cwd, place))), None)


def can_listen(address: str) -> bool:
    """Tell whether this machine has the IPv6 address ``address``."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as trial:
            trial.bind((address, 0))
    except OSError:
        return False
    return True


def overrides(
    given: Mapping[str, object], ip: str, port: int, *, verbose: bool
) -> dict[str, object]:
    """What the command line stands for, by the path of the configuration key.

    :param given: what `giestack.tap.Options` makes of it.
    """
    addresses: Sequence[str] = (ip,)
    if ip == LOCALHOST:
        addresses = [one for one in _LOOPBACK if ":" not in one or can_listen(one)]
    return {
        **given,
        "proxy.listen": [f"tcp:{port}:interface={escaped(one)}" for one in addresses],
        "admin.listen": [],
        "log.access": "stdout" if verbose else "off",
        "log.audit": "off",
        # Whatever would be written there is not.
        "data_dir": os.devnull,
    }


def proxy_alone(loaded: Loaded) -> Loaded:
    """Leave out of a configuration what is not this command's, and say what follows from it."""
    settings = loaded.settings
    proxy = replace(settings.proxy, go_api=GoApi())
    others = ("chat", "spawner")
    warnings = [
        one
        for one in loaded.warnings
        if one.path not in ("proxy", "proxy.interactivetools_auth")
        and one.path.partition(".")[0] not in others
    ]
    return Loaded(
        replace(settings, proxy=proxy, spawner=None, chat=None), (*warnings, *_said(settings))
    )


def _said(settings: Settings) -> Iterator[Problem]:
    """What keeps people out, and what lets everybody in."""
    proxy = settings.proxy
    if settings.galaxy.database_connection is None:
        yield Problem("", f"{_NO_GALAXY}: {_OPEN_TOOLS}")
        yield Problem("", f"{_NO_GALAXY}: {_OPEN_ENVIRONMENTS}")
    elif settings.galaxy.url is None and not proxy.interactivetools_domains:
        yield Problem("galaxy.url", _NO_URL)
    if not proxy.session_maps:
        yield Problem("", _NO_MAP)
    if proxy.go_api.api_key is not None:
        yield Problem("proxy.go_api", _NO_GO_API)


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT.

    Returns the exit status 0; a wrong command line ends with 2, whatever else is wrong with 1 and
    a line on standard error.
    """
    cwd = Path.cwd()
    ip, port, arguments = command_of(sys.argv[1:] if argv is None else argv, os.environ, cwd)
    _serve(ip, port, arguments, cwd)
    return 0


def _refuse_mistakes(given: Mapping[str, object], cwd: Path) -> None:
    """End with status 2 where a value can't be used, whatever Galaxy's configuration is."""
    alone = {key: value for key, value in given.items() if key != "galaxy.config_file"}
    try:
        load(None, os.environ, cwd, alone)
    except SettingsError as error:
        problems = (
            f"argument {_OPTIONS_OF_KEYS.get(one.path, one.path)}: {one.text}"
            for one in error.problems
        )
        _parser().error("; ".join(problems))


def _serve(ip: str, port: int, arguments: Sequence[str], cwd: Path) -> None:
    # Late: asking for help needs none of it.
    from giestack.tap import Options, run_in_foreground

    class ProxyOptions(Options):
        """What ``twistd giestack`` is told, and that nothing but the proxy is meant."""

        own_files = False

        def overrides(self) -> dict[str, object]:
            given = overrides(super().overrides(), ip, port, verbose=bool(self["verbose"]))
            _refuse_mistakes(given, cwd)
            return given

        def meant(self, loaded: Loaded) -> Loaded:
            return proxy_alone(loaded)

    run_in_foreground(ProxyOptions(), arguments)
