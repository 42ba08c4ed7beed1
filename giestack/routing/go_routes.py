"""Routes of the Go proxy (``gxproxy``): as JSON in its REST API, as XML in its file.

Members and elements have the names of the fields of Go's structures: ``FrontendPath``,
``BackendAddr`` (``host:port``), ``AuthorizedCookie``, ``LastSeen`` (RFC 3339), ``ContainerIds``.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, ParseError, SubElement

from giestack.routing.environment_formats import address_of, container_of, cookie_of
from giestack.routing.environments import EnvironmentRoute, Use
from giestack.routing.formats import BadRow
from giestack.routing.source import MapTrouble

_PATH = re.compile(r"[!-~]{1,2048}")
_TAG = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,39}")
_MOST_CONTAINERS = 100


@dataclass(frozen=True, slots=True)
class GoRoute:
    """One route.

    :ivar path: what a path behind the prefix of environments starts with.
    :ivar backend: ``host:port``; a negative port is not known yet.
    :ivar cookie: the value of the cookie that opens it; never logged.
    :ivar containers: what is behind it, by id or name.
    """

    path: str
    backend: str
    cookie: str = field(repr=False)
    containers: tuple[str, ...] = ()

    def environment(self, use: Use | None = None) -> EnvironmentRoute:
        """The same for the route table; ``use`` is told of requests."""
        address = address_of(self.backend)
        return EnvironmentRoute(self.cookie, address, self.path.encode(), self.containers, use)


def go_route(path: object, backend: object, cookie: object, containers: object = None) -> GoRoute:
    """Return a route of fields as they came in; raise `BadRow`, whose text holds no cookie."""
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        raise BadRow("its path is not made of the characters of one")
    address_of(backend)
    cookie = cookie_of(cookie)
    if containers is None:
        containers = []
    if not isinstance(containers, list) or len(containers) > _MOST_CONTAINERS:
        raise BadRow("its containers are no list, or too many")
    return GoRoute(path, str(backend), cookie, tuple(map(container_of, containers)))


def from_json(body: bytes) -> GoRoute:
    """Return the route in the body of a request to the API; raise `BadRow`."""
    try:
        found = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise BadRow("it is not JSON") from None
    if not isinstance(found, dict):
        raise BadRow("it is not a JSON object")
    # Go's decoder takes names in any letter case.
    given = {name.lower(): value for name, value in found.items()}
    return go_route(
        given.get("frontendpath"),
        given.get("backendaddr"),
        given.get("authorizedcookie"),
        given.get("containerids"),
    )


def to_json(routes: Sequence[tuple[GoRoute, datetime]]) -> bytes:
    """Return routes, each with the time of its last use in UTC, as the API lists them."""
    listed = [
        {
            "FrontendPath": route.path,
            "BackendAddr": route.backend,
            "AuthorizedCookie": route.cookie,
            "LastSeen": _rfc3339(seen),
            "ContainerIds": list(route.containers),
            "ID": 0,
        }
        for route, seen in routes
    ]
    return json.dumps(listed, indent=4).encode()


def to_xml(routes: Sequence[tuple[GoRoute, datetime]]) -> bytes:
    """Return the file that the Go proxy reads at its start.

    Its own settings are left out: those of its command line hold then.
    """
    root = Element("RouteMapping")
    above = SubElement(root, "Routes")
    for route, seen in routes:
        one = SubElement(above, "Route")
        fields = [
            ("FrontendPath", route.path),
            ("BackendAddr", route.backend),
            ("AuthorizedCookie", route.cookie),
            ("LastSeen", _rfc3339(seen)),
            *(("ContainerIds", container) for container in route.containers),
        ]
        for name, value in fields:
            SubElement(one, name).text = value
    ElementTree.indent(root, "    ")
    text: str = ElementTree.tostring(root, encoding="unicode")
    return text.encode() + b"\n"


def read_xml(text: str) -> tuple[Sequence[GoRoute], dict[str, str]]:
    """Return the routes in the Go proxy's file, and why others were left out, by their number.

    Raise `MapTrouble` where it is none. A document type, the only place for entities, is refused.
    """
    if "<!DOCTYPE" in text:
        raise MapTrouble("format", "is XML, but with a document type, which no map has")
    try:
        # As text: whatever encoding it declares does not count.
        root = ElementTree.fromstring(text)
    except (ParseError, ValueError):
        raise MapTrouble("half-written", "is no complete XML document") from None
    if root.tag != "RouteMapping":
        tag = root.tag if _TAG.fullmatch(root.tag) else "something else"
        raise MapTrouble("format", f"is XML, but {tag} and no RouteMapping of the Go proxy")
    routes: list[GoRoute] = []
    bad: dict[str, str] = {}
    for number, one in enumerate(root.iterfind("Routes/Route"), 1):
        try:
            routes.append(
                go_route(
                    one.findtext("FrontendPath"),
                    one.findtext("BackendAddr"),
                    one.findtext("AuthorizedCookie"),
                    [container.text for container in one.iterfind("ContainerIds")],
                )
            )
        except BadRow as error:
            bad[f"number {number}"] = str(error)
    return routes, bad


def _rfc3339(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
