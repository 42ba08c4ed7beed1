"""A process that does what the demo does for its notebook: ``run_demo.py FOLDER``.

Prints ``ready`` when the notebook is.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from twisted.internet import reactor  # noqa: TID251 - this is a program
from twisted.internet.threads import deferToThread
from twisted.logger import ILogObserver, globalLogBeginner
from twisted.web.client import Agent

from giestack.demo.jupyter import JupyterLab
from giestack.demo.opening import open_demo


def main(folder):
    demo = open_demo(Path(folder), lambda: datetime.now(UTC).replace(tzinfo=None))
    lab = JupyterLab(
        demo.folder,
        demo.host,
        demo.session_map,
        demo.codec,
        reactor,
        reactor,
        Agent(reactor),
        deferToThread,
    )

    def tell(event):
        if event["log_namespace"].endswith("JupyterLab"):
            print(lab.status.state, flush=True)

    globalLogBeginner.beginLoggingTo([cast(ILogObserver, tell)], redirectStandardIO=False)
    lab.startService()
    reactor.addSystemEventTrigger("before", "shutdown", lab.stopService)
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1])
