"""Certificates by the name that a client asks for, with real handshakes."""

import ssl
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from giestack.certificate_files import Certified, read_pair
from giestack.server_names import ServerNames
from tests.neighbours.certificates import DAY, certificate
from tests.neighbours.handshake import Agreed, client_context, shake_hands

GALAXY = "galaxy.example.org"
TOOLS = "*.ep.interactivetool.galaxy.example.org"
TOOL = "key-token.ep.interactivetool.galaxy.example.org"

PROTOCOL: Any = None


class NamesCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.root, _, self.signer = certificate(self.folder, "root")

    def certified(self, name: str, *hosts: str, **more: Any) -> Certified:
        one, key, _ = certificate(self.folder, name, self.signer, hosts=hosts, **more)
        return read_pair(one, key)

    def agree(self, names: ServerNames, name: str | None, **options: Any) -> Agreed:
        """Let a client connect; ``options`` are attributes of its context."""
        context = client_context(self.root)
        if protocols := options.pop("protocols", None):
            context.set_alpn_protocols(protocols)
        if ciphers := options.pop("ciphers", None):
            context.set_ciphers(ciphers)
        for attribute, value in options.items():
            setattr(context, attribute, value)
        return shake_hands(names.serverConnectionForTLS(PROTOCOL), context, name)


class ChoiceTests(NamesCase):
    def test_each_name_has_its_certificate(self) -> None:
        names = ServerNames([self.certified("tools", TOOLS), self.certified("galaxy", GALAXY)])
        for asked, given in (
            (GALAXY, GALAXY),
            (GALAXY.upper(), GALAXY),
            (TOOL, TOOLS),
            # A star is one label, and the default is that with a plain name.
            (f"further.{TOOL}", GALAXY),
            ("ep.interactivetool.galaxy.example.org", GALAXY),
            ("stranger.example.org", GALAXY),
            ("localhost", GALAXY),
            (None, GALAXY),
        ):
            self.assertEqual(self.agree(names, asked).names, (given,), asked)

    def test_one_certificate_for_both(self) -> None:
        names = ServerNames([self.certified("both", GALAXY, TOOLS)])
        for asked in (GALAXY, TOOL, None):
            self.assertEqual(self.agree(names, asked).names, (GALAXY, TOOLS))

    def test_the_one_that_lasts_longest(self) -> None:
        old = self.certified("old", GALAXY, "old.example.org")
        new = self.certified("new", GALAXY, ends=DAY * 90)
        for order in ([old, new], [new, old]):
            self.assertEqual(self.agree(ServerNames(order), GALAXY).names, (GALAXY,))

    def test_certificates_without_names_or_with_stars_only(self) -> None:
        nameless = self.certified("nameless", "127.0.0.1")
        self.assertEqual(self.agree(ServerNames([nameless]), TOOL).names, ("127.0.0.1",))
        names = ServerNames([nameless, self.certified("tools", TOOLS)])
        self.assertEqual(self.agree(names, GALAXY).names, (TOOLS,))

    def test_a_name_that_is_none(self) -> None:
        names = ServerNames([self.certified("galaxy", GALAXY)])
        connection = names.serverConnectionForTLS(PROTOCOL)
        client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD))
        client.set_connect_state()
        client.set_tlsext_host_name(b"\xff\xfe.example.org")
        connection.set_accept_state()
        self.assertRaises(SSL.WantReadError, client.do_handshake)
        connection.bio_write(client.bio_read(65536))
        self.assertRaises(SSL.WantReadError, connection.do_handshake)
        client.bio_write(connection.bio_read(65536))
        client.do_handshake()
        self.assertIsNotNone(client.get_peer_certificate())

    def test_the_chain_is_sent(self) -> None:
        between, _, signer = certificate(self.folder, "between", self.signer, authority=True)
        one, key, _ = certificate(self.folder, "one", signer, hosts=(GALAXY,))
        names = ServerNames([read_pair(one, key, between)])
        self.assertEqual(self.agree(names, GALAXY).chain, 2)


class SafetyTests(NamesCase):
    """What is spoken, and what is not."""

    def setUp(self) -> None:
        super().setUp()
        self.names = ServerNames([self.certified("galaxy", GALAXY), self.certified("t", TOOLS)])

    def test_http_1_1_is_chosen(self) -> None:
        for name in (GALAXY, TOOL):
            for offered in (["h2", "http/1.1"], ["http/1.1"]):
                agreed = self.agree(self.names, name, protocols=offered)
                self.assertEqual(agreed.protocol, "http/1.1")
        self.assertIsNone(self.agree(self.names, GALAXY).protocol)
        self.assertIsNone(self.agree(self.names, GALAXY, protocols=["h2"]).protocol)

    def test_versions(self) -> None:
        self.assertEqual(self.agree(self.names, GALAXY).version, "TLSv1.3")
        two = ssl.TLSVersion.TLSv1_2
        self.assertEqual(self.agree(self.names, TOOL, maximum_version=two).version, "TLSv1.2")
        with self.assertRaises((SSL.Error, ssl.SSLError)):
            self.agree(
                self.names,
                GALAXY,
                minimum_version=ssl.TLSVersion.TLSv1,
                maximum_version=ssl.TLSVersion.TLSv1_1,
                ciphers="ALL:@SECLEVEL=0",
            )

    def test_ciphers(self) -> None:
        two = ssl.TLSVersion.TLSv1_2
        self.assertIn("GCM", self.agree(self.names, GALAXY, maximum_version=two).cipher)
        for weak in ("ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384"):
            with self.assertRaises((SSL.Error, ssl.SSLError)):
                self.agree(self.names, GALAXY, maximum_version=two, ciphers=weak)

    def test_older_clients_where_they_are_wanted(self) -> None:
        key = rsa.generate_private_key(65537, 2048)
        one = self.certified("rsa", GALAXY, key=key)
        parameters = self.folder / "dh.pem"
        parameters.write_text(_FFDHE2048)
        wants = {"maximum_version": ssl.TLSVersion.TLSv1_2, "ciphers": "DHE-RSA-AES128-GCM-SHA256"}
        with self.assertRaises((SSL.Error, ssl.SSLError)):
            self.agree(ServerNames([one]), GALAXY, **wants)
        names = ServerNames([one], dh_parameters=parameters)
        self.assertIn("DHE", self.agree(names, GALAXY, **wants).cipher)


# RFC 7919 section A.1.
_FFDHE2048 = """\
-----BEGIN X9.42 DH PARAMETERS-----
MIICDAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAgKCAQB//////////9b8KixRXaVN
V+4rEBOennjsXOLB5xabStTwmyCKMhn95knO5xJNn3y+l/GxsYY67HtA2QFXYjC9
ae+Paur+srCSGfqPr4M3aEKxsqqe9o152quJrz+r5JrMJ4Y4cHNFu/FTRO159/Q5
DvisUJtW85qYVmUnpB08vV4FWMFZkn2w6IRUpdlkcf3ctW1bsGv6NA6noVHvHKb6
Vyt287G5XYyFg9PkdwU2uE8BfnDm+/F2YBoCZpQaF7DIuX9OdMLB/8cniRl3eUDB
4f8djaY31rmd2v5eF2EQAuLHeMG+i0HZY3mlE2DZd/1ENaEcMJQuS///////////
-----END X9.42 DH PARAMETERS-----
"""
