"""The chats that are compared: one process each, on a core of its own, asked for the same room."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench.chat_generator import SERVER_CORE, Target, on_core
from bench.chat_packages import (
    FLASK,
    FLASK_VERSION,
    WS,
    eventlet_version,
    install_flask,
    install_ws,
)
from bench.chat_people import People
from bench.galaxy import Galaxy, Giestack, get, start_giestack
from bench.processes import LOOPBACK, Program, Programs, free_ports, wait_for

GIESTACK, PROXIED = "giestack", "giestack-proxied"
NAMES = (GIESTACK, PROXIED, FLASK, WS)

ROOM = "Bench"
PEOPLE = 10_000

_PEERS = Path(__file__).parent / "chat_peers"
_TOOL = "alice running"
_BODY = 1000

# Nobody is to be refused: what is measured is what the rest costs.
_UNLIMITED = {"rate": 0, "burst": 0, "sockets_per_user": 0}


@dataclass(frozen=True, slots=True)
class Contender:
    """A chat that runs.

    :ivar proxy_port: where it is a proxy too; else 0.
    """

    name: str
    program: Program
    target: Target
    version: str
    proxy_port: int = 0


class Ground:
    """What all chats stand on: a Galaxy whose people have sessions, and a backend of the proxy.

    :ivar page: what is asked for through the proxy while people chat: path and headers.
    """

    def __init__(self, programs: Programs) -> None:
        self._programs = programs
        (backend,) = free_ports(1)
        self._galaxy = Galaxy(programs.folder, {_TOOL: backend})
        self.people = People(self._galaxy, programs.folder, PEOPLE)
        programs.start_module("bench.backend", str(backend), ports=[backend])
        path = f"{self._galaxy.tools[_TOOL].path}/hello/{_BODY}"
        self.page = (path, {"Cookie": self._galaxy.cookie})

    def start(self, name: str) -> Contender:
        """Start a chat, and wait until it listens."""
        starts = {FLASK: self._flask, WS: self._ws}
        if name in starts:
            return starts[name]()
        giestack, port = self._giestack()
        target = Target(dialect="giechat", port=port, path="/ws")
        if name == PROXIED:
            target = Target(dialect="giechat", port=giestack.port, path="/giestack/chat/ws")
        return Contender(name, giestack.program, target, version("giestack"), giestack.port)

    def _giestack(self) -> tuple[Giestack, int]:
        (port,) = free_ports(1)
        chat = {
            "opt_in": False,
            "listen": [f"tcp:{port}:interface={LOOPBACK}"],
            "rooms": [ROOM],
            "limits": _UNLIMITED,
        }
        with on_core(SERVER_CORE):
            giestack = start_giestack(self._programs, self._galaxy, {"chat": chat})
        cookie = {"Cookie": self._galaxy.cookie}
        wait_for(lambda: get(port, "/whoami", cookie)[0] == 200, "the chat", 20, giestack.program)
        return giestack, port

    def _flask(self) -> Contender:
        (port,) = free_ports(1)
        script = _PEERS / "flask_socketio_server.py"
        with on_core(SERVER_CORE):
            program = self._programs.start(
                FLASK,
                (install_flask(), script, str(port), self._galaxy.database, self._galaxy.id_secret),
                ports=[port],
            )
        path = "/socket.io/?EIO=4&transport=websocket"
        target = Target(dialect="socket.io", port=port, path=path)
        return Contender(FLASK, program, target, f"{FLASK_VERSION}, eventlet {eventlet_version()}")

    def _ws(self) -> Contender:
        (port,) = free_ports(1)
        packages = install_ws()
        script = _PEERS / "ws_server.js"
        with on_core(SERVER_CORE):
            program = self._programs.start(
                WS,
                (packages.node, script, str(port), self.people.sessions, ROOM),
                ports=[port],
                environment={"NODE_PATH": str(packages.modules)},
            )
        target = Target(dialect="giechat", port=port, path="/ws")
        return Contender(WS, program, target, packages.version(WS))
