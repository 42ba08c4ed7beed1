"""giestack-proxy under a real supervisord, by the blocks that sites have."""

import os
import signal
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from pwd import getpwuid

from twisted.trial.unittest import SynchronousTestCase

from tests.neighbours.backend import Mirror
from tests.neighbours.galaxy import ALICE, BOB, PLAIN, Galaxy, cookie, new_folder
from tests.neighbours.giestack import ask
from tests.neighbours.program import free_port
from tests.neighbours.proxy_command import COMMAND, write_galaxy_yml
from tests.neighbours.supervisor import Supervisor

SAMPLE = Path(__file__).parents[2] / "etc" / "gravity" / "giestack-proxy.supervisor.conf"
# Galaxy's documentation of the Interactive Environments, with another program.
DOCUMENTED = """
[program:galaxy_nodejs_proxy]
directory       = GALAXY_ROOT
command         = {command} --sessions database/session_map.sqlite --ip 0.0.0.0 --port {port}
autostart       = true
autorestart     = unexpected
user            = GALAXY_USER
startsecs       = 5
redirect_stderr = true
"""
# The line that the same page has for a terminal, where Galaxy's own has --reverseProxy besides.
NODE = """
[program:node_main_js]
command = {command} --ip 0.0.0.0 --port {port} --sessions GALAXY_ROOT/database/session_map.sqlite
    --cookie galaxysession --verbose --reverseProxy
directory = GALAXY_ROOT
redirect_stderr = true
"""
MAP = """
CREATE TABLE gxproxy2
    (key TEXT PRIMARY KEY, host TEXT, port INTEGER, container_ids TEXT, container_interface TEXT)
"""


class SupervisorTests(SynchronousTestCase):
    def setUp(self):
        self.galaxy, self.mirror = Galaxy(self), Mirror(self)
        self.root = new_folder(self)
        write_galaxy_yml(self.root, self.galaxy)
        (self.root / "database").mkdir()
        with closing(sqlite3.connect(self.root / "database" / "session_map.sqlite")) as database:
            database.execute(MAP)
            database.execute(
                "INSERT INTO gxproxy2 VALUES (?, '127.0.0.1', ?, '[]', '')",
                (cookie(ALICE), self.mirror.port),
            )
            database.commit()
        self.path = self.galaxy.publish(PLAIN, self.mirror.port)
        # A program in supervisor's own way of writing.
        self.command = " ".join(f"'{word}'" if " " in word else word for word in COMMAND)

    def here(self, text):
        """A block as this site has it."""
        user = getpwuid(os.geteuid()).pw_name
        for name, value in (
            *(("GALAXY_ROOT", str(self.root)), ("GALAXY_USER", user)),
            *(("= galaxy\n", f"= {user}\n"), ("/srv/galaxy/server", str(self.root))),
            ("/srv/giestack/venv/bin/giestack-proxy", self.command),
            ("/var/log/", f"{self.root}/"),
            ("database/interactivetools_map.sqlite", str(self.galaxy.map_file)),
            ("startsecs       = 10", "startsecs       = 1"),
        ):
            text = text.replace(name, value)
        return text

    def test_it_serves_comes_back_and_ends(self):
        tools, *environments = names = "giestack-proxy", "galaxy_nodejs_proxy", "node_main_js"
        ports = {name: free_port() for name in names}
        sample = SAMPLE.read_text().replace("--port 4002", f"--port {ports[tools]}")
        texts = [
            text.format(command=self.command, port=ports[name])
            for name, text in zip(environments, (DOCUMENTED, NODE), strict=True)
        ]
        supervisor = Supervisor(
            self,
            {name: self.here(text) for name, text in zip(names, (sample, *texts), strict=True)},
        )

        def tool(case):
            return ask(ports[tools], f"{self.path}/lab", cookie=cookie(case)).status

        def environment(name, case):
            return ask(ports[name], "/gie_proxy/jupyter/tree", cookie=cookie(case)).status

        def all_serve():
            supervisor.program.until(lambda: tool(ALICE) == 200, "a tool")
            for name in environments:
                supervisor.program.until(partial(serves, name), "an environment")

        def serves(name):
            return environment(name, ALICE) == 200

        all_serve()
        # The tool is its owner's only, for there is a configuration of Galaxy.
        self.assertEqual((tool(BOB), environment("node_main_js", BOB)), (403, 404))
        before = {name: supervisor.until(name, "RUNNING")["pid"] for name in ports}
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
        for name, pid in before.items():
            supervisor.until_another(name, pid)
        all_serve()
        for name in ports:
            # It would be killed after that time, and have no exit status.
            supervisor.stop(name)
            info = supervisor.info(name)
            self.assertEqual((info["statename"], info["exitstatus"]), ("STOPPED", 0))
        self.assertEqual(supervisor.program.output.count("terminated by SIGKILL"), 3)
        self.assertNotIn("Traceback", (self.root / "giestack-proxy.log").read_text())
        # Nothing was written but supervisor's own log of it.
        files = {str(path.relative_to(self.root)) for path in self.root.rglob("*")}
        self.assertEqual(
            files - {"giestack-proxy.log", "database/session_map.sqlite"},
            {"config", "config/galaxy.yml", "database"},
        )
