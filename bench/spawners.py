"""``make bench-spawners``: how long people wait for a JupyterLab in a container of their own.

From the click to the page of JupyterLab, through the proxy, on one image: giestack, a bare
container with the same limits, asked on its published port every 5 ms, and JupyterHub with
DockerSpawner and configurable-http-proxy take turns; then many at once. Sessions that giestack has
started ahead get their owner's files by mount, or, where the engine is elsewhere, by archive. Then:
what the list of sessions takes while twenty start, and giestack's Docker client beside docker-py.
"""

import os
import secrets
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

from bench import jupyterhub, node_packages, report
from bench.bare_container import BareContainer
from bench.ending import Promise, ended, say
from bench.jupyterhub import Hub
from bench.launching import OURS, Launches, measure_launches
from bench.node_packages import HTTP_PROXY, NodePackages
from bench.processes import LOOPBACK, Failed, Programs, busy, free_ports, wait_for
from bench.site import PATIENCE, Site, measure_answers
from giestack.demo.docker_probe import Containers
from giestack.demo.image import build
from giestack.demo.settings import demo_settings
from giestack.docker.location import LocationError, located
from tests.neighbours.docker_api import DockerApi

IMAGE = "giestack/jupyter:bench"
"""The demo's, with JupyterHub's package in it."""

SLOWER = 1.15
"""How much longer than a bare container a session may take."""

HUB = 0.6
"""The part of JupyterHub's time that a session may take, alone or among many."""

MOUNTED, ARCHIVED, LATE = 60.0, 120.0, 200.0
"""ms for a session that was started ahead, by mount and by archive; for 99 of 100 either way."""

ANSWER = 50.0
"""ms within which 99 of 100 answers must come while sessions start."""

AT_ONCE, MANY, WARM = 8, 20, 3
PARTS = ("warm", "cold", "many", "answers", "launches")
PROFILE = "jupyter"


@dataclass(slots=True)
class Times:
    """Seconds from the click to the page, and of other things.

    :ivar misses: sessions that should have been started ahead, and were not.
    :ivar many: until the last of many that were started at once was there.
    """

    cold: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    hub: list[float] = field(default_factory=list)
    mounted: list[float] = field(default_factory=list)
    archived: list[float] = field(default_factory=list)
    ours_at_once: list[float] = field(default_factory=list)
    hub_at_once: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)
    misses: int = 0
    many: float = 0.0


class Ground:
    """An engine, and what is compared there.

    ``marker`` is in the names of all that is made.
    """

    def __init__(self, programs: Programs, engine: DockerApi, marker: str) -> None:
        self._programs = programs
        self._engine = engine
        self._marker = marker
        self._url = f"unix://{engine.socket}"
        (self._profile,) = demo_settings(containers=Containers(self._url, IMAGE))["spawner"][
            "profiles"
        ]
        (home,) = self._profile["volumes"].values()
        self._profile |= {"warm": 0, "volumes": {f"{marker}-home-{{user}}": home}}
        self.cold = self._site("cold", self._url, {})

    def hub(self, python: Path, packages: NodePackages) -> Hub:
        """JupyterHub, started now, with the limits that giestack's sessions have."""
        limits = {"image": IMAGE, "memory": self._profile["memory"], "cpus": 1.0}
        return Hub(self._programs, python, packages, self._engine, self._marker, limits)

    def take_turns(self, hub: Hub, rounds: int, times: Times) -> None:
        """Start one after the other, each in its turn."""
        # The first container of an image takes longer; programs are compiled, files in memory.
        self.cold.start(PROFILE)
        (session,) = self.cold.sessions()
        container = f"giestack-{self._marker}-cold-{session['id']}"
        bare = BareContainer(self._engine, self._marker, container)
        self.cold.clear()
        bare.start()
        hub.start()
        hub.clear()
        for number in range(rounds):
            say(f"start {number + 1} of {rounds}")
            times.cold.append(self.cold.start(PROFILE))
            self.cold.clear()
            times.bare.append(bare.start())
            times.hub.append(hub.start())
            hub.clear()

    def start_at_once(self, hub: Hub, bursts: int, times: Times) -> None:
        """Start many at once, and many of the other's afterwards."""
        for number in range(bursts):
            say(f"{AT_ONCE} at once, {number + 1} of {bursts}")
            times.ours_at_once += _at_once(lambda: self.cold.start(PROFILE))
            self.cold.clear()
            times.hub_at_once += _at_once(hub.start)
            hub.clear()

    def claim(self, rounds: int, times: Times) -> int:
        """Start what was started ahead; return how often that was not there after all."""
        (port,) = free_ports(1)
        socket = str(self._engine.socket)
        self._programs.start_module("bench.forward", str(port), socket, ports=[port])
        near = self._site("near", self._url, {"warm": WARM})
        # As an engine of another machine, into whose containers nothing can be mounted.
        far = self._site("far", f"tcp://{LOOPBACK}:{port}", {"warm": WARM, "volumes": {}})
        for number in range(rounds):
            say(f"{WARM} that were started ahead, {number + 1} of {rounds} (waits for a quiet CPU)")
            what = "the warm pool, which is filled only while this machine has little else to do"
            for site in (near, far):
                wait_for(partial(_is_filled, site), what, PATIENCE)
            for site, found in ((near, times.mounted), (far, times.archived)):
                found += [site.start(PROFILE) for _ in range(WARM)]
            near.clear()
            far.clear()
        misses = _misses(near) + _misses(far)
        # Nothing is to be started ahead while others are measured.
        near.giestack.program.end()
        far.giestack.program.end()
        return misses

    def _site(self, name: str, url: str, more: Mapping[str, object]) -> Site:
        most = MANY + WARM
        engine = {"name": "docker", "docker_host": url, "memory": 0}
        spawner = {
            "engines": [engine],
            "profiles": [{**self._profile, **more, "name": PROFILE}],
            "per_user": most,
            "total": most,
        }
        return Site(self._programs, spawner, f"{self._marker}-{name}")


def _is_filled(site: Site) -> bool:
    name = f'giestack_warm_sessions{{profile="{PROFILE}",state="ready"}}'
    return (site.giestack.metrics() or {}).get(name) == WARM


def _misses(site: Site) -> int:
    name = f'giestack_warm_claims_total{{profile="{PROFILE}",result="miss"}}'
    return int((site.giestack.metrics() or {}).get(name, 0))


def _at_once(start: Callable[[], float]) -> list[float]:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return [each.result() for each in [threads.submit(start) for _ in range(AT_ONCE)]]


def _engine() -> DockerApi:
    """The engine that Docker's own client would use."""
    try:
        location = located(os.environ, Path.home())
    except LocationError as error:
        raise Failed(str(error)) from None
    if not location.is_socket:
        raise Failed(f"{location.url} is no engine on a UNIX socket of this machine")
    return DockerApi(Path(location.path))


@contextmanager
def _swept(engine: DockerApi, marker: str) -> Iterator[None]:
    """Remove everything with the marker at the end, however that comes."""
    try:
        yield
    finally:
        engine.remove_all(marker)


def _measure(
    engine: DockerApi, python: Path, packages: NodePackages, options: Namespace
) -> tuple[Times, Launches]:
    marker, times, launches = f"bench{secrets.token_hex(3)}", Times(), Launches()
    with _swept(engine, marker), Programs() as programs:
        ground = Ground(programs, engine, marker)
        if "warm" in options.only:
            times.misses = ground.claim(options.rounds, times)
        if "cold" in options.only or "many" in options.only:
            hub = ground.hub(python, packages)
            if "cold" in options.only:
                ground.take_turns(hub, options.rounds, times)
            if "many" in options.only:
                ground.start_at_once(hub, options.bursts, times)
        if "answers" in options.only:
            times.answers, times.many = measure_answers(ground.cold, PROFILE, MANY)
            ground.cold.clear()
        if "launches" in options.only:
            measure_launches(launches, engine, python, marker, options.bursts)
    return times, launches


def _run(options: Namespace) -> list[Promise]:
    engine = _engine()
    wanted = ["--tag", IMAGE, "--packages", f"jupyterhub=={jupyterhub.VERSIONS['jupyterhub']}"]
    if build.main([*wanted, "--prepare", "tools/prepare.sh"]):
        raise Failed(f"there is no image {IMAGE}")
    packages = node_packages.install(HTTP_PROXY)
    python = jupyterhub.install()
    others = busy(2)
    times, launches = _measure(engine, python, packages, options)
    say("")
    versions = ", ".join(f"{name} {one}" for name, one in jupyterhub.VERSIONS.items())
    proxy = f"{HTTP_PROXY} {packages.version(HTTP_PROXY)}"
    print(f"{report.machine(packages.node)}, {versions}, {proxy}")
    print(f"{others:.0%} busy with other things before the start", end="\n\n")
    alone = (("giestack", times.cold), ("bare", times.bare), ("JupyterHub", times.hub))
    for name, values in alone if times.cold else ():
        print(f"{name:10}", "  ".join(f"{value:.2f}" for value in values))
    print()
    print(*report.simple_table(_table(times, launches)), sep="\n", end="\n\n")
    if times.many:
        print(f"{MANY} starts at once took {times.many:.1f} s")
    for name, seconds in launches.seconds.items() if launches.seconds[OURS] else ():
        each = "  ".join(f"{value:.2f}" for value in seconds)
        print(f"{launches.count} launches and removals, {AT_ONCE} at once, {name}: {each} s")
    return list(_promises(times))


def _table(times: Times, launches: Launches) -> list[list[str]]:
    rows = [
        ("giestack, cold", times.cold, 0),
        ("bare container", times.bare, 0),
        ("JupyterHub", times.hub, 0),
        ("giestack, warm, by mount", times.mounted, 1),
        ("giestack, warm, by archive", times.archived, 1),
        (f"giestack, {AT_ONCE} at once", times.ours_at_once, 0),
        (f"JupyterHub, {AT_ONCE} at once", times.hub_at_once, 0),
        (f"answer while {MANY} start", times.answers, 1),
        *(
            (f"launch, {AT_ONCE} at once, {name}", values, 0)
            for name, values in launches.each.items()
        ),
    ]
    return [*report.SECONDS, *(report.row_of(*row) for row in rows if row[1])]


def _at_most(what: str, value: float, bar: float, unit: str) -> Promise:
    digits = 2 if unit.startswith("×") else 1
    text = f"{what}: {value:.{digits}f} {unit}, at most {bar:g} is promised"
    return Promise(text, value <= bar)


def _promises(times: Times) -> Iterator[Promise]:
    if times.cold:
        cold = median(times.cold)
        yield _at_most("cold start", cold / median(times.bare), SLOWER, "× a bare container")
        yield _at_most("cold start", cold / median(times.hub), HUB, "× JupyterHub")
    if times.ours_at_once:
        many = median(times.ours_at_once) / median(times.hub_at_once)
        yield _at_most(f"{AT_ONCE} at once", many, HUB, "× JupyterHub")
    if times.mounted:
        for name, values, bar in (
            ("warm start by mount", times.mounted, MOUNTED),
            ("warm start by archive", times.archived, ARCHIVED),
        ):
            yield _at_most(name, median(values) * 1e3, bar, "ms")
            yield _at_most(f"{name}, 99 %", report.late(values) * 1e3, LATE, "ms")
        yield _at_most("warm starts", times.misses, 0, "that were not ready")
    if times.answers:
        late = report.late(times.answers) * 1e3
        yield _at_most(f"answer while {MANY} start, 99 %", late, ANSWER, "ms")


def _options(arguments: list[str] | None) -> Namespace:
    parser = ArgumentParser(prog="python -m bench.spawners", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="starts of each sort [7]")
    parser.add_argument("--bursts", type=int, default=2, help=f"how often {AT_ONCE} at once [2]")
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=PARTS, help="not all of it", metavar="PART"
    )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run, print, and return 1 where a promise is not kept."""
    options = _options(arguments)
    return ended(lambda: _run(options))


if __name__ == "__main__":
    sys.exit(main())
