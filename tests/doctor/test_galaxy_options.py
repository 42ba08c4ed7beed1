"""Checks of what Galaxy's options and ours say together."""

from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from giestack.doctor.check import Finding
from giestack.doctor.galaxy_options import checks
from tests.doctor.deployments import deployment, found
from tests.doctor.servers import Server, json_reply, reply, says
from tests.neighbours.program import free_port

MAP = "proxy: {session_maps: [/m.sqlite]}"


class OptionsCase(SynchronousTestCase):
    def look(self, id: str, text: str = "{}", galaxy: str | None = None) -> list[Finding]:
        return found(checks(deployment(text, galaxy=galaxy)), id)

    def says(self, status: str, findings: Sequence[Finding], *words: str) -> None:
        self.assertEqual([one.status for one in findings], [status], findings)
        for word in words:
            self.assertIn(word, findings[0].message)


class CookieTests(OptionsCase):
    def test_a_path_that_reaches_our_prefixes(self) -> None:
        self.says("ok", self.look("galaxy.cookie_path"))
        self.says("ok", self.look("galaxy.cookie_path", "galaxy: {cookie_path: /galaxy}"))

    def test_a_path_that_does_not(self) -> None:
        text = "galaxy: {cookie_path: /galaxy}\nproxy: {prefix: /giestack}"
        self.says("fail", self.look("galaxy.cookie_path", text), "proxy.prefix /giestack")
        text = (
            "galaxy: {cookie_path: /galaxy}\n"
            "proxy: {session_maps: [/m.sqlite], interactivetools_prefix: /tools}"
        )
        self.says("fail", self.look("galaxy.cookie_path", text), "/tools")

    def test_domains(self) -> None:
        for galaxy, status in (
            ("url: 'https://g.org/', cookie_domain: other.org", "fail"),
            ("url: 'https://g.org/', cookie_domain: g.org", "ok"),
            ("url: 'https://g.org/'", "ok"),
        ):
            findings = self.look("galaxy.cookie_domain", f"galaxy: {{{galaxy}}}\n{MAP}")
            self.says(status, findings)

    def test_a_domain_that_does_not_reach_the_tools(self) -> None:
        galaxy = (
            "galaxy: {interactivetools_upstream_proxy: false, cookie_domain: g.org,"
            " interactivetools_proxy_host: tools.example.org, galaxy_infrastructure_url: "
            "'https://g.org/'}"
        )
        self.says("warn", self.look("galaxy.cookie_domain", MAP, galaxy), "tools.example.org")

    def test_nothing_to_say_without_tools(self) -> None:
        self.assertEqual(self.look("galaxy.cookie_domain"), [])


class OtherProxyTests(OptionsCase):
    def test_dynamic_proxy_manage(self) -> None:
        for options, statuses in (
            ("dynamic_proxy_manage: true", ["fail"]),
            ("interactive_environment_plugins_directory: plugins", ["fail"]),
            ("dynamic_proxy_manage: false", ["ok"]),
            ("brand: x", []),
        ):
            findings = self.look("galaxy.dynamic_proxy", galaxy=f"galaxy: {{{options}}}")
            self.assertEqual([one.status for one in findings], statuses, options)

    def test_gravity(self) -> None:
        for gravity, listen, statuses in (
            ("{enable: true, port: 4002}", "", ["fail"]),
            ("{enable: true}", "", ["fail"]),
            ("{enable: true}", "proxy: {listen: ['tcp:8800']}", ["warn"]),
            ("{enable: false}", "", ["ok"]),
            ("nonsense", "", []),
        ):
            galaxy = (
                f"galaxy: {{interactivetools_enable: true}}\ngravity: {{gx_it_proxy: {gravity}}}"
            )
            findings = self.look("galaxy.gx_it_proxy", listen or "{}", galaxy)
            self.assertEqual([one.status for one in findings], statuses, gravity)
        self.assertEqual(self.look("galaxy.gx_it_proxy"), [])

    def test_session_duration(self) -> None:
        text = "galaxy: {session_duration: 30}"
        self.says("warn", self.look("galaxy.session_duration", text), "30 minutes")
        self.assertEqual(self.look("galaxy.session_duration"), [])


class AddressTests(OptionsCase):
    def at(self, data: bytes) -> list[Finding]:
        port = Server(self, says(data)).port
        return self.look("galaxy.url", f"galaxy: {{url: 'http://127.0.0.1:{port}/'}}")

    def test_a_galaxy(self) -> None:
        self.says("ok", self.at(json_reply(200, {"version_major": "26.1"})), "Galaxy 26.1")

    def test_something_else(self) -> None:
        self.says("warn", self.at(reply(404, b"no")), "no Galaxy: HTTP 404")
        self.says("warn", self.at(json_reply(200, [])), "no Galaxy")

    def test_nobody(self) -> None:
        text = f"galaxy: {{url: 'http://127.0.0.1:{free_port()}/'}}"
        self.says("warn", self.look("galaxy.url", text), "nobody listens")

    def test_not_set(self) -> None:
        self.says("warn", self.look("galaxy.url"), "not set")
        known = "galaxy: {id_secret: abcd, database_connection: 'sqlite:////nowhere'}\n"
        hidden = "interactive tools on hosts of their own can't be reached"
        self.says("warn", self.look("galaxy.url", known + MAP), hidden)
        for text in (MAP, known, f"{known}{MAP[:-1]}, interactivetools_auth: token}}"):
            (finding,) = self.look("galaxy.url", text)
            self.assertNotIn(hidden, finding.message)
