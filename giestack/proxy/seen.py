"""How a visitor sees this server, and from where: what trusted fronts tell, and nobody else."""

import re
from collections.abc import Container
from dataclasses import dataclass, field

from giestack.proxy.head import Malformed, RequestFields, split_host

UNIX_PEER = b"unix:"
"""Stands for the peer's address on a UNIX socket."""

# Some fronts add the visitor's port, and then IPv6 has brackets (RFC 7239 section 6).
_ADDRESS = re.compile(
    rb"([0-9]{1,3}(?:\.[0-9]{1,3}){3})(?::[0-9]{1,5})?"
    rb"|((?=.*:.*:)[0-9a-f:.]+)"
    rb"|\[((?=.*:.*:)[0-9a-f:.]+)\](?::[0-9]{1,5})?",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Seen:
    """How the visitor sees this server, and from where.

    :ivar address: the visitor's IP address.
    :ivar scheme: b"http" or b"https".
    :ivar host: host with the port, if one was given.
    :ivar forwarded_for: the X-Forwarded-For value to send on.
    :ivar by_front: whether a trusted front handed the request on.
    :ivar encrypted: whether it is certain that the visitor uses HTTPS, and not only assumed.
    """

    address: bytes
    scheme: bytes
    host: bytes
    forwarded_for: bytes
    by_front: bool = False
    encrypted: bool = False
    host_name: bytes = field(init=False)
    port: bytes = field(init=False)

    def __post_init__(self) -> None:
        name, port = split_host(self.host) if self.host else (b"", None)
        if port is None:
            port = 443 if self.scheme == b"https" else 80
        object.__setattr__(self, "host_name", name)
        object.__setattr__(self, "port", b"%d" % port)

    def may_have_page(self, scheme: bytes) -> bool:
        """Whether a page of this host can have come by ``scheme`` to this visitor.

        Not by plain HTTP where visitors use HTTPS: such a page is by whoever is on the way, and
        some browsers take both for one site and send cookies along. Where HTTPS is only assumed,
        a Host with a port may be that of a visitor who has come past the front.
        """
        if scheme != b"http" or self.scheme != b"https":
            return True
        return not self.encrypted and self.host[-1:].isdigit() and b":" in self.host


def seen_by_visitor(
    fields: RequestFields, peer: bytes, trusted: Container[bytes], secure: bool, told: bytes
) -> Seen:
    """Work out the visitor's own view of a request.

    The fields that a front adds (X-Forwarded-For, -Proto, -Host, else X-Real-IP) are believed
    only where ``peer``, the address at the other end of the connection, is in ``trusted``, or is
    a UNIX socket: whoever may open ours is a front by intention.

    :param secure: whether the connection itself is TLS.
    :param told: the scheme to assume where a trusted front doesn't tell.
    :raises Malformed: where a trusted front names an impossible host.
    """
    scheme = b"https" if secure else b"http"
    if peer != UNIX_PEER and peer not in trusted:
        return Seen(peer, scheme, fields.host, peer, encrypted=secure)
    chain = [] if peer == UNIX_PEER else [peer]
    address = peer
    claimed = fields.forwarded_for or fields.real_ip
    if claimed:
        address = _last_hop(claimed, peer, trusted)
        chain.insert(0, claimed)
    encrypted = secure
    if not secure:
        proto = (fields.forwarded_proto or b"").split(b",")[0].strip(b" \t").lower()
        encrypted = proto == b"https"
        scheme = proto if proto in (b"http", b"https") else told
    host = fields.host
    if fields.forwarded_host:
        host = fields.forwarded_host.split(b",")[0].strip(b" \t")
        if not host:
            raise Malformed(400, "bad X-Forwarded-Host")
    return Seen(address, scheme, host, b", ".join(chain), True, encrypted)


def _last_hop(claimed: bytes, peer: bytes, trusted: Container[bytes]) -> bytes:
    """The rightmost address that no trusted front vouches for: the visitor's.

    What stands to the left of something that is no address is nobody's word.
    """
    address = peer
    for member in reversed(claimed.split(b",")):
        hop = member.strip(b" \t")
        if hop:
            found = _ADDRESS.fullmatch(hop)
            if found is None:
                break
            hop = found[1] or found[2] or found[3]
            address = hop[7:] if hop.lower().startswith(b"::ffff:") else hop
            if address not in trusted:
                break
    return address
