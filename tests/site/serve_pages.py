"""The own pages over `FakeSpawning`, behind the real front door: ``python -m … PORT``.

The session's cookie names who asks. ``/giestack/tell`` changes what the spawner holds: its query
has ``do`` and what that needs.
"""

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from twisted.web.resource import Resource
from twisted.web.server import Request, Site
from twisted.web.static import Data

from giestack.galaxy import unheld
from giestack.proxy.decision import Local
from giestack.proxy.decision import Request as Asking
from giestack.proxy.endpoints import Endpoints
from giestack.proxy.front import Front, Limits
from giestack.proxy.head import GuardedNames
from giestack.proxy.local import OwnPages
from giestack.proxy.pool import Pool
from giestack.proxy.trusted import TrustedPeers
from giestack.settings.spawner_schema import Profile
from giestack.site.links import Links
from giestack.site.pages import make_site
from giestack.site.refusals import RefusalPages
from giestack.spawner.engine import Stats
from giestack.spawner.view import Moment, SessionView
from giestack.visitor import Anonymous, Identity
from tests.site.conversation import ADMIN, ALICE, GUEST, NOW, Entry, Galaxy
from tests.site.fake_spawning import BOB, PLAIN, FakeSpawning, session
from tests.site.fake_stopping import FakeGalaxyApi

VISITORS: dict[bytes, Identity | Anonymous] = {
    b"alice": ALICE,
    b"bob": BOB,
    b"admin": ADMIN,
    b"guest": GUEST,
}
GPU = Profile(
    name="gpu",
    title="Deep learning",
    description="PyTorch on a GPU of its own",
    memory=16 * 2**30,
    cpus=4,
    gpus=2,
)
NO_ENGINE = (
    "No engine can be reached just now: nothing listens at /var/run/docker.sock. "
    "It is tried again and again."
)
HOSTILE = "<script>alert(1)</script>\"'&amp;"
LONG = "averylongnamewithoutanyplacetobreakit" * 2
RTL = "تحليل البيانات"


def every_sort() -> list[SessionView]:
    """Sessions of alice in each state, with names of all kinds."""

    def one(state: Any, id: str, name: str, **given: Any) -> SessionView:
        return session(state, ALICE, id=id, name=name, **given)

    return [
        one("ready", "ready", "jupyter", options={"interface": "tree", "rows": 7, "debug": True}),
        one("ready", "ending", RTL, end=NOW + timedelta(minutes=5), ending=True),
        one("queued", "queued", LONG, moment=_moment("queued", place=3)),
        one("queued", "waiting", "wide", moment=_waiting()),
        one("pulling", "pulling", "images"),
        one("creating", "creating", HOSTILE),
        one("starting", "starting", "mouse brain 7", began=NOW - timedelta(seconds=4)),
        one("stopping", "stopping", "old"),
        one("stopped", "stopped", "idle"),
        one("failed", "failed", "crash", moment=_failed()),
        session("ready", BOB, id="bobs", profile=PLAIN, name="bob's own"),
    ]


def _moment(state: Any, place: int | None = None) -> Moment:
    words = f"JupyterLab is number {place} in the queue"
    return Moment(state=state, step=state, message=words, place=place)


def _waiting() -> Moment:
    words = "JupyterLab waits until memory is free on the engine"
    return Moment(state="queued", step="queued", message=words, place=1)


def offer(spawning: FakeSpawning) -> None:
    """Have one more profile, which can't be started."""
    spawning.offered.append(GPU)
    spawning.closed_for["gpu"] = NO_ENGINE


def _failed() -> Moment:
    lines = [f"[I 12:00:{n:02} ServerApp] extension {n} was linked" for n in range(48)]
    lines.append("\x1b[31m" + "Traceback (most recent call last): " * 8)
    return Moment(
        state="failed",
        step="failed",
        message="It stopped",
        reason="JupyterLab stopped unexpectedly: exit status 1.",
        log=(*lines, "MemoryError: <none> left"),
    )


class _Tell(Resource):
    """Does what a test wants."""

    isLeaf = True

    def __init__(self, spawning: FakeSpawning) -> None:
        super().__init__()
        self._spawning = spawning

    def render_GET(self, request: Request) -> bytes:
        given = {name.decode(): values[0].decode() for name, values in request.args.items()}
        do, which = given.pop("do"), given.pop("id", "")
        if do == "reset":
            self._spawning.__init__(*every_sort())  # type: ignore[misc]
            offer(self._spawning)
            self._spawning.used = {"ready": Stats(312 * 2**20, 0.12), "bobs": Stats(2**30, 0.9)}
        elif do == "clear":
            self._spawning.__init__()  # type: ignore[misc]
            offer(self._spawning)
        elif do == "close":
            self._spawning.closed_for[which] = given["reason"]
        elif do == "become":
            moment: Any = _failed() if given["state"] == "failed" else given["state"]
            self._spawning.become(which, moment)
        elif do == "far":
            view = self._spawning.sessions[which]
            self._spawning.become(
                which, replace(view.moment, percent=float(given["percent"]), eta=9.0)
            )
        elif do == "say":
            self._spawning.say(which, given["text"])
        elif do == "forget":
            self._spawning.forget(which)
        return " ".join(self._spawning.sessions).encode()


def make_front(reactor: Any) -> Front:
    """The front door to everything."""
    spawning, galaxy = FakeSpawning(*every_sort()), Galaxy()
    offer(spawning)
    spawning.say("ready", *(f"[I 12:00:{n % 60:02} ServerApp] line {n}" for n in range(150)))
    galaxy.entries, galaxy.routed = [Entry()], {(b"key1", b"secret1")}
    refusals = RefusalPages(Links(galaxy_url="http://127.0.0.1:8080/"), reactor)
    began = datetime.now(UTC)
    site = make_site(
        reactor,
        refusals,
        galaxy.tools(),
        lambda: NOW + (datetime.now(UTC) - began),
        spawning=spawning,
        stopping=FakeGalaxyApi({"key1": ALICE}).stopping(),
    )
    _beside(site, spawning)
    return Front(
        reactor,
        decide=_decide,
        pool=Pool(reactor, Endpoints(reactor, 5)),
        local=OwnPages(site, reactor),
        refusal_page=refusals,
        hold=unheld,
        watch=_Unwatched(),
        guarded=GuardedNames(),
        limits=Limits(),
        trusted=TrustedPeers(()),
    )


def _beside(site: Site, spawning: FakeSpawning) -> None:
    own = site.resource.children[b"giestack"]
    own.putChild(b"tell", _Tell(spawning))
    notebook = Data(b"<!DOCTYPE html><title>Notebook</title><h1>Notebook</h1>", "text/html")
    notebook.isLeaf = True
    own.putChild(b"session", notebook)


def _decide(request: Asking) -> Local:
    (who,) = request.fields.session_cookies or (b"",)
    return Local(VISITORS.get(who))


class _Unwatched:
    def finished(self, exchange: object, peer: bytes) -> None:
        pass


def main(port: int) -> None:
    """Serve on a port of 127.0.0.1 until the process is told to end."""
    from twisted.internet import reactor as installed  # noqa: TID251

    reactor: Any = installed
    front = make_front(reactor)
    front.start()
    reactor.listenTCP(port, front, interface="127.0.0.1")
    reactor.run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
