"""A Galaxy to stand behind: its database and session map, copied from the test data.

The copies belong to one run, which says where each interactive tool listens.
"""

import json
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from bench.processes import LOOPBACK, Program, Programs, beside_python, free_ports, wait_for

PREFIX = "/interactivetool/ep"

_DATA = Path(__file__).parents[1] / "tests" / "data" / "galaxy"

# What Firefox sends along when a page asks for something.
BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-US,en;q=0.5",
    "Accept-Encoding": "gzip, deflate, br",
}


@dataclass(frozen=True, slots=True)
class Tool:
    """An interactive tool that runs.

    :ivar path: where visitors see it, without a slash at the end.
    :ivar port: where it listens on the loopback address.
    """

    path: str
    port: int


class Galaxy:
    """Alice has two interactive tools and more, bob has one.

    ``ports`` says where tools listen, by their names in the test data.

    :ivar tools: those tools, by name.
    :ivar cookie: alice's session cookie, as sent in a Cookie field.
    :ivar ended_cookie: that of a session that she has logged out of.
    :ivar session: the value of alice's cookie alone.
    :ivar database: Galaxy's own database.
    :ivar session_map: what Galaxy tells its proxy.
    :ivar id_secret: what the cookies are encrypted with.
    """

    def __init__(self, folder: Path, ports: Mapping[str, int]) -> None:
        facts = json.loads((_DATA / "galaxy.sqlite.json").read_text(encoding="utf-8"))
        self.database = folder / "galaxy.sqlite"
        self.session_map = folder / "interactivetools_map.sqlite"
        for path in (self.database, self.session_map):
            shutil.copyfile(_DATA / path.name, path)
        entries = {entry["name"]: entry for entry in facts["entry_points"]}
        self.tools: dict[str, Tool] = {}
        with closing(sqlite3.connect(self.session_map)) as connection, connection:
            connection.execute("DELETE FROM gxitproxy")
            for name, port in ports.items():
                entry = entries[name]
                key, token = entry["key"], entry["token"]
                self.tools[name] = Tool(f"{PREFIX}/{key}/{token}", port)
                connection.execute(
                    "INSERT INTO gxitproxy VALUES (?, ?, ?, ?, ?, ?)",
                    (key, entry["key_type"], token, LOOPBACK, port, None),
                )
        cookies = {case["case"]: case["cookie"] for case in facts["cases"]}
        self.session = cookies["user valid"]
        self.cookie = f"galaxysession={self.session}"
        self.ended_cookie = f"galaxysession={cookies['user logged out']}"
        self.id_secret = facts["meta"]["id_secret"]


@dataclass(frozen=True, slots=True)
class Giestack:
    """giestack, started as a site would start it.

    :ivar port: the proxy's.
    :ivar admin_port: that of ``/health`` and ``/metrics``.
    :ivar data_dir: where it keeps its files.
    """

    program: Program
    port: int
    admin_port: int
    data_dir: Path

    @property
    def access_log(self) -> Path:
        """Its access log."""
        return self.data_dir / "access.log"

    def metrics(self) -> dict[str, float] | None:
        """Every metric by its name with its labels; None where nobody answers."""
        status, body = get(self.admin_port, "/metrics", {})
        if status != 200:
            return None
        lines = (line.rpartition(" ") for line in body.decode().splitlines() if line[0] != "#")
        return {name: float(value) for name, _, value in lines}


def start_giestack(
    programs: Programs, galaxy: Galaxy, more: Mapping[str, object] | None = None
) -> Giestack:
    """Start ``twistd -n giestack`` with everything that is on by default.

    ``more`` are further sections of the configuration.

    :raises Failed: where it does not.
    """
    port, admin_port = free_ports(2)
    folder = programs.new_folder("giestack")
    config = folder / "giestack.yml"
    settings = {
        "instance": "bench",
        "galaxy": {
            "id_secret": galaxy.id_secret,
            "database_connection": f"sqlite:///{galaxy.database}",
            "url": "https://galaxy.example.org/",
        },
        "proxy": {
            "listen": [f"tcp:{port}:interface={LOOPBACK}"],
            "session_maps": [str(galaxy.session_map)],
        },
        "admin": {"listen": [f"tcp:{admin_port}:interface={LOOPBACK}"]},
        "data_dir": str(folder / "var"),
        **(more or {}),
    }
    # JSON is YAML.
    config.write_text(json.dumps(settings, indent=1), encoding="utf-8")
    command = (beside_python("twistd"), "-n", "--pidfile=", "giestack", "--config", config)
    program = programs.start("giestack", command, ports=[port])
    return Giestack(program, port, admin_port, folder / "var")


def get(port: int, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    """Status and body of a GET; (0, b"") where there is no answer."""
    connection = HTTPConnection(LOOPBACK, port, timeout=10)
    try:
        connection.request("GET", path, headers=dict(headers))
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, HTTPException):
        return 0, b""
    finally:
        connection.close()


def wait_until_it_answers(
    program: Program, port: int, path: str, headers: Mapping[str, str], body: bytes
) -> None:
    """Wait until a GET is answered with 200 and exactly ``body``.

    :raises Failed: where it is not within 20 s.
    """
    wait_for(
        lambda: get(port, path, headers) == (200, body), f"{program.name}'s answer", 20, program
    )
