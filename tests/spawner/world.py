"""A spawner on an engine in memory, with a clock, some people and everything they do noted."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address
from giestack.settings.spawner_schema import Profile, Readiness, SpawnerSettings
from giestack.spawner.engine import EngineError
from giestack.spawner.hooks import Hook, Hooks
from giestack.spawner.jupyter_activity import Activity
from giestack.spawner.owner import Owner
from giestack.spawner.readiness import NotReady
from giestack.spawner.spawner import Spawner
from giestack.spawner.view import Moment, SessionView, State
from giestack.visitor import Identity
from tests.spawner.fake_engine import FakeEngine

ALICE = Identity("galaxy", 1, "e1", "alice", "alice@example.org", False, 11, "k1")
BOB = Identity("galaxy", 2, "e2", "bob", "bob@example.org", False, 12, "k2")
ADMIN = Identity("galaxy", 3, "e3", "admin", "admin@example.org", True, 13, "k3")
JUPYTER = Profile(
    name="jupyter",
    title="JupyterLab",
    command=("jupyter", "lab"),
    readiness=Readiness(path="/api", timeout=60),
    idle_timeout=3600,
    options={"debug": {"type": "boolean"}},
)
RSTUDIO = replace(JUPYTER, name="rstudio", title="", path="/", strip_path=True, options={})
SECRET = replace(JUPYTER, name="secret", title="Secret", admin_only=True)
SETTINGS = SpawnerSettings(profiles=(JUPYTER, RSTUDIO, SECRET), per_user=3, total=50)


class World:
    """What the tests of sessions share.

    :ivar activity: what every Jupyter server says that it does.
    :ivar audit: (event, who, fields) of everything that was noted.
    """

    def __init__(
        self,
        settings: SpawnerSettings = SETTINGS,
        hooks: Sequence[Hook] = (),
        opened: bool = True,
        own_hosts: bool = False,
    ) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.engine = FakeEngine(self.clock)
        self.activity = Activity(False, False, None)
        self.asked: list[tuple[Address, str]] = []
        self.probed: list[tuple[Address, str]] = []
        self.api_keys: dict[str | None, str] = {"alice": "key-of-alice"}
        self.audit: list[tuple[str, str, Mapping[str, object]]] = []
        numbers = count(1)
        self.spawner = Spawner(
            self.clock,
            [self.engine],
            prefix="/giestack",
            hooks=Hooks(self.clock, hooks),
            wait_until_ready=self.wait_until_ready,
            ask_activity=self.ask_activity,
            audit=self._note,
            api_key=self._api_key,
            new_id=lambda: f"s{next(numbers)}",
            own_hosts=own_hosts,
        )
        self.spawner.configure(settings, "https://galaxy.example.org/")
        if opened:
            self.spawner.open()

    async def _api_key(self, owner: Owner) -> str:
        if owner.username not in self.api_keys:
            raise EngineError("Make an API key in Galaxy first.")
        return self.api_keys[owner.username]

    def _note(self, event: str, who: Any, **fields: object) -> None:
        self.audit.append((event, who.username, fields))

    async def wait_until_ready(self, address: Address, path: str, timeout: float) -> None:
        self.probed.append((address, path))
        end = self.clock.seconds() + timeout
        while not self.engine.answers(address):
            if self.clock.seconds() >= end:
                raise NotReady("nothing listens there")
            await deferLater(self.clock, 0.05)

    async def ask_activity(self, address: Address, base: str) -> Activity:
        self.asked.append((address, base))
        return self.activity

    def start(
        self, who: Identity = ALICE, profile: str = "jupyter", name: str | None = None
    ) -> str:
        """Ask for a session; its id."""
        return self.spawner.request(who, profile, name, {})[0].id

    def view(self, session_id: str) -> SessionView:
        view = self.spawner.view(session_id)
        assert view is not None, f"{session_id} is gone"
        return view

    def state(self, session_id: str) -> State | None:
        """The state of a session; None where it is gone."""
        view = self.spawner.view(session_id)
        return view.moment.state if view else None

    def moments(self, session_id: str) -> list[Moment]:
        """All moments of a session from now on."""
        heard: list[Moment] = []
        self.spawner.subscribe(session_id, heard.append, lambda: None)
        return heard

    def pass_time(self, seconds: float, step: float = 0.5) -> None:
        """Let time pass in small steps, as a reactor does."""
        for _ in range(round(seconds / step)):
            self.clock.advance(step)

    def close(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.spawner.close())


class SpawnerCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World()
        self.engine = self.world.engine
        self.spawner = self.world.spawner
