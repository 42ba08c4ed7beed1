"""A real Jupyter server for tests, as the container of an interactive tool has it."""

import json
import os
import secrets
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection

from tests.neighbours.galaxy import new_folder
from tests.neighbours.giestack import ask
from tests.neighbours.program import PATIENCE, CleanUp, Program, free_port


class Jupyter:
    """A server below a path of its own, with a token of its own; it ends with the test.

    :ivar port: where it listens on 127.0.0.1.
    :ivar token: what its API wants in ``Authorization: token …``.
    :ivar home: what visitors see as their files.
    :ivar program: the process.
    """

    def __init__(self, test: CleanUp, base: str, token: str | None = None) -> None:
        """
        :param token: "" lets everybody in; None: a random one.
        """
        self.port = free_port()
        self.token = secrets.token_hex(16) if token is None else token
        folder = new_folder(test)
        self.home = folder / "home"
        self.home.mkdir()
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": self.port,
            "ServerApp.port_retries": 0,
            "ServerApp.base_url": f"{base}/",
            "ServerApp.root_dir": self.home,
            "ServerApp.open_browser": False,
            "ServerApp.allow_root": True,
            # Whatever name it is reached by.
            "ServerApp.allow_remote_access": True,
            "ServerApp.jpserver_extensions": "{'jupyter_server_terminals': True}",
            "IdentityProvider.token": self.token,
            # Else Jupyter itself would hold large outputs back.
            "ZMQChannelsWebsocketConnection.iopub_data_rate_limit": 1e12,
            "ZMQChannelsWebsocketConnection.iopub_msg_rate_limit": 1e12,
        }
        self.program = Program(
            test,
            [
                sys.executable,
                "-m",
                "jupyter_server",
                *[f"--{name}={value}" for name, value in options.items()],
            ],
            folder,
            _environment(folder),
        )
        self.program.until(
            lambda: ask(self.port, f"{base}/api").status == 200, "a Jupyter server that answers"
        )


def outputs(channels: ClientConnection, code: str) -> Iterator[tuple[str, Any]]:
    """Run code in a kernel, by its WebSocket; yield kind and content of its outputs."""
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "version": "5.3"}
    header |= {"username": "", "session": uuid.uuid4().hex, "date": ""}
    content = {"code": code, "silent": False, "allow_stdin": False}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
    channels.send(json.dumps({**message, "channel": "shell", "buffers": []}))
    while True:
        answer = json.loads(channels.recv(timeout=PATIENCE))
        if answer["parent_header"].get("msg_id") != header["msg_id"]:
            continue
        kind, content = answer["header"]["msg_type"], answer["content"]
        if kind == "status" and content["execution_state"] == "idle":
            return
        if answer["channel"] == "iopub":
            yield kind, content


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of this process' but the way to programs: no settings, no coverage."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "SHELL": "/bin/sh",
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_NO_CONFIG": "1",
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
    }
