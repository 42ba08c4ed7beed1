"""Rows of Galaxy's session maps to values: text and numbers in, `EntryPoint` out.

Galaxy writes one row of the table ``gxitproxy`` for each running interactive tool. Its
columns are the same since the first release with interactive tools; what they hold differs:

- Galaxy ≥ 23.2: ``key`` and ``token`` are base 36 of 64 bits (at most 13 characters), ``info``
  is a JSON object with ``requires_path_in_url`` and ``requires_path_in_header_named``.
- Galaxy ≤ 23.1: ``key`` is 16 hexadecimal digits, ``token`` is 32 of them or the first 10,
  ``info`` is NULL.
- Galaxy ≤ 24.1 declares every column TEXT, so ``port`` comes back as text.
"""

import json
import re
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from giestack.address import Address

_WORD = re.compile(r"[A-Za-z0-9]+")
_HOST_NAME = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9._-]+")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]+|\[[0-9A-Fa-f:.]+\]")
# Resolvers take 2130706433, 0x7f.1 and 127.1 for addresses.
_NUMBER = re.compile(r"\A(?:[A-Za-z0-9_-]*\.)*(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?\Z")
_NO_HOST = "host is neither a host name nor an IP address"
# Where Amazon's metadata are in IPv6.
_OF_A_CLOUD = IPv6Address("fd00:ec2::254")
_PORT = re.compile(r"[0-9]{1,5}")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

# Header fields that frame, route or authenticate a message. A tool that could have one of
# them replaced by a path would break the message apart.
_RESERVED_HEADERS = frozenset(
    {
        "authorization",
        "connection",
        "content-length",
        "cookie",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class BadRow(ValueError):
    """A row that no Galaxy writes; the text says why and never holds the token."""


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """A running interactive tool as Galaxy's session map describes it.

    :ivar key: Galaxy's encoded id of the entry point; public, part of the URL.
    :ivar key_type: always ``interactivetoolentrypoint`` in Galaxy's own maps.
    :ivar token: the secret part of the URL; never logged.
    :ivar address: where the container listens.
    :ivar requires_path_in_url: whether the container sees ``{prefix}/KEY/TOKEN`` in its paths.
    :ivar requires_path_in_header_named: the header that carries ``{prefix}/KEY/TOKEN``, or None.
    :ivar secret: the token as bytes, for comparing.
    """

    key: str
    key_type: str
    token: str = field(repr=False)
    address: Address
    requires_path_in_url: bool = False
    requires_path_in_header_named: str | None = None
    secret: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "secret", self.token.encode())


def gxitproxy_row(
    key: object, key_type: object, token: object, host: object, port: object, info: object
) -> EntryPoint:
    """Return the entry point that one row of ``gxitproxy`` describes.

    The arguments are the columns as the database returns them. Raise `BadRow` when one of
    them cannot be what Galaxy means. Keys of ``info`` other than the two known ones are
    ignored: a later Galaxy may add some.
    """
    if not isinstance(key, str) or not _WORD.fullmatch(key):
        raise BadRow("key is not made of letters and digits")
    if not isinstance(key_type, str):
        raise BadRow("key_type is not text")
    if not isinstance(token, str) or not _WORD.fullmatch(token):
        raise BadRow("token is not made of letters and digits")
    address = Address(host=host_of(host), port=port_of(port))
    in_url, header = _info(info)
    return EntryPoint(key, key_type, token, address, in_url, header)


def host_of(value: object) -> str:
    """Return the host name or IP address (without brackets) in a column; `BadRow` for others.

    What could be another spelling of a number (RFC 6943 section 3.1.1) is neither, and link-local
    addresses are refused: no container is there, but where a cloud runs us, its secrets are.
    """
    if isinstance(value, str):
        if _NUMBER.search(value):
            return str(_container_address(value))
        if _HOST_NAME.fullmatch(value):
            return value
        if _IPV6.fullmatch(value):
            return str(_container_address(value.strip("[]")))
    raise BadRow(_NO_HOST)


def _container_address(text: str) -> IPv4Address | IPv6Address:
    try:
        address = ip_address(text)
    except ValueError:
        raise BadRow(_NO_HOST) from None
    plain = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    if (plain or address).is_link_local or address == _OF_A_CLOUD:
        raise BadRow("host is an address at which no container is")
    return address


def port_of(value: object) -> int:
    """Return the port in a column, a number or text; `BadRow` for what is none."""
    if isinstance(value, str) and _PORT.fullmatch(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 65535:
        raise BadRow("port is not a number from 1 to 65535")
    return value


def _info(value: object) -> tuple[bool, str | None]:
    if value is None or value == "":
        return False, None
    if not isinstance(value, str):
        raise BadRow("info is not text")
    return _parse_info(value)


@lru_cache(maxsize=64)
def _parse_info(text: str) -> tuple[bool, str | None]:
    # Thousands of rows share a handful of texts.
    try:
        info = json.loads(text)
    except (ValueError, RecursionError):
        raise BadRow("info is not JSON") from None
    if not isinstance(info, dict):
        raise BadRow("info is not a JSON object")
    in_url = info.get("requires_path_in_url")
    if in_url is not None and not isinstance(in_url, bool):
        raise BadRow("requires_path_in_url is neither true nor false")
    header = info.get("requires_path_in_header_named")
    if header is None or header == "":
        return bool(in_url), None
    if not isinstance(header, str) or not _HEADER_NAME.fullmatch(header):
        raise BadRow("requires_path_in_header_named is not a header name (RFC 9110 section 5.6.2)")
    if header.lower().replace("_", "-") in _RESERVED_HEADERS:
        raise BadRow("requires_path_in_header_named names a header that is not a tool's to set")
    return bool(in_url), header
