"""Checks of the front; each thing is broken by a front of its own."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from giestack.doctor.check import Finding
from giestack.doctor.front import checks
from giestack.doctor.front_door import front_door
from tests.doctor import fronts
from tests.doctor.deployments import SECRET, deployment, found
from tests.doctor.servers import Change, FakeGiestack, Server, unchanged
from tests.neighbours.program import free_port

TEXT = f"galaxy: {{id_secret: {SECRET}}}"
DEPENDENT = ("front.host", "front.scheme", "front.cookies", "front.address")


class FrontCase(SynchronousTestCase):
    def look(self, id: str, change: Change, text: str = TEXT, **giestack: Any) -> list[Finding]:
        port = Server(self, FakeGiestack(change, **giestack)).port
        one = deployment(text, front=f"http://127.0.0.1:{port}")
        return found(checks(one, front_door(one)), id)

    def says(self, status: str, findings: list[Finding], *words: str) -> None:
        self.assertEqual([one.status for one in findings], [status], findings)
        for word in words:
            self.assertIn(word, findings[0].message)


class ReachedTests(FrontCase):
    def test_this_giestack(self) -> None:
        self.says("ok", self.look("front.reached", fronts.keeps_all))

    def test_something_else(self) -> None:
        self.says("fail", self.look("front.reached", fronts.leads_elsewhere), "nginx/1.22")
        for id in DEPENDENT:
            self.assertEqual(self.look(id, fronts.leads_elsewhere), [])

    def test_a_giestack_with_another_secret(self) -> None:
        findings = self.look("front.reached", fronts.keeps_all, secret="another secret of it")
        self.says("fail", findings, "secret")

    def test_nobody(self) -> None:
        one = deployment(TEXT, front=f"http://127.0.0.1:{free_port()}")
        self.says("fail", found(checks(one, front_door(one)), "front.reached"), "nobody listens")

    def test_not_asked(self) -> None:
        for front, word in ((None, "--url"), ("http://h", "secret")):
            one = deployment(front=front)
            (finding,) = found(checks(one, front_door(one)), "front.reached")
            self.assertEqual(finding.status, "warn")
            self.assertIn(word, finding.remedy)


class AddressOfFrontTests(SynchronousTestCase):
    def status(self, id: str, front: str, url: str = "") -> list[str]:
        text = f"galaxy: {{id_secret: {SECRET}, url: '{url}'}}" if url else TEXT
        one = deployment(text, front=front)
        return [finding.status for finding in found(checks(one, front_door(one)), id)]

    def test_galaxys_host(self) -> None:
        url = "https://g.org/"
        self.assertEqual(self.status("front.galaxy", "https://g.org", url), ["ok"])
        self.assertEqual(self.status("front.galaxy", "https://p.g.org", url), ["warn"])
        self.assertEqual(self.status("front.galaxy", "https://p.g.org"), [])

    def test_in_the_clear(self) -> None:
        self.assertEqual(self.status("front.encrypted", "https://g.org"), ["ok"])
        self.assertEqual(self.status("front.encrypted", "http://g.org"), ["warn"])
        self.assertEqual(self.status("front.encrypted", "http://127.0.0.1"), [])


class ArrivalTests(FrontCase):
    def test_all_is_kept(self) -> None:
        for id in DEPENDENT:
            self.says("ok", self.look(id, fronts.keeps_all))

    def test_host(self) -> None:
        self.says("fail", self.look("front.host", fronts.loses_host), "localhost:8800")
        self.says("fail", self.look("front.host", fronts.tells_its_own_host), "127.0.0.1:8800")
        self.says("warn", self.look("front.host", fronts.loses_the_port), "without its port")

    def test_scheme(self) -> None:
        self.says("fail", self.look("front.scheme", fronts.tells_another_scheme), "https")
        self.says("warn", self.look("front.scheme", fronts.tells_no_scheme), "does not tell")

    def test_cookies(self) -> None:
        self.says("fail", self.look("front.cookies", fronts.loses_cookies), "0 arrive")

    def test_address(self) -> None:
        self.says("ok", self.look("front.address", fronts.adds_to_the_chain))
        self.says("warn", self.look("front.address", fronts.tells_no_address), "does not tell")
        self.says("fail", self.look("front.address", fronts.believes_visitors), "can claim any")

    def test_a_front_that_is_not_trusted(self) -> None:
        findings = self.look("front.address", fronts.keeps_all, trusted=())
        self.says("fail", findings, "not believed")
        self.assertIn("add 127.0.0.1 to proxy.trusted_proxies", findings[0].remedy)

    def test_no_front_at_all(self) -> None:
        findings = self.look("front.address", unchanged, trusted=())
        self.says("ok", findings, "without a front")

    def test_giestacks_own_listener(self) -> None:
        server = Server(self, FakeGiestack(unchanged))
        text = f"{TEXT}\nproxy: {{listen: ['tcp:{server.port}']}}"
        one = deployment(text, front=f"http://127.0.0.1:{server.port}")
        self.says("ok", found(checks(one, front_door(one)), "front.scheme"))
        self.says("ok", found(checks(one, front_door(one)), "front.address"), "no front")
