"""A Galaxy that runs: PyPI's packages, its own code for everything, jobs in Docker containers.

It is set up as its documentation says for interactive tools behind a proxy; giestack is told
nothing but where Galaxy's configuration is.
"""

import atexit
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.neighbours.docker import docker
from tests.neighbours.galaxy import new_folder
from tests.neighbours.program import Program, free_port

HOME = Path(__file__).parents[2] / ".prepared" / "galaxy"
TOOLS = Path(__file__).parent / "tools"
SECRET = "a-secret-of-the-tests"
BOOTSTRAP = "a-key-for-the-first-users"
START = 180.0
"""Seconds that Galaxy may take to start: it makes its database first."""

# As PyPI's packages have no folder of Galaxy's sources, the monitor is named.
_MONITOR = f"{HOME}/bin/python -m galaxy.job_execution.container_monitor"
_TOOLBOX = """\
<toolbox>
<section id="interactive" name="Interactive tools">
<tool file="{tools}/by_path.xml"/>
<tool file="{tools}/by_host.xml"/>
</section>
</toolbox>
"""


class UntilTheEnd:
    """Cleans up when the process ends, the last first: for what a whole run shares."""

    def addCleanup(self, function: Callable[[], object]) -> object:
        return atexit.register(function)


class Server:
    """Galaxy, started; ``options`` are laid over those of its section ``galaxy``.

    :ivar port: where it listens on 127.0.0.1.
    :ivar url: the same as visitors have it; ``localhost``, as its tools have hosts below that.
    :ivar config: its galaxy.yml.
    :ivar program: the process.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        if not HOME.exists():
            sys.exit("There is no Galaxy; make test-galaxy sets one up.")
        test = UntilTheEnd()
        # The tools name it.
        assert docker().tools == "giestack-test/tools:1"
        self.folder = new_folder(test, "giestack-galaxy-")
        test.addCleanup(self._end_jobs)
        self.port = free_port()
        self.url = f"http://localhost:{self.port}/"
        self.config = self.folder / "config" / "galaxy.yml"
        self._write(options)
        environment = {
            "PATH": f"{HOME}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(self.folder),
            "GALAXY_CONFIG_FILE": str(self.config),
            "LC_ALL": "C.UTF-8",
        }
        command = [f"{HOME}/bin/uvicorn", "--factory", "--host", "127.0.0.1"]
        command += ["--port", str(self.port), "galaxy.webapps.galaxy.fast_factory:factory"]
        self.program = Program(test, command, self.folder, environment)

    def _end_jobs(self) -> None:
        """Galaxy's jobs are in its session, but not in its process group; they may outlive it."""
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(FileNotFoundError, ProcessLookupError):
                # proc(5): state, parent, process group, session.
                session = stat.read_text(encoding="utf-8").rpartition(")")[2].split()[3]
                if int(session) == self.program.pid:
                    os.kill(int(stat.parent.name), signal.SIGKILL)

    def _write(self, options: Mapping[str, Any]) -> None:
        config, tools = self.config.parent, self.folder / "tools"
        config.mkdir()
        (self.folder / "database").mkdir()
        shutil.copytree(TOOLS, tools)
        (config / "tool_conf.xml").write_text(_TOOLBOX.format(tools=tools), encoding="utf-8")
        shed = f'<toolbox tool_path="{self.folder}/shed_tools"/>\n'
        (config / "shed_tool_conf.xml").write_text(shed, encoding="utf-8")
        database = self.folder / "database"
        galaxy = {
            "root_dir": str(self.folder),
            "config_dir": str(config),
            "data_dir": str(database),
            "database_connection": f"sqlite:///{database}/universe.sqlite?isolation_level=IMMEDIATE",
            "id_secret": SECRET,
            "admin_users": "admin@example.org",
            "allow_user_impersonation": True,
            "bootstrap_admin_api_key": BOOTSTRAP,
            "galaxy_infrastructure_url": f"http://127.0.0.1:{self.port}",
            "interactivetools_enable": True,
            "outputs_to_working_directory": True,
            "tool_config_file": str(config / "tool_conf.xml"),
            "shed_tool_config_file": str(config / "shed_tool_conf.xml"),
            "conda_auto_init": False,
            "involucro_auto_init": False,
            "conda_auto_install": False,
            "enable_celery_tasks": False,
            "enable_tool_shed_check": False,
            "watch_tools": "false",
            # It gives visitors the chat's bubble; where Galaxy's own are, there are none.
            "webhooks_dir": str(HOME.parents[1] / "etc" / "galaxy" / "webhooks"),
            "job_config": _jobs(docker().url),
            **options,
        }
        # JSON is YAML.
        self.config.write_text(json.dumps({"galaxy": galaxy}, indent=1), encoding="utf-8")


def _jobs(docker_host: str) -> dict[str, Any]:
    return {
        "runners": {
            "local": {"load": "galaxy.jobs.runners.local:LocalJobRunner", "workers": 6},
        },
        "execution": {
            "default": "docker",
            "environments": {
                "docker": {
                    "runner": "local",
                    "docker_enabled": True,
                    "docker_sudo": False,
                    # Its monitor does not know of docker_host.
                    "docker_cmd": f"docker -H {docker_host}",
                    "docker_net": "bridge",
                    "container_monitor_command": _MONITOR,
                    # Where the published ports are; else it asks which way leads to the Internet.
                    "container_monitor_get_ip_method": "command:echo 127.0.0.1",
                }
            },
        },
    }


_running: list[tuple[Mapping[str, Any], Server]] = []


def server(**options: Any) -> Server:
    """The Galaxy with these options, which tests share; one with others ends, as each is large."""
    if not _running or _running[0][0] != options:
        for _, other in _running:
            other.program.end()
        _running[:] = [(options, Server(options))]
    return _running[0][1]
