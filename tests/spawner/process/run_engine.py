"""A process that does what giestack does with local sessions: ``run_engine.py FOLDER``.

Starts one session of `jupyter`, prints where it listens, and goes on.
"""

import os
import sys
from pathlib import Path

from twisted.internet import reactor  # noqa: TID251 - this is a program
from twisted.internet.defer import ensureDeferred
from twisted.internet.threads import deferToThread

from giestack.settings.spawner_schema import Profile
from giestack.spawner.process.engine import ProcessEngine
from tests.spawner.engine_suite import launch_of

MARK = "run-engine"


def jupyter():
    """A profile as people write it; memory and processes are limited as by default."""
    words = (
        "jupyter server --no-browser --allow-root --sock={socket} --IdentityProvider.token= "
        "--ServerApp.base_url={base_url} --ServerApp.disable_check_xsrf=True "
        "--KernelManager.transport=ipc"
    )
    return Profile(name="jupyter", command=tuple(words.split()))


def engine_in(folder):
    return ProcessEngine("local", reactor, reactor, deferToThread, folder, MARK, os.environ)


async def run(engine):
    await engine.open(lambda session_id, ended: print(ended.reason, flush=True))
    address = await engine.start(launch_of(jupyter()), lambda progress: None)
    print(address.path, flush=True)


def main(folder):
    engine = engine_in(Path(folder))
    reactor.addSystemEventTrigger("before", "shutdown", engine.close)
    reactor.callWhenRunning(lambda: ensureDeferred(run(engine)))
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1])
