"""Commands that are run in a container."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.task import deferLater
from twisted.web.iweb import IResponse

from giestack.docker.api import Api
from giestack.docker.errors import Unreachable
from giestack.docker.lines import Frames, Receiver
from giestack.docker.request import Request, segment
from giestack.docker.streams import Stream

MOST = 1024 * 1024
"""Bytes of a command's output that are kept: the last ones."""
_TRIES, _PAUSE = 40, 0.05


@dataclass(frozen=True, slots=True)
class Executed:
    """A command that has been run in a container.

    :ivar status: its exit status.
    :ivar output: the end of what it printed, both streams.
    """

    status: int
    output: str


async def executed(
    api: Api,
    container: str,
    command: Sequence[str],
    *,
    user: str = "",
    env: Sequence[str] = (),
    seconds: float = 60.0,
) -> Executed:
    """Run a command in a container; see `giestack.docker.containers.Containers.execute`."""
    create = Request(
        kind="exec create",
        method="POST",
        path=f"/containers/{segment(container)}/exec",
        body={
            "AttachStdout": True,
            "AttachStderr": True,
            "Cmd": list(command),
            "User": user,
            "Env": list(env),
        },
        kept="repeated",
    )
    path = f"/exec/{segment((await api.call(create)).text('Id'))}"
    output = bytearray()

    def printed(piece: bytes) -> None:
        output.extend(piece)
        del output[:-MOST]

    start = Request(
        kind="exec start", method="POST", path=f"{path}/start", body={"Detach": False, "Tty": False}
    )

    async def begin(hear: Callable[[bytes], None]) -> tuple[IResponse, Receiver]:
        return await api.open(start), Frames(lambda _, piece: hear(piece))

    await api.within(seconds, _end_of(api.stream(begin, printed)))
    status = await api.within(None, _exit_status(api, path))
    return Executed(status, output.decode(errors="replace"))


async def _end_of(stream: Stream) -> None:
    await stream.ended


async def _exit_status(api: Api, path: str) -> int:
    for _ in range(_TRIES):
        found = await _inspect(api, path)
        if found.get("ExitCode") is not None and not found.get("Running"):
            return int(found["ExitCode"])
        # Its output is over a moment before its end is written down.
        await deferLater(api.clock, _PAUSE)
    raise Unreachable("the engine does not tell how a command ended")


async def _inspect(api: Api, path: str) -> dict[str, Any]:
    request = Request(kind="exec inspect", method="GET", path=f"{path}/json")
    return (await api.call(request)).object()
