"""``twistd giestack``: the command line, and the one place that knows the reactor."""

import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.error import ReactorNotRunning
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from giestack.listening import CannotListen
from giestack.ops.event_log import EVENT_LOG, EventLog
from giestack.parts import Giestack
from giestack.settings.files import find_config, load
from giestack.settings.load import Loaded
from giestack.settings.problems import SettingsError

DEMO_DIR = "giestack-demo"


class Options(UsageOptions):
    """What stands behind ``giestack`` on twistd's command line.

    The second half are the options of gx-it-proxy and of Galaxy's older proxies, with their
    meaning; they win over the configuration file.
    """

    own_files = True
    """Whether there are files of giestack's own: a configuration, and what is in ``data_dir``."""

    synopsis = "[--config FILE | --demo | --galaxy-config FILE] [options]"
    longdesc = (
        "Without --config, --demo and --galaxy-config: $GIESTACK_CONFIG, ./giestack.yml, "
        "/etc/giestack/giestack.yml. Options of gx-it-proxy win over what is configured."
    )

    optFlags: Sequence[Sequence[Any]] = [
        ["demo", None, "try giestack out: a database, three users and a JupyterLab of its own"],
        ["verbose", None, "log more (gx-it-proxy)"],
        [
            "reverseProxy",
            None,
            "lead redirects of tools to http://localhost/ to the visitor's address (gx-it-proxy)",
        ],
    ]
    optParameters: Sequence[Sequence[Any]] = [
        ["config", "c", None, "configuration file, giestack.yml"],
        ["demo-dir", None, DEMO_DIR, "where --demo keeps its files"],
        ["galaxy-config", None, None, "Galaxy's galaxy.yml or galaxy.ini"],
        [
            "ip",
            None,
            None,
            "address to listen on (gx-it-proxy); localhost where only --port is given",
        ],
        [
            "port",
            None,
            None,
            "port to listen on (gx-it-proxy); 8000 where only --ip is given, and for --demo 8800",
        ],
        ["sessions", None, None, "session map: a file or a database's URL (gx-it-proxy)"],
        ["cookie", None, None, "name of Galaxy's cookie (gx-it-proxy)"],
        ["proxyPathPrefix", None, None, "prefix of interactive tools by path (gx-it-proxy)"],
        ["forwardIP", None, None, "address of a second proxy (gx-it-proxy)"],
        ["forwardPort", None, None, "port of a second proxy (gx-it-proxy)"],
        [
            "pollingInterval",
            None,
            None,
            "milliseconds between looks at a PostgreSQL map (gx-it-proxy)",
        ],
    ]

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Read a command line; behind twistd's own, a wrong one ends the process with status 2.

        twistd itself would print all of its help and end with 0, as if all were well.
        """
        try:
            super().parseOptions(options)
        except UsageError as error:
            if self.parent is None:
                raise
            print(f"{self.getSynopsis()}\ngiestack: {error}", file=sys.stderr)
            raise SystemExit(2) from None

    def postOptions(self) -> None:
        install_reactor()
        if self.parent is not None and not self.parent.get("logger"):
            # twistd asks for its log after makeService, which by then knows the level.
            EVENT_LOG.twistd = self.parent
            self.parent["logger"] = f"{EventLog.__module__}.EVENT_LOG"

    def overrides(self) -> dict[str, object]:
        """What the command line says, by the path of the configuration key."""
        keys = {
            "cookie": "galaxy.cookie_name",
            "proxyPathPrefix": "proxy.interactivetools_prefix",
            "forwardIP": "proxy.forward.ip",
            "forwardPort": "proxy.forward.port",
        }
        given: dict[str, object] = {
            key: self[option] for option, key in keys.items() if self[option] is not None
        }
        if self["galaxy-config"] is not None:
            given["galaxy.config_file"] = str(Path(self["galaxy-config"]).absolute())
        if self["ip"] is not None or self["port"] is not None:
            host = (self["ip"] or "localhost").replace(":", "\\:")
            given["proxy.listen"] = [f"tcp:{self['port'] or 8000}:interface={host}"]
        if self["sessions"] is not None:
            sessions = self["sessions"]
            is_url = "://" in sessions
            given["proxy.session_maps"] = [sessions if is_url else str(Path(sessions).absolute())]
        if self["pollingInterval"] is not None:
            milliseconds = whole("pollingInterval", self["pollingInterval"])
            given["proxy.polling_interval"] = f"{milliseconds / 1000 or NEVER}"
        if self["reverseProxy"]:
            given["proxy.forward.reverse_proxy"] = True
        if self["verbose"]:
            given["log.level"] = "debug"
        return given

    def meant(self, loaded: Loaded) -> Loaded:
        """What of a configuration is meant; here all of it."""
        return loaded


def whole(option: str, text: str) -> int:
    """The value of an option that is a whole number; ValueError that names the option."""
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"--{option} must be a whole number, not {text!r}") from None


NEVER = 86400
"""Seconds between two looks for gx-it-proxy's 0, which leaves all to the database's own word."""

SWITCH = 0.0002
"""Seconds after which a thread that runs Python lets another one run that asks for it."""


def install_reactor() -> None:
    """Choose giestack's reactor, unless another one is there already (``twistd --reactor``)."""
    if "twisted.internet.reactor" not in sys.modules:
        try:
            from giestack import epoll
        except ImportError:
            # No epoll on this system: Twisted's default serves as well, if slower.
            return
        epoll.install()


def makeService(options: Options) -> Service:
    """Build the service that twistd runs; wrong settings end the process with one line each."""
    from twisted.internet import reactor  # noqa: TID251 - the one place that may

    # From now on SIGHUP ends nothing, though there is nothing yet to reload.
    hang_up: list[Callable[[], None]] = []
    _take_over(reactor, signal.SIGHUP, lambda: [act() for act in hang_up])
    try:
        giestack = _demo(reactor, options) if options["demo"] else _configured(reactor, options)
        # Now, so that a port that is taken is one line and not a traceback.
        giestack.privilegedStartService()
    except SettingsError as error:
        raise SystemExit("\n".join(f"giestack: {problem}" for problem in error.problems)) from None
    except (CannotListen, OSError, ValueError) as error:
        raise SystemExit(f"giestack: {error}") from None
    hang_up.append(giestack.hang_up)
    reactor.callWhenRunning(_when_running, reactor)
    return giestack


def run_in_foreground(options: Options, arguments: Sequence[str]) -> None:
    """Run as ``twistd -n giestack`` with these arguments does; return when it has ended.

    For commands of their own, whose ``options`` mean something else than twistd's.
    """
    from twisted.application.service import ServiceMaker
    from twisted.scripts.twistd import ServerOptions, runApp  # type: ignore[attr-defined]

    twistd = ServerOptions()
    twistd.parseOptions(["--nodaemon", "--pidfile="])
    options.parent = twistd
    options.parseOptions(arguments)
    maker = ServiceMaker("giestack", Options.__module__, "", "giestack")
    # As if it had found them on its own command line.
    twistd.loadedPlugins, twistd.subCommand, twistd.subOptions = (
        {"giestack": maker},
        "giestack",
        options,
    )
    twistd.postOptions()
    runApp(twistd)


def _configured(reactor: Any, options: Options) -> Giestack:
    from giestack.assembly import assemble, make_data_dir

    overrides = options.overrides()
    cwd = Path.cwd()
    path = None
    if options["config"] is not None or (options["galaxy-config"] is None and options.own_files):
        path = find_config(options["config"], os.environ, cwd)

    def read() -> Loaded:
        return options.meant(load(path, os.environ, cwd, overrides))

    loaded = read()
    for warning in loaded.warnings:
        print(f"giestack: warning: {warning}", file=sys.stderr)
    if options.own_files:
        make_data_dir(loaded.settings)
    return assemble(reactor, loaded.settings, load=read, event_log=EVENT_LOG)


def _demo(reactor: Any, options: Options) -> Giestack:
    from giestack.demo_assembly import assemble_demo

    port = whole("port", options["port"] or "8800")
    return assemble_demo(reactor, Path.cwd() / options["demo-dir"], port, EVENT_LOG)


def _take_over(reactor: Any, number: int, act: Callable[[], object]) -> None:
    """Have a signal mean just this, which then happens in the reactor's turn."""
    signal.signal(number, lambda *_: reactor.callFromThread(act))


def _when_running(reactor: Any) -> None:
    """Take the signals over, which twistd would answer with status 143 or an abrupt end."""

    def stop() -> None:
        try:
            reactor.stop()
        except ReactorNotRunning:
            # A second signal while the first one is being obeyed.
            pass

    def on_signals() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            _take_over(reactor, number, stop)

    # After the reactor has set its own.
    reactor.callLater(0, on_signals)
    # Every call of the system lets other threads run Python. Databases are in threads: each time
    # the reactor would wait for its turn again for Python's usual 5 ms.
    sys.setswitchinterval(SWITCH)
    # What is there now stays: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 4)
