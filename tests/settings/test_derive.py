"""Defaults that follow from other keys."""

from pathlib import Path

from . import world
from .world import EverythingThere, settings, warnings

DATABASE = "galaxy: {database_connection: 'sqlite:////g.sqlite', id_secret: abcd}\n"


class DataDirTests(EverythingThere):
    def test_default(self) -> None:
        found = settings("")
        self.assertEqual(found.data_dir, Path("/etc/giestack/var"))
        self.assertEqual(found.log.access, Path("/etc/giestack/var/access.log"))
        self.assertEqual(found.log.audit, Path("/etc/giestack/var/audit.jsonl"))

    def test_logs_and_chat_are_in_it(self) -> None:
        found = settings(DATABASE + "data_dir: /d\nlog: {access: a/b, audit: off}\nchat:\n")
        assert found.chat is not None
        self.assertEqual((found.log.access, found.log.audit), (Path("/d/a/b"), "off"))
        self.assertEqual(found.chat.database, "sqlite:////d/chat.sqlite")

    def test_absolute_ones_stay(self) -> None:
        found = settings("log: {access: /var/log/a, audit: syslog}\ndata_dir: x")
        self.assertEqual((found.log.access, found.log.audit), (Path("/var/log/a"), "syslog"))
        self.assertEqual(found.data_dir, Path("/etc/giestack/x"))

    def test_chat_elsewhere(self) -> None:
        for url in ("postgresql://h/chat", "sqlite:////c.sqlite"):
            found = settings(f"{DATABASE}chat: {{database: '{url}'}}").chat
            assert found is not None
            self.assertEqual(found.database, url)


class UrlTests(EverythingThere):
    def url(self, keys: str) -> str | None:
        return settings(f"galaxy: {{{keys}}}").galaxy.url

    def test_infrastructure_url_unless_loopback(self) -> None:
        for known, url in (
            ("https://g.example/", "https://g.example/"),
            ("http://localhost:8080", None),
            ("http://127.0.0.1", None),
            ("http://[::1]:80", None),
        ):
            self.assertEqual(self.url(f"galaxy_infrastructure_url: '{known}'"), url)
        both = "galaxy_infrastructure_url: 'https://a.example', url: 'http://localhost'"
        self.assertEqual(self.url(both), "http://localhost/")


class AuthTests(EverythingThere):
    def test_owner_where_there_is_a_database(self) -> None:
        text = DATABASE + "proxy: {session_maps: [a.sqlite]}"
        self.assertEqual(settings(text).proxy.interactivetools_auth, "owner")
        self.assertEqual(warnings(text), [])

    def test_token_said_loudly_where_there_is_none(self) -> None:
        text = "proxy:\n  session_maps: [a.sqlite]"
        self.assertEqual(settings(text).proxy.interactivetools_auth, "token")
        (warning,) = warnings(text)
        self.assertIn("proxy.interactivetools_auth: is 'token', because no host", warning)

    def test_token_as_it_is_written_is_said_as_well(self) -> None:
        text = "proxy: {session_maps: [a.sqlite], interactivetools_auth: token}\n"
        for more in ("", DATABASE):
            self.assertEqual(settings(text + more).proxy.interactivetools_auth, "token")
            (warning,) = warnings(text + more)
            self.assertIn("proxy.interactivetools_auth: is 'token': interactive tools are", warning)
        text = "proxy: {interactivetools_auth: token, listen: []}\n"
        self.assertEqual(warnings(text + DATABASE), [])

    def test_nothing_to_say_without_maps(self) -> None:
        text = "proxy: {listen: []}"
        self.assertEqual(settings(text).proxy.interactivetools_auth, "token")
        self.assertEqual(warnings(text), [])


class DomainTests(EverythingThere):
    def test_from_url(self) -> None:
        domains = settings(
            "galaxy: {url: 'https://G.example/galaxy'}"
        ).proxy.interactivetools_domains
        self.assertEqual(
            domains,
            (
                "ep.interactivetool.g.example",
                "interactivetoolentrypoint.interactivetool.g.example",
                "interactivetool.g.example",
            ),
        )

    def test_as_they_are_written(self) -> None:
        text = "galaxy: {url: 'https://g.example'}\nproxy: {interactivetools_domains: [.X.example]}"
        self.assertEqual(settings(text).proxy.interactivetools_domains, ("x.example",))
        text = "galaxy: {url: 'https://g.example'}\nproxy: {interactivetools_domains: []}"
        self.assertEqual(len(settings(text).proxy.interactivetools_domains), 3)


class ServiceTests(EverythingThere):
    def test_backend_knows_its_ca_file(self) -> None:
        text = DATABASE + (
            "proxy: {services: [{path: /a, backend: 'https://h', ca_file: c.pem},"
            " {path: /b, backend: 'unix:/s'}]}"
        )
        one, other = settings(text, {"/etc/giestack/c.pem": ""}).proxy.services
        self.assertEqual(one.backend.ca_file, "/etc/giestack/c.pem")
        self.assertEqual((str(other.backend), other.backend.ca_file), ("unix:/s", None))


class SingleUserTests(EverythingThere):
    def test_is_a_remote_user(self) -> None:
        text = "galaxy: {single_user: me@x.y, use_remote_user: false}"
        self.assertTrue(settings(text).galaxy.use_remote_user)
        self.assertFalse(settings("").galaxy.use_remote_user)


class CookiePathTests(EverythingThere):
    def test_prefixes_start_with_it(self) -> None:
        proxy = settings("galaxy: {cookie_path: /g}\nproxy: {prefix: /x}").proxy
        self.assertEqual(
            (proxy.prefix, proxy.gie_prefix, proxy.interactivetools_prefix),
            ("/x", "/g/gie_proxy", "/g/interactivetool/ep"),
        )
        self.assertEqual(settings("galaxy: {cookie_path: /}").proxy.prefix, "/giestack")

    def test_a_bad_one_is_told(self) -> None:
        found = world.problems("galaxy: {cookie_path: 'g%'}")
        self.assertIn("galaxy.cookie_path: must be a path without '%'", found[0])
