"""Session maps that are JSON documents: an object with a member for each route.

- gx-it-proxy's: the entry point's key leads to its columns (``token``, ``host``, ``port``,
  ``info``); what gx-it-proxy itself makes of them (``target`` with host and port, and
  ``requires_path_…`` in one place or the other) is understood, too.
- Galaxy's for its Interactive Environments: the value of a cookie leads to ``host``, ``port``,
  ``container_ids`` and ``container_interface``.
- Galaxy's first one: ``host:port`` leads to the value of a cookie.

Each member is taken for what it is by itself, so that one document may hold several.
"""

import json
import re
from collections.abc import Mapping

from giestack.routing.environment_formats import gxproxy2_row, gxproxy_row
from giestack.routing.environments import EnvironmentRoute
from giestack.routing.formats import BadRow, EntryPoint, gxitproxy_row
from giestack.routing.source import MapTrouble, Reading, SourceRoutes

KEY_TYPE = "interactivetoolentrypoint"
# Keys of entry points are public; cookies, which are longer, are not.
_PUBLIC_KEY = re.compile(r"[A-Za-z0-9]{1,25}")
_OF_ENVIRONMENTS = ("container_ids", "container_interface")
_REQUIRES = ("requires_path_in_url", "requires_path_in_header_named")


def read_json(text: str) -> Reading:
    """Return the routes in a document. Raise `MapTrouble` where it is no map."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise MapTrouble("half-written", "is no complete JSON document") from None
    if not isinstance(document, dict):
        raise MapTrouble("format", f"is JSON, but {_sort(document)} and no object of routes")
    if document and not any(isinstance(value, dict | str) for value in document.values()):
        raise MapTrouble("format", "is JSON, but an object without routes")
    entry_points: dict[bytes, EntryPoint] = {}
    environments: dict[str, EnvironmentRoute] = {}
    by_cookie = False
    bad: dict[str, str] = {}
    for number, (key, value) in enumerate(document.items(), 1):
        by_cookie |= not _is_entry_point(key, value)
        try:
            route = _route(key, value)
        except BadRow as error:
            bad[_shown(number, key, value)] = str(error)
            continue
        if isinstance(route, EntryPoint):
            entry_points[route.key.encode()] = route
        else:
            # The newest of one cookie counts, and is the last.
            environments.pop(route.cookie, None)
            environments[route.cookie] = route
    found = tuple(environments.values()) if by_cookie else None
    return Reading(SourceRoutes(entry_points, found), bad)


def _route(key: str, value: object) -> EntryPoint | EnvironmentRoute:
    if isinstance(value, str):
        return gxproxy_row(key, value)
    if not isinstance(value, dict):
        raise BadRow("it is neither an object nor text")
    if not _is_entry_point(key, value):
        return gxproxy2_row(key, value.get("host"), value.get("port"), value.get("container_ids"))
    target = value.get("target")
    target = target if isinstance(target, dict) else {}
    columns = target | value
    if columns.get("token") is None:
        raise BadRow("it has no token, so that nobody could be let in")
    info = _info(columns)
    kind = columns.get("key_type") or KEY_TYPE
    return gxitproxy_row(
        key, kind, columns["token"], columns.get("host"), columns.get("port"), info
    )


def _info(columns: Mapping[str, object]) -> object:
    """The column ``info`` as Galaxy writes it; what stands beside it wins."""
    info = columns.get("info")
    beside = {name: columns[name] for name in _REQUIRES if columns.get(name) is not None}
    if isinstance(info, dict):
        return json.dumps(info | beside)
    if not beside:
        return info
    try:
        within = json.loads(info) if isinstance(info, str) and info else {}
    except (ValueError, RecursionError):
        within = None
    if not isinstance(within, dict):
        raise BadRow("info is not a JSON object")
    return json.dumps(within | beside)


def _is_entry_point(key: str, value: object) -> bool:
    """Whether a member is about an interactive tool, and not about a cookie."""
    if not isinstance(value, dict) or any(name in value for name in _OF_ENVIRONMENTS):
        return False
    return _PUBLIC_KEY.fullmatch(key) is not None or "token" in value or "target" in value


def _shown(number: int, key: str, value: object) -> str:
    if _is_entry_point(key, value) and _PUBLIC_KEY.fullmatch(key):
        return key
    return f"number {number}"


def _sort(value: object) -> str:
    if isinstance(value, list):
        return "a list"
    return "text" if isinstance(value, str) else "a single value"
