"""What the configuration makes of giestack's parts."""

from pathlib import Path
from typing import Any

from twisted.internet import reactor as global_reactor  # noqa: TID251 - building needs one
from twisted.trial.unittest import SynchronousTestCase

from giestack.assembly import access_policy, assemble, guarded_names, limits_of, route_table
from giestack.settings.files import load
from giestack.settings.schema import Settings

reactor: Any = global_reactor

MINIMUM = """
galaxy:
  id_secret: a-secret-for-tests
  database_connection: sqlite:///galaxy.sqlite
  url: https://galaxy.example.org/galaxy
"""


class AssemblyTests(SynchronousTestCase):
    def settings(self, text: str = "") -> Settings:
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        file = folder / "giestack.yml"
        file.write_text(MINIMUM + text)
        return load(file, {}, folder).settings

    def test_everything_is_there_and_nothing_runs(self) -> None:
        settings = self.settings("proxy: {session_maps: [map.sqlite]}")
        giestack = assemble(reactor, settings)
        self.assertFalse(giestack.running)
        names = [type(part).__name__ for part in giestack]
        # The proxy's door opens last, and so it closes first.
        self.assertEqual(names[-2:], ["Listeners", "Door"])

    def test_without_a_host_database(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        settings = load(None, {}, folder, {"proxy.interactivetools_auth": "token"}).settings
        self.assertEqual([type(part).__name__ for part in assemble(reactor, settings)][-1], "Door")

    def test_who_may_go_where(self) -> None:
        policy = access_policy(
            self.settings(
                "  cookie_domain: .example.org\n"
                "proxy: {allowed_origins: ['https://Other.example.org']}"
            )
        )
        self.assertTrue(policy.check_owner)
        self.assertEqual(policy.galaxy_origin, b"https://galaxy.example.org")
        self.assertEqual(policy.cookie_domain, b"example.org")
        self.assertEqual(
            policy.origins, {b"https://galaxy.example.org", b"https://other.example.org"}
        )

    def test_names_that_clients_and_backends_must_not_use(self) -> None:
        guarded = guarded_names(
            self.settings(
                "  cookie_name: MySession\n"
                "proxy: {services: [{path: /a, backend: 'http://127.0.0.1:1', "
                "user_header: X_Galaxy_User}]}"
            )
        )
        self.assertEqual(guarded.session_cookie, b"MySession")
        self.assertLessEqual(
            {b"mysession", b"galaxytoolrunnersession", b"giestack", b"__host-giestack"},
            guarded.hidden_cookies,
        )
        self.assertEqual(guarded.identity_headers, {b"x-galaxy-user", b"remote-user"})
        self.assertEqual(guarded.remote_user_header, b"remote-user")

    def test_routes(self) -> None:
        table = route_table(
            self.settings(
                "proxy: {prefix: /gs, services: [{path: /a, backend: 'unix:run/a.sock', "
                "require: admin, strip_path: false}]}"
            ).proxy
        )
        [service] = table.services
        self.assertEqual(
            (service.path, service.require, service.strip_path), (b"/a", "admin", False)
        )
        self.assertTrue(service.address.path.endswith("/run/a.sock"))
        self.assertEqual(table.prefixes.own, "/gs")

    def test_limits_are_handed_on(self) -> None:
        limits = limits_of(self.settings("proxy: {limits: {head: 8K, idle_timeout: 5}}").proxy)
        self.assertEqual((limits.head, limits.idle_timeout, limits.body), (8192, 5, 0))
