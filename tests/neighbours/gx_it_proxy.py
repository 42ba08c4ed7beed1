"""The real gx-it-proxy, from npm; ``python -m tests.neighbours.gx_it_proxy`` installs it."""

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from bench.node_packages import GX_IT_PROXY, NodePackages, install
from bench.processes import Failed
from tests.neighbours.galaxy import PREFIX, new_folder
from tests.neighbours.program import CleanUp, Program, free_port

VERSION = "0.2.3"


class GxItProxy:
    """It, started as Galaxy's Gravity does.

    ``map_file`` is the session map, None for the far end of a double proxy; ``options`` are
    further ones.

    :ivar port: where it listens on 127.0.0.1.
    :ivar program: the process.
    """

    def __init__(
        self, test: CleanUp, map_file: Path | None, options: Sequence[str] = ("--verbose",)
    ) -> None:
        packages = _installed()
        if isinstance(packages, Failed):
            raise packages
        assert packages.version(GX_IT_PROXY) == VERSION
        main = packages.modules / GX_IT_PROXY / "lib" / "main.js"
        self.port = free_port()
        command = [str(packages.node), str(main), "--ip", "127.0.0.1", "--port", str(self.port)]
        if map_file is not None:
            command += ["--sessions", str(map_file), "--proxyPathPrefix", PREFIX]
        self.program = Program(test, [*command, *options], new_folder(test))
        self.program.until_it_accepts(self.port)


@cache
def _installed() -> NodePackages | Failed:
    """It, or why it can't be had: nobody tries for minutes again."""
    try:
        return install(GX_IT_PROXY)
    except Failed as failure:
        return failure


if __name__ == "__main__":
    try:
        install(GX_IT_PROXY)
    except Failed as failure:
        sys.exit(f"gx-it-proxy: {failure}")
