"""Rows of the session maps of Galaxy's Interactive Environments to values.

Two of them were written by Galaxy, into an SQLite table or a JSON object:

- ``gxproxy2`` (about 17.05 to 19.05): the value of the cookie ``galaxysession`` is the key; host,
  port, and the containers behind it. A negative port is one that is not known yet.
- ``gxproxy`` (15.05 to 16.10): ``host:port`` is the key, the value of the cookie is the secret. No
  key is unique, as a word in the table's definition was misspelt: the newest row counts.
"""

import json
import re

from giestack.address import Address
from giestack.routing.environments import EnvironmentRoute
from giestack.routing.formats import BadRow, host_of, port_of

_COOKIE = re.compile(r"[!-~]{1,4096}")
# What Galaxy's text for a visitor without a cookie comes out as: it would be everybody's key.
_NO_COOKIE = frozenset({"null", "none"})
_UNKNOWN_PORT = re.compile(r"-[0-9]{1,5}")
_CONTAINER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")


def gxproxy2_row(
    key: object, host: object, port: object, container_ids: object = None
) -> EnvironmentRoute:
    """Return the route that one row of ``gxproxy2`` describes.

    ``container_ids`` is a list, or the JSON text of one; it does not matter whether it can be
    read. Raise `BadRow`, whose text holds no cookie.
    """
    cookie = cookie_of(key)
    address = None if _is_unknown(port) else Address(host_of(host), port_of(port))
    return EnvironmentRoute(cookie, address, container_ids=_containers(container_ids))


def gxproxy_row(key: object, secret: object) -> EnvironmentRoute:
    """Return the route that one row of ``gxproxy`` describes; raise `BadRow`."""
    return EnvironmentRoute(cookie_of(secret), address_of(key))


def cookie_of(value: object) -> str:
    """Return the value of a cookie in a column; `BadRow` for what can be none."""
    if not isinstance(value, str) or not _COOKIE.fullmatch(value):
        raise BadRow("its cookie is not made of the characters of one")
    if value.lower() in _NO_COOKIE:
        raise BadRow("it was made for a visitor without a cookie")
    return value


def address_of(value: object) -> Address | None:
    """Return the address that ``host:port`` is; None where the port is not known yet.

    Raise `BadRow`.
    """
    host, colon, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    if not colon:
        raise BadRow("its address is not HOST:PORT")
    return None if _is_unknown(port) else Address(host_of(host), port_of(port))


def container_of(value: object) -> str:
    """Return the id or name of a container; `BadRow` for what Docker gives none."""
    if not isinstance(value, str) or not _CONTAINER.fullmatch(value):
        raise BadRow("a container's id is none")
    return value


def _is_unknown(port: object) -> bool:
    if isinstance(port, str):
        return _UNKNOWN_PORT.fullmatch(port) is not None
    return isinstance(port, int) and port < 0


def _containers(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return ()
    if not isinstance(value, list):
        return ()
    return tuple(one for one in value if isinstance(one, str) and _CONTAINER.fullmatch(one))
