"""TLS between Python's own client and a server's connection, without any network."""

import ssl
from pathlib import Path
from typing import NamedTuple

from OpenSSL import SSL


class Agreed(NamedTuple):
    """What a client and a server have agreed on.

    :ivar names: the host names of the server's certificate.
    """

    names: tuple[str, ...]
    protocol: str | None
    version: str | None
    cipher: str
    chain: int


def client_context(*authorities: Path) -> ssl.SSLContext:
    """A client that trusts these files only, and checks no host name."""
    context = ssl.create_default_context()
    for path in authorities:
        context.load_verify_locations(str(path))
    context.check_hostname = False
    return context


def shake_hands(
    connection: SSL.Connection, client: ssl.SSLContext, name: str | None = None
) -> Agreed:
    """Let a client that wants this host name shake hands with a server's new connection.

    :raises ssl.SSLError, SSL.Error: whoever refuses first.
    """
    connection.set_accept_state()
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    asks = client.wrap_bio(to_client, to_server, server_hostname=name)
    done = {asks: False, connection: False}
    while not all(done.values()):
        for side, again in ((asks, ssl.SSLWantReadError), (connection, SSL.WantReadError)):
            try:
                side.do_handshake()
                done[side] = True
            except again:
                pass
            if sent := to_server.read():
                connection.bio_write(sent)
            try:
                to_client.write(connection.bio_read(65536))
            except SSL.WantReadError:
                pass
    told = asks.getpeercert()
    assert told is not None
    names = told.get("subjectAltName", ())
    cipher = asks.cipher()
    assert cipher is not None
    return Agreed(
        tuple(str(one[1]) for one in names),
        asks.selected_alpn_protocol(),
        asks.version(),
        cipher[0],
        # Private in Python 3.11, public later.
        len(asks._sslobj.get_unverified_chain()),  # type: ignore[attr-defined]
    )
