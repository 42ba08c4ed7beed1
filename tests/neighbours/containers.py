"""A real giestack whose sessions are containers of a real Docker engine, and what is left."""

import itertools
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.docker.fake_programs import IMAGE
from tests.neighbours.docker import Dockerd, Engine
from tests.neighbours.galaxy import ALICE, Galaxy
from tests.neighbours.giestack import Answer, ask
from tests.neighbours.held_port import HeldPort
from tests.neighbours.program import CleanUp, eventually
from tests.neighbours.registry import Registry
from tests.neighbours.sessions import ADMIN_TOKEN, SECRET, Sessions

ENGINE = "harbour"
MB = 1024**2
NO_SESSION = "/giestack/session/none/"

_numbers = itertools.count(1)

COMMANDS: Mapping[str, Sequence[str]] = {
    "good": ["program", "listen"],
    "stubborn": ["program", "stubborn"],
    "mute": ["program", "mute"],
    "gone": ["program", "exit", "4"],
}
"""What `program` of the image is, by profile."""


class Containers(Sessions):
    """A running giestack with one Docker engine, and a profile for each kind of program.

    :ivar engine: the engine.
    :ivar instance: the giestack's name, which is in the names of all that it has there.
    """

    def __init__(
        self,
        test: CleanUp,
        galaxy: Galaxy,
        engine: Engine,
        *,
        instance: str = "",
        settings: Mapping[str, object] | None = None,
        profiles: Mapping[str, Mapping[str, object]] | None = None,
        spawner: Mapping[str, object] | None = None,
        **more: Any,
    ) -> None:
        """
        :param settings: further keys of the engine.
        :param profiles: keys laid over those of profiles, or further profiles.
        """
        self.engine = engine
        self.instance = instance or f"test{os.getpid()}x{next(_numbers)}"
        self._homes: list[str] = []
        offered: dict[str, Mapping[str, object]] = {name: {} for name in COMMANDS}
        offered.update(profiles or {})
        test.addCleanup(self.remove_all)
        super().__init__(
            test,
            galaxy,
            spawner={
                "engines": [
                    {"name": ENGINE, "docker_host": engine.url, "memory": 0, **(settings or {})}
                ],
                "profiles": [self.container(name, **keys) for name, keys in offered.items()],
                **(spawner or {}),
            },
            **more,
        )

    def write_config(self, settings: Mapping[str, Any]) -> None:
        super().write_config({"instance": self.instance, **settings})

    def container(self, name: str, **more: object) -> dict[str, object]:
        """The section of a profile; ``more`` are laid over its keys."""
        return {
            "name": name,
            "title": f"The {name} one",
            "image": IMAGE,
            "path": "/",
            "command": list(COMMANDS.get(name, COMMANDS["good"])),
            "secrets": {"word": SECRET},
            "memory": "32M",
            "readiness": {"path": "/", "timeout": 60 if name == "mute" else 20},
            "stop_timeout": 60 if name == "stubborn" else 5,
            **more,
        }

    # What there is in the engine.

    def name_of(self, session: Mapping[str, Any]) -> str:
        """The name of a session's container."""
        return f"giestack-{self.instance}-{session['id']}"

    def there(self) -> dict[str, str]:
        """The states of the containers of this giestack, by session."""
        filters = f'{{"label":["org.giestack.instance={self.instance}"]}}'
        found = self.engine.api.must("GET", "/containers/json", all="1", filters=filters)
        return {one["Labels"].get("org.giestack.session", ""): one["State"] for one in found}

    def volumes(self) -> list[str]:
        """The names of the volumes of sessions of this giestack."""
        found = self.engine.api.must("GET", "/volumes")["Volumes"] or []
        return [one["Name"] for one in found if f"giestack-{self.instance}-" in one["Name"]]

    def inspect(self, session: Mapping[str, Any]) -> Any:
        """What Docker shows of a session's container."""
        return self.engine.api.must("GET", f"/containers/{self.name_of(session)}/json")

    def run(self, session: Mapping[str, Any], *command: str, user: str = "") -> tuple[int, str]:
        """Run a program in a session's container; its exit status, and what it printed."""
        return execute(self.engine, self.name_of(session), *command, user=user)

    def until_only(self, *sessions: Mapping[str, Any], seconds: float = 60) -> None:
        """Wait until these sessions have a container that runs, and there is nothing else."""
        wanted = dict.fromkeys((one["id"] for one in sessions), "running")
        names = sorted(map(self.name_of, sessions))
        found: list[object] = []

        def look() -> bool:
            found[:] = [self.there(), sorted(self.volumes())]
            return found == [wanted, names]

        try:
            eventually(look, f"nothing but {names}", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}: {found}") from None

    # What people do.

    def stop(self, session: Mapping[str, Any], who: str = ALICE) -> None:
        """Stop a session, and wait until it is gone."""
        path = f"sessions/{session['id']}"
        assert self.api(path, who, "DELETE").status == 202
        eventually(lambda: self.api(path, who).status == 404, "it is gone")

    def all(self) -> list[dict[str, Any]]:
        """Everybody's sessions."""
        told: list[dict[str, Any]] = self.admin("sessions").json
        return told

    def states(self) -> dict[str, str]:
        """The states of all sessions, by id."""
        return {one["id"]: one["state"] for one in self.all()}

    def until_open(self, seconds: float = 30) -> None:
        """Wait until the engine takes sessions, and those that it has are known."""

        def is_open() -> bool:
            # Before, nobody can tell that there is no session of some id.
            return not self.closed() and self.ask(NO_SESSION).status != 503

        self.program.until(is_open, "an engine that is open", seconds)

    def closed(self) -> str:
        """What people read who would start something."""
        told: str = self.api("profiles").json[0]["closed"]
        return told

    def unready(self) -> str:
        """What ``/ready`` has to say; "" where all is well."""
        answer = ask(self.admin_port, "/ready")
        return "" if answer.status == 200 else answer.body.decode()

    def die(self) -> None:
        """End it without a chance to do anything."""
        self.program.send(signal.SIGKILL)
        self.program.wait()

    # The end.

    def _dismiss(self, session: Mapping[str, Any]) -> Answer:
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        path = f"/api/v1/sessions/{session['id']}"
        return ask(self.admin_port, path, method="DELETE", headers=headers)

    def end_and_look(self, seconds: float = 10) -> None:
        """Have all sessions stopped, then end it; assert that nothing is left of either."""
        if self.program.running:
            self.until_open()
            for one in self.all():
                self._dismiss(one)
            eventually(lambda: not self.all(), f"no sessions: {self.states()}", 30)
            eventually(
                lambda: not self.there() and not self.volumes(),
                f"nothing of any session: {self.there()}, {self.volumes()}",
                30,
            )
            self.program.send(signal.SIGTERM)
            assert self.program.wait(seconds) == 0, self.program.output[-3000:]
        assert not self.accepts()
        assert not self.children(), self.children()
        left = list(self.own_tmp.iterdir())
        assert not left, left
        self.remove_all()

    def children(self) -> list[int]:
        """Processes that were begun by it, or by what it has begun: they are where it was."""
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal():
                try:
                    if (folder / "cwd").readlink() == self.files:
                        found.append(int(folder.name))
                except OSError:
                    continue
        return found

    def remove_all(self) -> None:
        """Remove what stays when sessions go: their network and homes; assert that it is all."""
        api = self.engine.api
        if api.answers():
            api.remove_all(self.instance)
            eventually(lambda: not api.left(self.instance), f"{api.left(self.instance)}", 10)


def execute(engine: Engine, container: str, *command: str, user: str = "") -> tuple[int, str]:
    """Run a program in a container; its exit status, and what it printed."""
    api = engine.api
    body = {
        "AttachStdout": True,
        "AttachStderr": True,
        # Else each piece has a head of its own.
        "Tty": True,
        "Cmd": list(command),
        "User": user,
    }
    made = api.must("POST", f"/containers/{container}/exec", body)["Id"]
    start = {"Detach": False, "Tty": True}
    printed: str = api.must("POST", f"/exec/{made}/start", start, as_text=True)
    status: int = api.must("GET", f"/exec/{made}/json")["ExitCode"]
    return status, printed.replace("\r\n", "\n")


class SlowImages:
    """A registry whose images can be held up while they are fetched.

    :ivar registry: what has them.
    :ivar gate: how to hold them up.
    """

    def __init__(self, test: CleanUp) -> None:
        self.registry = Registry(test)
        self.gate = HeldPort(test, int(self.registry.host.rpartition(":")[2]), 2 * MB)

    def push(self, name: str) -> str:
        """Put an image there; its reference."""
        self.registry.push(f"{name}:1")
        return f"127.0.0.1:{self.gate.port}/{name}:1"


class ContainerCase(SynchronousTestCase):
    """Whatever a test has done: when giestack has ended, nothing is left, and no engine."""

    def setUp(self):
        self.galaxy = Galaxy(self)

    def own_engine(self, prepare=lambda engine: None, **more):
        """An engine that may be killed; when it has ended, nothing of it is mounted or runs.

        ``prepare`` is called with it before it is started.
        """
        engine = Dockerd(**more)
        self.addCleanup(self.end_engine, engine)
        prepare(engine)
        engine.start()
        assert engine.tools
        return engine

    def end_engine(self, engine):
        engine.end()
        assert not engine.left(), engine.left()

    def start(self, engine, *, wait=True, **more):
        sessions = Containers(self, self.galaxy, engine, **more)
        self.addCleanup(sessions.end_and_look)
        if wait:
            sessions.until_open()
        return sessions
