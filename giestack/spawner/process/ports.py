"""TCP ports of this machine for programs to listen on."""

import socket
from collections.abc import Collection

from giestack.spawner.engine import EngineError

LOOPBACK = "127.0.0.1"
_TRIES = 50


def claim_port(port: int, taken: Collection[int]) -> int:
    """Return a port of loopback on which nobody listens; 0 asks for any.

    ``taken`` are those that were given away and may not be in use yet. Raises `EngineError`.
    """
    if port in taken:
        raise EngineError(_in_use(port))
    for _ in range(1 if port else _TRIES):
        try:
            with socket.socket() as free:
                free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                free.bind((LOOPBACK, port))
                found: int = free.getsockname()[1]
        except OSError:
            break
        if found not in taken:
            return found
    raise EngineError(_in_use(port) if port else "There is no free port on this machine.")


def _in_use(port: int) -> str:
    return (
        f"Port {port} is in use by another program. With port: 0 in the profile, each session "
        "gets a free one."
    )
