"""The doctor at a real giestack, behind fronts that each break one thing, and at PostgreSQL."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from giestack.docker.location import location_of
from giestack.doctor import front, front_passing, front_routes
from giestack.doctor.asking import Place
from giestack.doctor.check import Check, Finding
from giestack.doctor.deployment import Deployment
from giestack.doctor.engine_api import EngineApi
from giestack.doctor.engines import checks as engine_checks
from giestack.doctor.examination import checks_of
from giestack.doctor.front_door import FrontDoor
from giestack.doctor.galaxy import checks as galaxy_checks
from giestack.doctor.galaxy_database import GalaxyTables
from giestack.doctor.maps import Maps
from giestack.doctor.runner import results
from giestack.map_table import make_map
from tests.doctor import fronts
from tests.doctor.deployments import deployment, found
from tests.doctor.servers import Change, Server, json_reply, says
from tests.identity.galaxy_fixture import SECRET, postgres_copy
from tests.neighbours.docker import docker
from tests.neighbours.fronts import HOST, Nginx
from tests.neighbours.galaxy import ALICE, PLAIN, Galaxy, cookie
from tests.neighbours.giestack import Giestack
from tests.neighbours.odd_front import OddFront
from tests.neighbours.postgres import postgres
from tests.neighbours.program import PATIENCE, free_port

COMMAND = str(Path(sys.executable).with_name("giestack"))
ENVIRONMENTS = "galaxy: {dynamic_proxy_manage: false, dynamic_proxy_external_proxy: true}"
SLOW = "front.buffering"


def now() -> float:
    return datetime.now(UTC).timestamp()


class DoctorTests(SynchronousTestCase):
    """One giestack for all that is asked of it."""

    def setUp(self) -> None:
        self.galaxy = Galaxy(self)
        self.giestack = Giestack(self, self.galaxy, {"galaxy": {"url": "http://localhost:1/"}})
        self.galaxy.publish(PLAIN, self.giestack.admin_port)
        self.giestack.config.chmod(0o600)

    def doctor(self, *options: str, stdin: str = "") -> tuple[int, str]:
        done = subprocess.run(
            [COMMAND, "doctor", "--config", str(self.giestack.config), *options],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        self.assertEqual(done.stderr, "")
        return done.returncode, done.stdout

    def test_a_giestack_that_runs_and_one_that_does_not(self) -> None:
        front = OddFront(self, self.giestack.port, fronts.keeps_all)
        status, text = self.doctor(
            "--json",
            "--url",
            f"http://127.0.0.1:{front.port}",
            "--cookie",
            "-",
            stdin=cookie(ALICE),
        )
        told: dict[str, list[dict[str, Any]]] = {}
        for one in json.loads(text):
            told.setdefault(one["check"], []).append(one)
        failed = [one for findings in told.values() for one in findings if one["status"] == "fail"]
        self.assertEqual((status, failed), (0, []))
        for id in (
            *("front.reached", "front.websocket", "front.host", "front.scheme", "front.cookies"),
            *("front.address", "front.slashes", "front.body", "front.errors", "front.tools"),
            *("machine.ports", "machine.ready", "galaxy.database", "galaxy.id_secret"),
            *("galaxy.session", "maps.readable", "maps.backends", "maps.stale"),
        ):
            self.assertEqual({one["status"] for one in told[id]}, {"ok"}, told[id])
        for secret in (SECRET, cookie(ALICE)):
            self.assertNotIn(secret, text)
        self.giestack.program.end()
        status, text = self.doctor()
        self.assertEqual(status, 0)
        self.assertIn("giestack does not run", text)

    def test_fronts_that_break_something(self) -> None:
        for change, id, status in (
            (fronts.keeps_all, "front.websocket", "ok"),
            (fronts.loses_upgrade, "front.websocket", "fail"),
            (fronts.loses_host, "front.host", "fail"),
            (fronts.loses_the_port, "front.host", "warn"),
            (fronts.tells_another_scheme, "front.scheme", "fail"),
            (fronts.tells_no_scheme, "front.scheme", "warn"),
            (fronts.loses_cookies, "front.cookies", "fail"),
            (fronts.tells_no_address, "front.address", "warn"),
            (fronts.believes_visitors, "front.address", "fail"),
            (fronts.decodes_slashes, "front.slashes", "fail"),
            (fronts.refuses_uploads, "front.body", "warn"),
            (fronts.has_pages_of_its_own, "front.errors", "warn"),
            (fronts.knows_only_our_pages, "front.tools", "fail"),
            (fronts.knows_only_our_pages, "front.login", "fail"),
            (fronts.knows_only_our_pages, "front.tool_hosts", "warn"),
            (fronts.keeps_all, "front.login", "ok"),
            (fronts.keeps_all, "front.tool_hosts", "ok"),
            (fronts.keeps_all, "front.environments", "ok"),
            (fronts.has_the_documented_block, "front.environments", "fail"),
            (fronts.leads_elsewhere, "front.reached", "fail"),
        ):
            findings = self.front(change, id)
            self.assertEqual([one.status for one in findings], [status], (change, id, findings))
        (finding,) = self.front(fronts.keeps_all, SLOW, held=True)
        self.assertEqual(finding.status, "warn")

    def front(self, change: Change, id: str, *, held: bool = False) -> list[Finding]:
        port = OddFront(self, self.giestack.port, change, held=held).port
        text = self.giestack.config.read_text()
        one = deployment(text, galaxy=ENVIRONMENTS, front=f"http://127.0.0.1:{port}", now=now)
        asked: list[Check] = [check for check in checks_of(one, 0) if check.id == id]
        return [result.finding for result in results(asked)]


class Unconfigured(Nginx):
    """nginx as it comes, with the block of Galaxy's documentation of interactive environments."""

    def places(self) -> dict[str, str]:
        return {"listen 80;": f"listen {self.port};"}


NGINX = """
server {
    listen 80;  # Galaxy is at 127.0.0.1:8080
    location / {
        proxy_pass http://127.0.0.1:8800;
    }
    location ~ ^/gie_proxy/jupyter/(?<nbtype>[^/]+)/api/kernels(?<rest>.*?)$ {
        proxy_pass http://127.0.0.1:8800/gie_proxy/$nbtype/api/kernels$rest;
        proxy_redirect off;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection "upgrade";
    }
}
"""


class NginxTests(SynchronousTestCase):
    """A real front: as ``etc/fronts`` has it, and as it comes."""

    def test_the_sample_and_none(self) -> None:
        giestack = Giestack(self, Galaxy(self))
        text = giestack.config.read_text()
        good = Nginx(self, giestack.port, free_port())
        sample = Path(self.mktemp()).absolute()
        sample.write_text(NGINX, encoding="utf-8")
        self.patch(Unconfigured, "sample", sample)
        bad = Unconfigured(self, giestack.port, free_port())
        one = deployment(text, galaxy=ENVIRONMENTS, front=f"https://{HOST}", now=now)
        at = Place("127.0.0.1", good.port, tls=True, name=HOST)
        self.assertEqual(self.troubles(one, FrontDoor(one, at, HOST)), {})
        one = deployment(text, galaxy=ENVIRONMENTS, front=f"http://127.0.0.1:{bad.port}", now=now)
        door = FrontDoor(one, Place("127.0.0.1", bad.port), f"127.0.0.1:{bad.port}")
        troubles = self.troubles(one, door)
        self.assertEqual(
            {id: finding.status for id, finding in troubles.items()},
            {
                "front.galaxy": "warn",
                "front.websocket": "fail",
                "front.host": "fail",
                "front.scheme": "fail",
                "front.address": "fail",
                "front.body": "warn",
                "front.tool_hosts": "fail",
                "front.environments": "fail",
            },
        )
        self.assertIn("as with the nginx block", troubles["front.environments"].message)

    @staticmethod
    def troubles(one: Deployment, door: FrontDoor) -> dict[str, Finding]:
        asked = [
            *front.checks(one, door),
            *front_passing.checks(one, door),
            *front_routes.checks(one, door),
        ]
        return {
            result.check.id: result.finding
            for result in results(asked)
            # On a machine with much to do two events may be read together.
            if result.finding.status != "ok" and result.check.id != SLOW
        }


class DockerTests(SynchronousTestCase):
    """A real engine, and a container that is tried out in it."""

    def test_what_sessions_will_need(self) -> None:
        engine = docker()
        gateway = EngineApi(location_of(engine.url)).get("/networks/bridge")["IPAM"]["Config"][0]
        address = gateway["Gateway"]
        galaxy = Server(self, says(json_reply(200, {})), host=address)
        for port, status in ((galaxy.port, "ok"), (1, "warn")):
            one = deployment(
                f"galaxy: {{id_secret: '{SECRET}', database_connection: 'sqlite:////d', "
                f"url: 'http://{address}:{port}/'}}\n"
                f"spawner: {{engines: [{{name: e, docker_host: '{engine.url}'}}], "
                f"profiles: [{{name: t, image: '{engine.tools}'}}]}}"
            )
            told: dict[str, list[str]] = {}
            messages: list[str] = []
            for result in results(engine_checks(one)):
                told.setdefault(result.check.id, []).append(result.finding.status)
                messages.append(result.finding.message)
            told.pop("docker.disk", None)
            expected = {
                "docker.reachable": ["ok"],
                "docker.version": ["ok"],
                "docker.images": ["ok"],
                "docker.address": ["ok"],
                "docker.galaxy": [status],
            }
            self.assertEqual(told, expected, messages)
        left = EngineApi(location_of(engine.url)).get(
            "/containers/json?all=1&filters=%7B%22label%22%3A%5B%22giestack.doctor%22%5D%7D"
        )
        self.assertEqual(left, [])


class PostgresTests(SynchronousTestCase):
    def test_what_a_role_may_do(self) -> None:
        server = postgres()
        name = postgres_copy(self)
        role = f"r_{name}"
        with server.connect(name) as connection:
            for statement in (
                f"CREATE ROLE {role} LOGIN",
                f"GRANT SELECT ON galaxy_session, galaxy_user, job, interactivetool_entry_point"
                f" TO {role}",
            ):
                connection.execute(statement.encode())
            self.addCleanup(self.run_sql, f"DROP ROLE {role}")
            self.addCleanup(self.run_sql, f"DROP OWNED BY {role}", name)
            self.assertEqual(self.privileges(server.url(name), role), "ok")
            self.assertEqual(self.privileges(server.url(name), role, stamps=True), "fail")
            self.run_sql(f"GRANT UPDATE (last_action) ON galaxy_session TO {role}", name)
            self.assertEqual(self.privileges(server.url(name), role, stamps=True), "ok")
            self.run_sql(f"GRANT DELETE ON galaxy_user TO {role}", name)
            self.assertEqual(self.privileges(server.url(name), role), "warn")
            self.run_sql(f"REVOKE SELECT ON job FROM {role}", name)
            self.assertEqual(self.privileges(server.url(name), role), "fail")
        self.assertEqual(self.privileges(server.url(name), "postgres"), "warn")

    def test_its_clock(self) -> None:
        self.assertEqual(self.look("galaxy.clock", postgres().url(postgres_copy(self))), "ok")

    def test_a_map_with_and_without_its_trigger(self) -> None:
        name = postgres().new_database(self)
        url = postgres().url(name)
        make_map(url, Path("/"))
        maps = f"proxy: {{session_maps: ['{url}']}}"

        def trigger() -> Finding:
            (finding,) = found(Maps(deployment(maps), None).checks(), "maps.trigger")
            return finding

        self.assertEqual(trigger().status, "ok")
        self.run_sql("DROP TRIGGER gxitproxy_notify ON gxitproxy", name)
        finding = trigger()
        self.assertEqual(finding.status, "warn")
        # What it says helps.
        self.run_sql(finding.remedy.partition("in psql: ")[2], name)
        self.assertEqual(trigger().status, "ok")

    def privileges(self, url: str, role: str, *, stamps: bool = False) -> str:
        return self.look("galaxy.privileges", url.replace("postgres@", f"{role}@"), stamps)

    def look(self, id: str, url: str, stamps: bool = False) -> str:
        text = (
            f"galaxy: {{id_secret: '{SECRET}', database_connection: '{url}', "
            f"touch_last_action: {str(stamps).lower()}}}"
        )
        one = deployment(text, now=now)
        (finding,) = found(galaxy_checks(one, GalaxyTables(url), list), id)
        return finding.status

    def run_sql(self, statement: str, name: str = "postgres") -> None:
        with postgres().connect(name) as connection:
            connection.execute(statement.encode())
