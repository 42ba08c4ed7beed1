"""Which peers are fronts of this site, whose word about the visitor is believed."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address

_REMEMBERED = 4096


class TrustedPeers:
    """A set of addresses, as networks; looked up by an address as text."""

    def __init__(self, networks: Iterable[IPv4Network | IPv6Network]) -> None:
        self._networks = tuple(networks)
        self._known: dict[bytes, bool] = {}

    def __contains__(self, address: object) -> bool:
        if not isinstance(address, bytes):
            return False
        known = self._known.get(address)
        if known is None:
            known = self._look(address)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[address] = known
        return known

    def _look(self, address: bytes) -> bool:
        try:
            peer = ip_address(address.decode("ascii"))
        except ValueError:
            return False
        return any(peer in network for network in self._networks)
