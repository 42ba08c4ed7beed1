"""Checks of names and certificates."""

import datetime
import ssl
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from twisted.trial.unittest import SynchronousTestCase

from giestack.doctor import names
from giestack.doctor.asking import Place
from giestack.doctor.check import Finding
from giestack.doctor.names import checks, resolve
from tests.doctor.deployments import deployment, found
from tests.doctor.servers import Server, reply, says
from tests.neighbours.certificates import certificate

DAY = datetime.timedelta(days=1)
MAP = "proxy: {session_maps: [/m.sqlite]}"
TOOLS = "ep.interactivetool.g.example.org"


def now() -> float:
    return datetime.datetime.now(datetime.UTC).timestamp()


class NamesCase(SynchronousTestCase):
    def says(self, status: str, findings: list[Finding], *words: str) -> None:
        self.assertEqual([one.status for one in findings], [status], findings)
        for word in words:
            self.assertIn(word, findings[0].message)


class NameTests(NamesCase):
    addresses: dict[str, str]

    def look(self, id: str, text: str, **addresses: str) -> list[Finding]:
        known = {
            name.replace("__", "-").replace("_", "."): where for name, where in addresses.items()
        }

        def resolved(name: str) -> frozenset[str]:
            return frozenset(known.get(name, "").split())

        return found(checks(deployment(text), resolved), id)

    def test_galaxy(self) -> None:
        text = "galaxy: {url: 'https://g.example.org/'}"
        self.says("ok", self.look("names.galaxy", text, g_example_org="192.0.2.1"), "192.0.2.1")
        self.says("fail", self.look("names.galaxy", text))
        self.assertEqual(self.look("names.galaxy", "galaxy: {url: 'http://localhost/'}"), [])
        self.assertEqual(self.look("names.galaxy", "{}"), [])

    def test_wildcard(self) -> None:
        text = f"galaxy: {{url: 'https://g.example.org/'}}\n{MAP}"
        wild = f"giestack__doctor_{TOOLS.replace('.', '_')}"
        home = {"g_example_org": "192.0.2.1"}
        (finding,) = self.look("names.tools", text, **home)
        self.assertEqual(finding.status, "warn")
        self.assertIn(f"*.{TOOLS} CNAME g.example.org.", finding.remedy)
        self.says("ok", self.look("names.tools", text, **home, **{wild: "192.0.2.1"}))
        self.says(
            "warn",
            self.look("names.tools", text, **home, **{wild: "192.0.2.9"}),
            "192.0.2.9",
            "192.0.2.1",
        )

    def test_below_an_address_there_are_no_names(self) -> None:
        self.assertEqual(
            self.look("names.tools", f"galaxy: {{url: 'http://127.0.0.1/'}}\n{MAP}"), []
        )

    def test_sessions(self) -> None:
        self.assertEqual(self.look("names.sessions", "{}"), [])

    def test_real_names(self) -> None:
        for name in ("127.0.0.1", "a.b.localhost"):
            self.assertIn("127.0.0.1", resolve(name))
        self.assertEqual(resolve("a" * 70 + ".invalid"), frozenset())


class CertificateCase(NamesCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def shown(self, hosts: list[str], *, known: bool = True, **made: Any) -> None:
        """Let whoever asks for https be shown a certificate."""
        cert, key, _ = certificate(self.folder, "shown", hosts=hosts, **made)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        port = Server(self, says(reply(200)), tls=context).port
        place = Place("127.0.0.1", port, tls=True)
        self.patch(names, "place_of_url", lambda url: place)
        self.ca = cert if known else certificate(self.folder, "other")[0]

    def look(self, id: str, front: str | None = None) -> list[Finding]:
        text = f"galaxy: {{url: 'https://g.example.org/', ca_file: {self.ca}}}\n{MAP}"
        return found(checks(deployment(text, front=front, now=now)), id)


class CertificateTests(CertificateCase):
    def test_good(self) -> None:
        self.shown(["g.example.org", f"*.{TOOLS}"], ends=100 * DAY)
        self.says("ok", self.look("names.certificate"), "good for 99 days")
        self.says("ok", self.look("names.wildcard"))
        self.assertEqual(self.look("names.front", "https://g.example.org"), [])

    def test_for_somebody_else(self) -> None:
        self.shown(["h.example.org"])
        self.says("fail", self.look("names.certificate"), "is for h.example.org")

    def test_not_for_the_tools(self) -> None:
        self.shown(["g.example.org", "*.g.example.org"], ends=100 * DAY)
        (finding,) = self.look("names.wildcard")
        self.assertEqual(finding.status, "fail")
        self.assertIn(f"*.{TOOLS}", finding.remedy)

    def test_expired(self) -> None:
        self.shown(["g.example.org"], begins=-9 * DAY, ends=-2 * DAY)
        self.says("fail", self.look("names.certificate"), "expired")

    def test_about_to_expire(self) -> None:
        self.shown(["g.example.org"], ends=5 * DAY)
        self.says("warn", self.look("names.certificate"), "4 days")

    def test_not_yet(self) -> None:
        self.shown(["g.example.org"], begins=DAY, ends=50 * DAY)
        self.says("fail", self.look("names.certificate"), "not valid yet")

    def test_an_authority_that_nobody_knows(self) -> None:
        self.shown(["g.example.org"], ends=50 * DAY, known=False)
        self.says("fail", self.look("names.certificate"), "certificate at")

    def test_nobody_there(self) -> None:
        self.shown(["g.example.org"])
        self.patch(names, "place_of_url", lambda url: Place(path="/nowhere/s", tls=True))
        self.says("warn", self.look("names.certificate"), "nobody listens")

    def test_nothing_to_see_without_tls(self) -> None:
        one = deployment(f"galaxy: {{url: 'http://g.example.org/'}}\n{MAP}", front="http://g.org")
        for id in ("names.certificate", "names.front", "names.wildcard", "names.listeners"):
            self.assertEqual(found(checks(one), id), [])

    def test_a_front_of_another_name(self) -> None:
        self.shown(["p.example.org"], ends=50 * DAY)
        text = f"galaxy: {{ca_file: {self.ca}}}"
        one = deployment(text, front="https://p.example.org", now=now)
        self.says("ok", found(checks(one), "names.front"))


class ListenerTests(CertificateCase):
    def listeners(self, endpoint: str) -> list[Finding]:
        text = f"proxy: {{listen: ['{endpoint}']}}"
        return found(checks(deployment(text, now=now)), "names.listeners")

    def test_a_pair(self) -> None:
        cert, key, _ = certificate(self.folder, "own", ends=50 * DAY)
        self.says("ok", self.listeners(f"ssl:443:privateKey={key}:certKey={cert}"), "own.pem")

    def test_no_pair(self) -> None:
        cert, _, _ = certificate(self.folder, "own")
        _, key, _ = certificate(self.folder, "other")
        self.says(
            "fail", self.listeners(f"ssl:443:privateKey={key}:certKey={cert}"), "does not belong"
        )

    def test_one_that_openssl_does_not_take(self) -> None:
        weak = rsa.generate_private_key(65537, 1024)
        cert, key, _ = certificate(self.folder, "weak", key=weak)
        self.says("fail", self.listeners(f"ssl:443:privateKey={key}:certKey={cert}"), "too small")

    def test_no_certificate(self) -> None:
        _, key, _ = certificate(self.folder, "own")
        self.says("fail", self.listeners(f"ssl:443:privateKey={key}"), "can't be read")

    def test_a_folder(self) -> None:
        cert, key, _ = certificate(self.folder, "own", ends=5 * DAY)
        live = self.folder / "live"
        live.mkdir()
        self.says("fail", self.listeners(f"tls:{live}:443"), "no file *.pem")
        (live / "privkey.pem").write_bytes(key.read_bytes())
        self.says("fail", self.listeners(f"tls:{live}:443"), "privkey.pem: the key does not belong")
        (live / "cert.pem").write_bytes(cert.read_bytes())
        self.says("warn", self.listeners(f"tls:{live}:443"), "cert.pem expires")
        (live / "both.pem").write_bytes(key.read_bytes() + cert.read_bytes())
        self.says("warn", self.listeners(f"tls:{live}:443"), "both.pem expires")
        (live / "both.pem").write_bytes(b"-----BEGIN CERTIFICATE-----")
        self.says("fail", self.listeners(f"tls:{live}:443"), "both.pem can't be read")
