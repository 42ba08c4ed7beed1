"""The engines that the configuration asks for: local processes, and Docker."""

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from giestack.docker.credentials import Credentials, runner
from giestack.docker.docker import Docker
from giestack.docker.endpoint import agent_for
from giestack.docker.location import (
    Location,
    LocationError,
    TlsFiles,
    config_folder,
    located,
    location_of,
)
from giestack.settings.spawner_schema import Engine as EngineSettings
from giestack.settings.spawner_schema import EngineTls
from giestack.spawner.docker.claims import Claims
from giestack.spawner.docker.engine import DockerEngine, WarmPool
from giestack.spawner.docker.figures import Figures
from giestack.spawner.docker.making import Making
from giestack.spawner.docker.mounting import Mounting, why_not
from giestack.spawner.docker.pool import Pool, PoolSurroundings, is_busy
from giestack.spawner.engine import Engine
from giestack.spawner.process.engine import ProcessEngine
from giestack.spawner.surroundings import WaitUntilReady

DEFAULT_NAME = "docker"
"""The engine that nobody has configured."""


def new_id() -> str:
    """An id for a session: not a secret, but hard to guess."""
    return secrets.token_hex(8)


def configured_or_default(
    engines: Sequence[EngineSettings], environ: Mapping[str, str], home: Path
) -> Sequence[EngineSettings]:
    """The engines; without any the one that Docker's own client would use.

    :raises ValueError: that can't be found out, or is open to everybody; says what helps.
    """
    if engines:
        return engines
    try:
        at = located(environ, home)
    except LocationError as error:
        raise ValueError(str(error)) from None
    if at.is_exposed:
        raise ValueError(
            f"{at.url} without TLS gives everybody on that network this engine, which is as good "
            "as root there. Use TLS (DOCKER_TLS_VERIFY, DOCKER_CERT_PATH), or, if you mean it, "
            f"write spawner.engines: [{{name: docker, docker_host: '{at.url}', insecure: true}}]"
        )
    tls = (
        EngineTls() if at.tls is None else EngineTls(ca=at.tls.ca, cert=at.tls.cert, key=at.tls.key)
    )
    return [EngineSettings(name=DEFAULT_NAME, docker_host=at.url, tls=tls)]


def location_for(engine: EngineSettings) -> Location:
    """Where an engine listens; raises `LocationError`."""
    tls = engine.tls
    if tls.ca is None or tls.cert is None or tls.key is None:
        return location_of(engine.docker_host)
    return location_of(engine.docker_host, TlsFiles(tls.ca, tls.cert, tls.key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Makes engines.

    :ivar instance: this giestack's name.
    :ivar prefix: that of giestack's own pages.
    :ivar own_hosts: whether each session has a host of its own.
    :ivar galaxy_url: tells it, with a slash at the end, or "".
    :ivar starting: whether a session is being started just now.
    :ivar figures: is filled with those of the Docker engines, by name.
    """

    reactor: Any
    in_thread: Callable[..., Deferred[Any]]
    environ: Mapping[str, str]
    data_dir: Path
    instance: str
    prefix: str
    galaxy_url: Callable[[], str]
    starting: Callable[[], bool]
    wait_until_ready: WaitUntilReady
    figures: dict[str, Figures]
    own_hosts: bool = False

    def make(self, engine: EngineSettings) -> Engine:
        """Make one; nothing runs yet.

        :raises ValueError: a file of its TLS can't be used; says which and why.
        """
        if engine.is_process:
            return ProcessEngine(
                engine.name,
                self.reactor,
                self.reactor,
                self.in_thread,
                self.data_dir,
                self.instance,
                self.environ,
            )
        return self._docker(engine)

    def _docker(self, engine: EngineSettings) -> Engine:
        reactor = self.reactor
        try:
            location = location_for(engine)
            agent = agent_for(reactor, location)
        except LocationError as error:
            raise ValueError(f"Engine {engine.name}: {error}") from None
        figures = self.figures[engine.name] = Figures()
        folder = config_folder(self.environ, Path.home())
        docker = Docker(
            reactor,
            agent,
            tell=figures.called,
            credentials=Credentials(folder, runner(reactor)),
        )
        socket = Path(location.path) if location.is_socket else None
        mounting = Mounting(reactor, reactor, why_not(location, os.geteuid()))

        def pool(making: Making) -> WarmPool:
            return Pool(
                reactor,
                making,
                Claims(
                    engine.name,
                    reactor,
                    docker,
                    making.names,
                    hidden=making.hidden,
                    mounting=mounting,
                    creating=making.creating,
                ),
                making.names,
                PoolSurroundings(
                    prefix=self.prefix,
                    own_hosts=self.own_hosts,
                    galaxy_url=self.galaxy_url,
                    wait_until_ready=self.wait_until_ready,
                    starting=self.starting,
                    busy=is_busy if location.is_socket else _never,
                    new_id=new_id,
                    hidden=making.hidden,
                ),
            )

        return DockerEngine(
            engine.name,
            reactor,
            docker,
            instance=self.instance,
            publish_at=engine.address or location.host or "127.0.0.1",
            memory=engine.memory,
            gpus=engine.gpus,
            data_dir=self.data_dir,
            socket=socket,
            resolve=self._resolve,
            figures=figures,
            pool=pool,
        )

    async def _resolve(self, name: str) -> str:
        found: str = await self.reactor.resolve(name)
        return found


def _never() -> bool:
    """How busy another machine is nobody knows here."""
    return False
