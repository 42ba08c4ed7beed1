"""``twistd giestack``: the command line, and the one place that knows the reactor."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.python.usage import Options as UsageOptions

from giestack.settings.files import find_config, load
from giestack.settings.problems import SettingsError


class Options(UsageOptions):
    """What stands behind ``giestack`` on twistd's command line."""

    optParameters: Sequence[Sequence[Any]] = [
        ["config", "c", None, "configuration file [default: as README.rst says]"],
    ]

    def postOptions(self) -> None:
        install_reactor()


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

    from giestack.assembly import assemble

    cwd = Path.cwd()
    try:
        path = find_config(options["config"], os.environ, cwd)
        loaded = load(path, os.environ, cwd)
    except SettingsError as error:
        raise SystemExit("\n".join(f"giestack: {problem}" for problem in error.problems)) from None
    service = assemble(reactor, loaded.settings)
    reactor.callWhenRunning(_take_over_signals, reactor)
    return service


def _take_over_signals(reactor: Any) -> None:
    """End with status 0 on SIGTERM; twistd's own way out would end with 143."""

    def stop() -> None:
        if reactor.running:
            reactor.stop()

    reactor.callLater(
        0,
        signal.signal,
        signal.SIGTERM,
        lambda number, frame: reactor.callFromThread(stop),
    )
