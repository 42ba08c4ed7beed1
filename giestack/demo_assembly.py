"""Puts the demo together: giestack as ever, with a host database and a notebook of its own."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.logger import Logger
from twisted.web.client import Agent, HTTPConnectionPool

from giestack.assembly import assemble, make_data_dir, threads_of, utcnow
from giestack.demo.docker_probe import Containers, NoContainers, check
from giestack.demo.folder import DemoError
from giestack.demo.host import DemoLogins
from giestack.demo.image.recipe import IMAGE
from giestack.demo.jupyter import JupyterLab
from giestack.demo.opening import open_demo
from giestack.demo.settings import demo_settings
from giestack.docker.location import LocationError, located
from giestack.ops.event_log import EventLog
from giestack.parts import Giestack
from giestack.settings.files import load

_PROCESSES = "Its notebooks are plain processes without isolation: for trying out only."
_CONTAINERS = (
    "Its sessions are containers of the Docker engine at {engine}. Alice's own notebook is a plain "
    "process without isolation: for trying out only."
)


class Welcome(Service):
    """Says where to go.

    :ivar note: what to expect there, for people.
    """

    log = Logger()

    def __init__(self, url: str, note: str) -> None:
        self._url = url
        self.note = note

    def startService(self) -> None:
        super().startService()
        self.log.info("The demo is open: {url}", url=self._url)
        self.log.warn("{note}", note=self.note)


def assemble_demo(
    reactor: Any, folder: Path, port: int, event_log: EventLog | None = None
) -> Giestack:
    """Build giestack for trying out, on a port of 127.0.0.1; see `assemble`.

    :raises ValueError: with a text for people, where the folder can't be used.
    """
    in_thread = threads_of(reactor)
    try:
        demo = open_demo(folder, utcnow)
    except DemoError as error:
        raise ValueError(str(error)) from None
    containers, note = find_containers(os.environ, Path.home())
    overrides = dict(flat(demo_settings(port, containers)))
    overrides["galaxy.id_secret"] = demo.folder.id_secret()
    settings = load(None, {}, demo.folder.path, overrides).settings
    make_data_dir(settings)
    giestack = assemble(
        reactor,
        settings,
        DemoLogins(demo.host, demo.codec, in_thread),
        event_log=event_log,
    )
    JupyterLab(
        demo.folder,
        demo.host,
        demo.session_map,
        demo.codec,
        reactor,
        reactor,
        Agent(reactor, pool=HTTPConnectionPool(reactor, persistent=False)),
        in_thread,
        settings.proxy.interactivetools_prefix,
    ).setServiceParent(giestack)
    url = f"http://127.0.0.1:{port}{settings.proxy.prefix}/demo"
    Welcome(url, note).setServiceParent(giestack)
    return giestack


def find_containers(environ: Mapping[str, str], home: Path) -> tuple[Containers | None, str]:
    """The engine that Docker's own client would use, if it can have the demo's sessions.

    And what people are to be told about it. Waits for the engine, some two seconds at most.
    """
    try:
        location = located(environ, home)
        if location.is_exposed:
            raise NoContainers(f"{location.url} is open to everybody on that network: not used.")
        files = {} if location.tls is None else asdict(location.tls)
        tls = {name: str(file) for name, file in files.items()}
        containers = Containers(location.url, IMAGE, tls)
        check(containers)
    except (LocationError, NoContainers) as error:
        return None, f"{_PROCESSES} {error}"
    return containers, _CONTAINERS.format(engine=location.url)


def flat(settings: Mapping[str, Any], above: str = "") -> list[tuple[str, object]]:
    """A nested configuration as (path of the key, value)."""
    found: list[tuple[str, object]] = []
    for key, value in settings.items():
        path = f"{above}.{key}" if above else key
        found += flat(value, path) if isinstance(value, Mapping) else [(path, value)]
    return found
