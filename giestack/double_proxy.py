"""The double proxy of gx-it-proxy: what its two ends say to each other.

Where interactive tools run in a network that visitors can't reach, one proxy stands before it,
the near end, and one inside, the far end. The near end has the session maps and knows the
visitors; it sends all requests for tools to the far end, and tells it in two header fields where
they go (gx-it-proxy 0.2.3, ``configureForward`` and ``targetFromHeaders`` in lib/proxy.js). The
path is what the tool is to see already.
"""

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from giestack.address import Address
from giestack.proxy.decision import Destination
from giestack.proxy.head import Fields, Malformed, canonical, split_host

HOST = b"X-Interactive-Tool-Host"
PORT = b"X-Interactive-Tool-Port"

_HOST, _PORT = HOST.lower(), PORT.lower()


class BadTarget(Exception):
    """What a request says of its target can't be read."""


def through(destination: Destination, far_end: Address) -> Destination:
    """The same destination, reached by the far end.

    These two fields win over a field of the same name that the tool has asked for.
    """
    target = destination.address
    kept = [one for one in destination.headers if canonical(one[0]) not in (_HOST, _PORT)]
    told = ((HOST, target.host.encode()), (PORT, b"%d" % target.port))
    return replace(destination, address=far_end, headers=(*kept, *told))


def named_target(fields: Fields) -> Address | None:
    """Return the target that a near end names in a request's fields; None where it names none.

    gx-it-proxy takes ``HOST:PORT`` in the first field too, where the second is missing. IPv6
    addresses have no brackets where the port stands by itself. Raise `BadTarget` for all that
    can be read in two ways, or not at all.
    """
    hosts = [value.strip(b" \t") for name, value in fields if name.lower() == _HOST]
    ports = [value.strip(b" \t") for name, value in fields if name.lower() == _PORT]
    if not hosts and not ports:
        return None
    if len(hosts) != 1 or len(ports) > 1:
        raise BadTarget("not one host and one port")
    host = hosts[0]
    authority = host
    if ports:
        authority = b"%b:%b" % (b"[%b]" % host if b":" in host else host, ports[0])
    try:
        name, port = split_host(authority)
    except Malformed:
        raise BadTarget("not a host and a port") from None
    if port is None:
        raise BadTarget("no port")
    text = name.decode("ascii")
    if text.startswith("["):
        text = str(IPv6Address(text[1:-1]))
    return Address(text, port)


class AllowedTargets:
    """The targets that a far end may reach.

    Made of texts as ``proxy.forward.allowed_targets`` has them: ``host`` and networks stand for
    each of their ports, ``host:port`` for one. A network holds the addresses that are named as
    such: nothing is looked up.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._names: set[tuple[str, int | None]] = set()
        self._networks: list[IPv4Network | IPv6Network] = []
        for text in texts:
            if "/" in text:
                self._networks.append(ip_network(text))
            else:
                self._names.add(_name_and_port(text))

    def __contains__(self, address: object) -> bool:
        if not isinstance(address, Address):
            return False
        host = address.host
        if (host, address.port) in self._names or (host, None) in self._names:
            return True
        try:
            number = ip_address(host)
        except ValueError:
            return False
        return any(number in network for network in self._networks)


def _name_and_port(text: str) -> tuple[str, int | None]:
    name, colon, port = text.rpartition(":")
    if not colon or (":" in name and not name.endswith("]")):
        return text, None
    return name.removeprefix("[").removesuffix("]"), int(port)
