"""A real supervisord, from PyPI, with the programs that a test gives it."""

import os
import sys
import xmlrpc.client
from collections.abc import Mapping
from typing import Any

from supervisor.xmlrpc import SupervisorTransport  # type: ignore[import-untyped]

from tests.neighbours.galaxy import new_folder
from tests.neighbours.program import CleanUp, Program

_CONFIGURATION = """
[unix_http_server]
file = {folder}/socket
[supervisord]
logfile = {folder}/supervisord.log
pidfile = {folder}/supervisord.pid
nodaemon = true
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[include]
files = {folder}/conf.d/*.conf
"""


class Supervisor:
    """It, with its programs: texts of configuration files by name.

    :ivar program: the process.
    """

    def __init__(self, test: CleanUp, programs: Mapping[str, str]) -> None:
        folder = new_folder(test)
        (folder / "conf.d").mkdir()
        for name, text in programs.items():
            (folder / "conf.d" / f"{name}.conf").write_text(text, encoding="utf-8")
        configuration = folder / "supervisord.conf"
        configuration.write_text(_CONFIGURATION.format(folder=folder), encoding="utf-8")
        command = [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(configuration)]
        self.program = Program(test, command, folder)
        self._proxy = xmlrpc.client.ServerProxy(
            "http://127.0.0.1",
            transport=SupervisorTransport(serverurl=f"unix://{folder / 'socket'}"),
        )
        self.program.until(lambda: os.path.exists(folder / "socket"), "supervisord's socket")

    def info(self, name: str) -> dict[str, Any]:
        """What it knows of a program: ``statename``, ``pid``, ``exitstatus``…"""
        found: Any = self._proxy.supervisor.getProcessInfo(name)
        return dict(found)

    def stop(self, name: str) -> None:
        """Have it stop a program, as ``supervisorctl stop`` does, and wait for the end."""
        self._proxy.supervisor.stopProcess(name)

    def until_another(self, name: str, pid: int) -> None:
        """Wait for a program to have another process than that."""
        self.program.until(lambda: self.info(name)["pid"] not in (0, pid), f"{name} again")

    def until(self, name: str, state: str) -> dict[str, Any]:
        """Wait for a program to be in that state."""
        self.program.until(lambda: self.info(name)["statename"] == state, f"{name} {state}")
        return self.info(name)
