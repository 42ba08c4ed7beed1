"""Checks of the session maps: can they be read, and does what they say still hold?"""

import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files

from giestack.address import Address
from giestack.doctor.asking import NoAnswer, Place, connect
from giestack.doctor.check import Check, Finding, fail, ok, warn
from giestack.doctor.deployment import Deployment, is_on, option
from giestack.doctor.galaxy_database import GalaxyTables, configured_and_running
from giestack.doctor.map_reading import Map
from giestack.identity.cookie import BadSecret, CookieCodec, MalformedId
from giestack.identity.galaxy import owners_by_id
from giestack.routing.source import MapTrouble

GROUP = "maps"
SHOWN = 3
"""Rows that are named."""

TRIED = 200
"""Backends that are tried."""

_SQL = re.compile(r"^CREATE OR REPLACE FUNCTION.*?(?=^COMMIT)", re.DOTALL | re.MULTILINE)


def trigger_sql() -> str:
    """What makes the trigger in PostgreSQL, in one line."""
    whole = files("giestack.routing").joinpath("gxitproxy.sql").read_text(encoding="utf-8")
    found = _SQL.search(whole)
    assert found is not None
    return " ".join(found[0].split())


class Maps:
    """All session maps of a deployment."""

    def __init__(self, deployment: Deployment, tables: GalaxyTables | None) -> None:
        self._deployment = deployment
        self._tables = tables
        self._maps = [Map(source) for source in deployment.settings.proxy.session_maps]

    def checks(self) -> Sequence[Check]:
        """All checks of this group."""
        return (
            Check("maps.readable", GROUP, "the session maps", self.readable),
            Check("maps.rows", GROUP, "their rows", self.rows),
            Check("maps.backends", GROUP, "what listens behind their rows", self.backends),
            Check("maps.stale", GROUP, "rows of tools that have ended", self.stale),
            Check("maps.missing", GROUP, "running tools without a row", self.missing),
            Check("maps.trigger", GROUP, "PostgreSQL's trigger", self.trigger),
            Check("maps.forward", GROUP, "the second proxy", self.forward),
            Check("maps.services", GROUP, "the services", self.services),
        )

    def keys(self) -> Iterable[str]:
        """The keys of all entry points in the maps."""
        return [point.key for one in self._maps for point in one.entry_points]

    def readable(self) -> Iterator[Finding]:
        if not self._maps:
            yield ok("no session map is configured")
        for one in self._maps:
            try:
                routes = one.read().routes
            except MapTrouble as trouble:
                yield self._troubled(one, trouble)
                continue
            tools, old = len(routes.entry_points), routes.environments
            told = f"{tools} interactive tools"
            if old is not None:
                told = f"{len(old)} cookie-routed environments"
            yield ok(f"{one.name} can be read: {told}")

    def _troubled(self, one: Map, trouble: MapTrouble) -> Finding:
        text = f"{one.name} {trouble}"
        if not trouble.missing:
            return fail(text, "let the service's user read it, and see that Galaxy writes it")
        enabled = option(self._deployment, "interactivetools_enable")
        if enabled is not None and not is_on(enabled):
            return warn(
                f"{text}, and interactivetools_enable is off in Galaxy's file",
                "set interactivetools_enable: true in Galaxy's file, and restart Galaxy",
            )
        return ok(f"{text} yet: Galaxy makes it with the first interactive tool")

    def rows(self) -> Iterator[Finding]:
        for one in self._maps:
            try:
                bad = one.read().bad
            except MapTrouble:
                continue
            if bad:
                some = ", ".join(f"{key} ({why})" for key, why in list(bad.items())[:SHOWN])
                yield warn(
                    f"{one.name} has {len(bad)} rows that are left out: {some}",
                    "end those tools in Galaxy, or delete the rows if Galaxy knows them no longer",
                )
            else:
                yield ok(f"{one.name} has no row that can't be understood")

    def backends(self) -> Iterator[Finding]:
        rows = [(point.key, point.address) for one in self._maps for point in one.entry_points]
        if not rows or self._deployment.settings.proxy.forward.ip is not None:
            return  # a second proxy is nearer to them
        rows = rows[:TRIED]
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(_listens, [address for _, address in rows]))
        dead = [row for row, listens in zip(rows, answers, strict=True) if not listens]
        if dead:
            some = ", ".join(f"{key} at {address}" for key, address in dead[:SHOWN])
            yield warn(
                f"{len(dead)} of {len(rows)} tools do not listen where the map says: {some}",
                "see that this machine reaches the hosts that jobs run on, and that their "
                "containers still run",
            )
        else:
            yield ok(f"all {len(rows)} tools in the maps listen")

    def stale(self) -> Iterator[Finding]:
        ids, codec = self._ids(), self._codec()
        if self._tables is None or codec is None or not ids:
            return
        owners = self._tables.ask(owners_by_id, list(ids))
        ended = [key for number, key in ids.items() if number not in owners]
        ended += [ids[number] for number, owner in owners.items() if not owner.active]
        if ended:
            yield warn(
                f"{len(ended)} rows are of tools that have ended: {', '.join(ended[:SHOWN])}",
                "nobody is let in there; delete the rows once Galaxy has been restarted",
            )
        else:
            yield ok("Galaxy knows all tools in the maps as running")

    def missing(self) -> Iterator[Finding]:
        codec = self._codec()
        if self._tables is None or codec is None or not self._maps:
            return
        known = set(self._ids())
        running = self._tables.ask(configured_and_running)
        without = [number for number in running if number not in known]
        if without and all(self._is_readable(one) for one in self._maps):
            keys = ", ".join(codec.entry_point_key(number) for number in without[:SHOWN])
            yield warn(
                f"running tools of Galaxy that are in no session map: {len(without)} ({keys})",
                "see that session_maps names the map that Galaxy writes (interactivetools_map)",
            )

    def trigger(self) -> Iterator[Finding]:
        for one in self._maps:
            if one.source.url is None or not self._is_readable(one):
                continue
            if one.has_trigger():
                yield ok(f"{one.name} tells of its changes")
            else:
                interval = self._deployment.settings.proxy.polling_interval
                yield warn(
                    f"{one.name} has no trigger: changes are seen every {interval:g} s",
                    "run giestack create-map URL as the table's owner, or in psql: "
                    f"{trigger_sql()}",
                )

    def forward(self) -> Iterator[Finding]:
        forward = self._deployment.settings.proxy.forward
        if forward.ip is None or forward.port is None:
            return
        place = Place(forward.ip, forward.port)
        if _connects(place):
            yield ok(f"the second proxy listens at {place}")
        else:
            yield fail(
                f"the second proxy does not listen at {place}: no tool can be reached",
                "start it, let the firewall pass it, or mend proxy.forward",
            )

    def services(self) -> Iterator[Finding]:
        for service in self._deployment.settings.proxy.services:
            if _listens(service.backend):
                yield ok(f"the service at {service.path} listens at {service.backend}")
            else:
                yield warn(
                    f"the service at {service.path} does not listen at {service.backend}",
                    "start it, or mend proxy.services",
                )

    def _is_readable(self, one: Map) -> bool:
        try:
            one.read()
        except MapTrouble:
            return False
        return True

    def _codec(self) -> CookieCodec | None:
        secret = self._deployment.settings.galaxy.id_secret
        try:
            return None if secret is None else CookieCodec(secret)
        except BadSecret:
            return None

    def _ids(self) -> dict[int, str]:
        """Keys by Galaxy's ids; those that are none are told by another check."""
        codec = self._codec()
        found: dict[int, str] = {}
        for key in self.keys() if codec is not None else ():
            assert codec is not None
            try:
                found[codec.entry_point_id(key)] = key
            except MalformedId:
                continue
        return found


def _listens(address: Address) -> bool:
    return _connects(Place(address.host, address.port, address.path))


def _connects(place: Place) -> bool:
    try:
        connect(place, seconds=2.0).close()
    except NoAnswer:
        return False
    return True
