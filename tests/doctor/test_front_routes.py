"""Checks of what the front sends to giestack."""

from dataclasses import replace

from giestack.doctor.check import Finding
from giestack.doctor.front_door import front_door
from giestack.doctor.front_routes import checks
from giestack.settings.spawner_schema import SpawnerSettings
from tests.doctor import fronts
from tests.doctor.deployments import SECRET, deployment, found
from tests.doctor.servers import Asked, Change, FakeGiestack, Server, json_reply, reply
from tests.doctor.test_front import FrontCase

TEXT = (
    f"galaxy: {{id_secret: {SECRET}, url: 'http://g.example.org/'}}\n"
    "proxy: {session_maps: [/m.sqlite]}\n"
)
ENVIRONMENTS = "galaxy: {dynamic_proxy_session_map: map.sqlite, dynamic_proxy_manage: false}"


class RoutesCase(FrontCase):
    def look(
        self, id: str, change: Change, text: str = TEXT, galaxy: str | None = None, **more: object
    ) -> list[Finding]:
        port = Server(self, FakeGiestack(change)).port
        one = deployment(text, galaxy=galaxy, front=f"http://127.0.0.1:{port}")
        return found(checks(one, front_door(one)), id)


class ToolTests(RoutesCase):
    def test_lead_here(self) -> None:
        for id in ("front.tools", "front.login", "front.tool_hosts"):
            self.says("ok", self.look(id, fronts.keeps_all))

    def test_lead_elsewhere(self) -> None:
        self.says("fail", self.look("front.tools", fronts.knows_only_our_pages), "nginx")
        self.says("fail", self.look("front.login", fronts.knows_only_our_pages), "nginx")
        self.says("warn", self.look("front.tool_hosts", fronts.knows_only_our_pages), "nginx")

    def test_without_their_prefix(self) -> None:
        self.says("fail", self.look("front.tools", fronts.loses_a_prefix), "arrives as /doctor")

    def test_without_their_host(self) -> None:
        self.says("fail", self.look("front.tool_hosts", fronts.loses_host), "localhost:8800")

    def test_nothing_of_what_does_not_arrive(self) -> None:
        for id in ("front.tools", "front.login", "front.tool_hosts", "front.environments"):
            self.assertEqual(self.look(id, fronts.leads_elsewhere, galaxy=ENVIRONMENTS), [])
        self.assertEqual(checks(deployment(TEXT), None), ())

    def test_nothing_where_there_are_no_tools(self) -> None:
        text = f"galaxy: {{id_secret: {SECRET}}}"
        for id in (
            "front.tools",
            "front.login",
            "front.tool_hosts",
            "front.session_hosts",
            "front.environments",
        ):
            self.assertEqual(self.look(id, fronts.keeps_all, text), [])

    def test_a_login_that_answers_by_itself(self) -> None:
        for answer in (
            reply(302, b"", b"Location: https://g.example.org/login/start?redirect=/x"),
            json_reply(400, {"error": "bad-request", "message": "No."}),
        ):

            def logs_in(asked: Asked, answer: bytes = answer) -> bytes | None:
                return answer if asked.target.endswith(b"/login") else None

            self.says("ok", self.look("front.login", logs_in))


class SessionHostTests(RoutesCase):
    def sessions(self, id: str, change: Change, galaxy: str = "") -> list[Finding]:
        port = Server(self, FakeGiestack(change)).port
        prefixes = "prefix: /giestack, interactivetools_prefix: /interactivetool/ep"
        text = f"galaxy: {{id_secret: {SECRET}{galaxy}}}\nproxy: {{{prefixes}}}"
        one = deployment(text, front=f"http://127.0.0.1:{port}")
        settings = replace(one.settings, spawner=SpawnerSettings(domain="s.example.org"))
        one = replace(one, settings=settings)
        return found(checks(one, front_door(one)), id)

    def test_spawner_domain(self) -> None:
        self.says("ok", self.sessions("front.session_hosts", fronts.keeps_all))

    def test_their_login(self) -> None:
        self.says("ok", self.sessions("front.login", fronts.keeps_all), "/interactivetool/")
        only_ours = fronts.knows_only_our_pages
        self.says("fail", self.sessions("front.login", only_ours), "/interactivetool/")
        # Where Galaxy's cookie would not come there it is among our own pages.
        self.says("ok", self.sessions("front.login", only_ours, ", cookie_path: /galaxy"))


class EnvironmentTests(RoutesCase):
    def environments(self, change: Change) -> list[Finding]:
        return self.look("front.environments", change, galaxy=ENVIRONMENTS)

    def test_lead_here(self) -> None:
        self.says("ok", self.environments(fronts.keeps_all))

    def test_lead_elsewhere(self) -> None:
        self.says("fail", self.environments(fronts.knows_only_our_pages), "nginx")

    def test_without_their_prefix(self) -> None:
        self.says("fail", self.environments(fronts.loses_a_prefix), "arrives as /jupyter")

    def test_the_block_of_galaxys_documentation(self) -> None:
        findings = self.environments(fronts.has_the_documented_block)
        self.says("fail", findings, "the query and jupyter/", "documentation")

    def test_without_upgrade(self) -> None:
        self.says("fail", self.environments(fronts.loses_upgrade), "without Upgrade")

    def test_kernels_lead_elsewhere(self) -> None:
        def kernels_elsewhere(asked: Asked) -> bytes | None:
            fronts.keeps_all(asked)
            return reply(404, b"no") if b"/api/kernels" in asked.target else None

        self.says("fail", self.environments(kernels_elsewhere), "WebSockets of notebooks")
