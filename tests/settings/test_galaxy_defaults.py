"""What giestack takes from Galaxy's file: every row of the contract's table."""

from collections.abc import Mapping
from pathlib import Path

from giestack.settings import unready
from giestack.settings.schema import Settings

from . import world

YML = "/srv/galaxy/config/galaxy.yml"
CONFIG = f"galaxy: {{config_file: {YML}}}\n"


class GalaxyCase(world.EverythingThere):
    """Configurations that name a galaxy.yml with these options."""

    def load(
        self,
        options: str,
        own: str = "",
        gravity: str = "",
        environ: Mapping[str, str] | None = None,
        files: tuple[str, ...] = (),
    ) -> Settings:
        files_there = dict.fromkeys(files, "") | {YML: f"galaxy: {{{options}}}\ngravity: {gravity}"}
        loaded = world.load(CONFIG + own, files_there, environ)
        self.warnings = [str(warning) for warning in loaded.warnings]
        return loaded.settings

    def problems(self, options: str, own: str = "", gravity: str = "") -> list[str]:
        files = {YML: f"galaxy: {{{options}}}\ngravity: {gravity}"}
        return world.problems(CONFIG + own, files)


class HostTests(GalaxyCase):
    def test_same_names(self) -> None:
        galaxy = self.load(
            "id_secret: '1234${X}', database_connection: 'postgresql://u:p@h/db', "
            "admin_users: 'a@b.c, D@e.f', session_duration: 30, require_login: true, "
            "use_remote_user: 'True', remote_user_header: HTTP_X_USER, cookie_path: /galaxy/, "
            "cookie_domain: .example.org, remote_user_maildomain: example.org, "
            "galaxy_infrastructure_url: 'https://galaxy.example.org'"
        ).galaxy
        self.assertEqual(galaxy.id_secret, "1234${X}")
        self.assertEqual(galaxy.database_connection, "postgresql://u:p@h/db")
        self.assertEqual(galaxy.admin_users, ("a@b.c", "D@e.f"))
        self.assertEqual((galaxy.session_duration, galaxy.require_login), (30, True))
        self.assertEqual((galaxy.use_remote_user, galaxy.remote_user_header), (True, "X_USER"))
        self.assertEqual((galaxy.cookie_path, galaxy.cookie_domain), ("/galaxy", "example.org"))
        self.assertEqual(galaxy.remote_user_maildomain, "example.org")
        self.assertEqual(galaxy.url, "https://galaxy.example.org/")
        self.assertEqual(galaxy.galaxy_infrastructure_url, "https://galaxy.example.org/")

    def test_own_keys_win(self) -> None:
        own = "  # below galaxy\n"
        files = {YML: "galaxy: {id_secret: theirs, admin_users: a@b.c, session_duration: 5}"}
        text = (
            f"galaxy:\n  config_file: {YML}\n  id_secret: ours\n  session_duration: 0\n"
            f"  admin_users:\n{own}"
        )
        galaxy = world.settings(text, files).galaxy
        self.assertEqual((galaxy.id_secret, galaxy.session_duration), ("ours", 0))
        self.assertEqual(galaxy.admin_users, ("a@b.c",))

    def test_admin_users_as_a_list(self) -> None:
        self.assertEqual(self.load("admin_users: [a@b.c]").galaxy.admin_users, ("a@b.c",))

    def test_galaxys_own_defaults(self) -> None:
        galaxy = self.load("").galaxy
        self.assertEqual(galaxy.id_secret, "USING THE DEFAULT IS NOT SECURE!")
        connection = "sqlite:////srv/galaxy/database/universe.sqlite"
        self.assertEqual(galaxy.database_connection, connection)
        self.assertEqual(galaxy.remote_user_header, "REMOTE_USER")
        self.assertIn("galaxy.id_secret: is Galaxy's default", self.warnings[0])

    def test_problems_name_their_origin(self) -> None:
        self.assertEqual(
            self.problems("session_duration: soon"),
            [
                "galaxy.session_duration: must be a whole number, 0 or more, not 'soon' "
                f"(session_duration in {YML}, line 1)"
            ],
        )
        found = self.problems("id_secret: 'abc'")
        self.assertEqual(len(found), 1)
        self.assertIn("galaxy.id_secret: must be 4 to 56 bytes", found[0])
        self.assertIn("has a YAML tag", self.problems("id_secret: !vault x")[0])

    def test_the_environment_counts(self) -> None:
        environ = {
            "GALAXY_CONFIG_OVERRIDE_ID_SECRET": "there",
            "GALAXY_CONFIG_ADMIN_USERS": "x@y",
        }
        galaxy = self.load("id_secret: here", environ=environ).galaxy
        self.assertEqual((galaxy.id_secret, galaxy.admin_users), ("there", ("x@y",)))

    def test_url_prefix_is_the_cookies_path(self) -> None:
        self.assertEqual(self.load("galaxy_url_prefix: /g").galaxy.cookie_path, "/g")
        self.assertIsNone(self.load("galaxy_url_prefix: /").galaxy.cookie_path)
        options = "galaxy_url_prefix: /g, cookie_path: /c"
        self.assertEqual(self.load(options).galaxy.cookie_path, "/c")

    def test_single_user(self) -> None:
        galaxy = self.load("single_user: me@example.org").galaxy
        self.assertEqual((galaxy.single_user, galaxy.use_remote_user), ("me@example.org", True))

    def test_infrastructure_url_that_is_of_no_use(self) -> None:
        galaxy = self.load("galaxy_infrastructure_url: 'http://localhost:8080'").galaxy
        self.assertEqual(
            (galaxy.url, galaxy.galaxy_infrastructure_url), (None, "http://localhost:8080/")
        )
        galaxy = self.load("galaxy_infrastructure_url: 'galaxy.example.org'").galaxy
        self.assertEqual((galaxy.url, galaxy.galaxy_infrastructure_url), (None, None))
        self.assertIn("galaxy_infrastructure_url: is left out", self.warnings[0])
        galaxy = self.load("galaxy_infrastructure_url: 'http://${HOST_IP}:8080'").galaxy
        self.assertIsNone(galaxy.galaxy_infrastructure_url)


class DatabaseTests(GalaxyCase):
    def database(self, options: str) -> str | None:
        return self.load(options).galaxy.database_connection

    def test_connections(self) -> None:
        for options, expected in (
            (
                "database_connection: 'sqlite:///./database/u.sqlite?isolation_level=IMMEDIATE'",
                "sqlite:////srv/galaxy/database/u.sqlite",
            ),
            ("database_connection: 'sqlite:////abs.sqlite'", "sqlite:////abs.sqlite"),
            ("database_connection: 'postgresql:///g?host=/run'", "postgresql:///g?host=/run"),
            ("database_file: database/old.sqlite", "sqlite:////srv/galaxy/database/old.sqlite"),
        ):
            self.assertEqual(self.database(options), expected)

    def test_connections_that_cannot_be_used(self) -> None:
        for url in ("mysql://u:s3cret@h/db", "sqlite:///:memory:", "sqlite://"):
            (problem,) = self.problems(f"database_connection: '{url}'")
            self.assertTrue(problem.startswith("galaxy.database_connection: must be"), problem)
            self.assertIn(YML, problem)
            self.assertNotIn("s3cret", problem)
        self.assertEqual(len(self.problems("database_connection: [x]")), 1)
        self.assertEqual(len(self.problems("database_file: [x]")), 1)


class ToolsTests(GalaxyCase):
    def test_prefixes(self) -> None:
        for options, tools, own, gie in (
            ("", "/interactivetool/ep", "/giestack", "/gie_proxy"),
            ("interactivetools_base_path: /g/", "/g/interactivetool/ep", "/giestack", "/gie_proxy"),
            ("interactivetools_prefix: it", "/it/ep", "/giestack", "/gie_proxy"),
            ("cookie_path: /c", "/c/interactivetool/ep", "/c/giestack", "/c/gie_proxy"),
            (
                "cookie_path: /c, interactivetools_base_path: /",
                "/interactivetool/ep",
                "/c/giestack",
                "/c/gie_proxy",
            ),
            (
                "galaxy_url_prefix: /c, dynamic_proxy_prefix: ie",
                "/c/interactivetool/ep",
                "/c/giestack",
                "/c/ie",
            ),
            ("cookie_path: /", "/interactivetool/ep", "/giestack", "/gie_proxy"),
        ):
            proxy = self.load(options).proxy
            self.assertEqual(
                (proxy.interactivetools_prefix, proxy.prefix, proxy.gie_prefix),
                (tools, own, gie),
                options,
            )

    def test_own_cookie_path_and_prefixes_win(self) -> None:
        files = {YML: "galaxy: {cookie_path: /theirs}"}
        text = f"galaxy: {{config_file: {YML}, cookie_path: /ours}}\nproxy: {{gie_prefix: /x}}"
        proxy = world.settings(text, files).proxy
        self.assertEqual(
            (proxy.interactivetools_prefix, proxy.prefix, proxy.gie_prefix),
            ("/ours/interactivetool/ep", "/ours/giestack", "/x"),
        )

    def test_bad_prefix(self) -> None:
        (problem,) = self.problems("interactivetools_prefix: 'a%2Fb'")
        self.assertIn("proxy.interactivetools_prefix: must be a path without '%'", problem)
        self.assertIn(f"interactivetools_prefix in {YML}", problem)

    def test_domains(self) -> None:
        url = "galaxy_infrastructure_url: 'https://g.example:8443'"
        for options, domain in (
            (url, "interactivetool.g.example"),
            (f"{url}, interactivetools_prefix: it", "it.g.example"),
            (f"{url}, interactivetools_proxy_host: 'p.example:4002'", "interactivetool.g.example"),
            (
                f"{url}, interactivetools_proxy_host: 'p.example:4002', "
                "interactivetools_upstream_proxy: false",
                "interactivetool.p.example",
            ),
            (f"{url}, interactivetools_upstream_proxy: 'False'", "interactivetool.g.example"),
            (
                "interactivetools_proxy_host: localhost, interactivetools_upstream_proxy: false",
                "interactivetool.localhost",
            ),
        ):
            domains = self.load(
                options + ", cookie_domain: localhost"
            ).proxy.interactivetools_domains
            expected = (f"ep.{domain}", f"interactivetoolentrypoint.{domain}", domain)
            self.assertEqual(domains, expected, options)

    def test_no_domains(self) -> None:
        self.assertEqual(self.load("").proxy.interactivetools_domains, ())
        options = "galaxy_infrastructure_url: 'http://[fe80::1]:8080'"
        self.assertEqual(self.load(options).proxy.interactivetools_domains, ())

    def test_bad_domain(self) -> None:
        options = "interactivetools_proxy_host: 'a b', interactivetools_upstream_proxy: false"
        (problem,) = self.problems(options)
        self.assertIn("proxy.interactivetools_domains: must be a host name", problem)


class MapTests(GalaxyCase):
    def maps(self, options: str, gravity: str = "") -> list[str]:
        return [str(source) for source in self.load(options, gravity=gravity).proxy.session_maps]

    def test_interactive_tools(self) -> None:
        data = "/srv/galaxy/database"
        for options, expected in (
            ("", []),
            ("interactivetools_enable: true", [f"{data}/interactivetools_map.sqlite"]),
            ("interactivetools_map: m.sqlite", [f"{data}/m.sqlite"]),
            ("interactivetools_map: database/m.sqlite", [f"{data}/m.sqlite"]),
            ("interactivetools_map: /m", ["/m"]),
            ("interactivetools_map: m, data_dir: /d", ["/d/m"]),
            (
                "interactivetoolsproxy_map: 'sqlite:///m', interactivetools_map: n",
                ["/srv/galaxy/m"],
            ),
            ("interactivetoolsproxy_map: 'postgresql://h/m'", ["postgresql://h/m"]),
        ):
            self.assertEqual(self.maps(options), expected, options)

    def test_gravitys_sessions(self) -> None:
        for sessions, expected in (
            ("database/m.sqlite", "/srv/galaxy/database/m.sqlite"),
            ("/m.json", "/m.json"),
            ("postgresql://h/m", "postgresql://h/m"),
        ):
            gravity = f"{{gx_it_proxy: {{sessions: '{sessions}'}}}}"
            self.assertEqual(self.maps("", gravity), [expected])
            self.assertEqual(self.maps("interactivetools_map: /n", gravity), ["/n"])
        default = "/srv/galaxy/database/interactivetools_map.sqlite"
        self.assertEqual(self.maps("", "{gx_it_proxy: {enable: false}}"), [default])

    def test_galaxys_own_database_is_refused(self) -> None:
        for options in (
            "interactivetoolsproxy_map: 'postgresql+psycopg2://x@h/g', "
            "database_connection: 'postgresql://y@h/g'",
            "interactivetools_map: universe.sqlite",
        ):
            (problem,) = self.problems(options)
            self.assertIn("proxy.session_maps[0]: is Galaxy's own database", problem)
            self.assertIn(YML, problem)

    def test_cookie_routed(self) -> None:
        data, tools = "/srv/galaxy/database", "interactivetools_map: /it.sqlite"
        for options, expected in (
            ("dynamic_proxy_session_map: database/s.sqlite", [f"{data}/s.sqlite"]),
            ("interactive_environment_plugins_directory: x", [f"{data}/session_map.sqlite"]),
            ("dynamic_proxy_bind_port: 80", [f"{data}/session_map.sqlite"]),
            ("dynamic_proxy: golang", [f"{data}/session_map.xml"]),
            ("dynamic_proxy: golang, dynamic_proxy_session_map: /s.json", ["/s.json"]),
            (f"dynamic_proxy_session_map: /s.json, {tools}", ["/it.sqlite", "/s.json"]),
        ):
            self.assertEqual(self.maps(options), expected, options)

    def test_bad_maps(self) -> None:
        (problem,) = self.problems("dynamic_proxy_session_map: s.txt")
        self.assertIn("proxy.session_maps[0]: must be a file that ends with", problem)
        self.assertIn("dynamic_proxy_session_map", problem)
        (problem,) = self.problems("interactivetools_map: [x]")
        self.assertIn("galaxy.config_file: interactivetools_map must be a text", problem)


class FrontTests(GalaxyCase):
    def test_listen(self) -> None:
        for options, gravity, expected in (
            ("", "", "tcp:8800"),
            ("", "{gx_it_proxy: {enable: false}}", "tcp:4002:interface=127.0.0.1"),
            ("", "{gx_it_proxy: {ip: 0.0.0.0, port: 80}}", "tcp:80"),
            ("", "{gx_it_proxy: {ip: '::1'}}", "tcp:4002:interface=\\:\\:1"),
            ("dynamic_proxy_bind_port: 80", "", "tcp:80"),
            ("dynamic_proxy_bind_ip: 10.0.0.1", "", "tcp:8800:interface=10.0.0.1"),
            (
                "dynamic_proxy_bind_port: 80",
                "{gx_it_proxy: {port: 4}}",
                "tcp:4:interface=127.0.0.1",
            ),
            ("", "{gx_it_proxy: [x]}", "tcp:8800"),
        ):
            listen = self.load(options, gravity=gravity).proxy.listen
            self.assertEqual(listen, (expected,), (options, gravity))

    def test_own_listen_wins(self) -> None:
        proxy = self.load("", "proxy: {listen: []}", "{gx_it_proxy: {port: 4}}").proxy
        self.assertEqual(proxy.listen, ())

    def test_bad_port(self) -> None:
        (problem,) = self.problems("", gravity="{gx_it_proxy: {port: http}}")
        self.assertIn("proxy.listen[0]: tcp: port must be a number", problem)
        self.assertIn(f"gravity: gx_it_proxy: in {YML}", problem)

    def test_forward(self) -> None:
        gravity = "{gx_it_proxy: {forward_ip: 10.0.0.1, forward_port: 80, reverse_proxy: true}}"
        forward = self.load("", gravity=gravity).proxy.forward
        self.assertEqual((forward.ip, forward.port, forward.reverse_proxy), ("10.0.0.1", 80, True))
        gravity = "{gx_it_proxy: {forward_ip: , reverse_proxy: false}}"
        self.assertIsNone(self.load("", gravity=gravity).proxy.forward.ip)

    def test_others_on_the_same_port(self) -> None:
        self.load("id_secret: abcd", gravity="{gx_it_proxy: {enable: true}}")
        self.assertIn("gx_it_proxy: enable: true would start another", self.warnings[0])
        self.load("id_secret: abcd, dynamic_proxy_manage: true")
        self.assertIn("dynamic_proxy_manage: true would start another", self.warnings[0])
        self.load("id_secret: abcd, interactive_environment_plugins_directory: x")
        self.assertIn("dynamic_proxy_manage: true would start another", self.warnings[0])
        plugins = "interactive_environment_plugins_directory: x, dynamic_proxy_manage: false"
        self.load(f"id_secret: abcd, {plugins}")
        self.assertEqual(self.warnings, [])


class OldPartsTests(GalaxyCase):
    def test_debug(self) -> None:
        self.assertEqual(self.load("dynamic_proxy_debug: true").log.level, "debug")
        self.assertEqual(self.load("dynamic_proxy_debug: 'no'").log.level, "info")

    def test_go_api(self) -> None:
        keys = (
            "dynamic_proxy_golang_api_key: s3cret, dynamic_proxy_golang_noaccess: 5, "
            "dynamic_proxy_golang_clean_interval: 6, "
            "dynamic_proxy_golang_docker_address: unix:///run/docker.sock"
        )
        go = self.load(f"dynamic_proxy: golang, {keys}").proxy.go_api
        self.assertEqual((go.api_key, go.noaccess, go.clean_interval), ("s3cret", 5, 6))
        self.assertEqual(go.docker_host, "unix:///run/docker.sock")
        self.assertFalse([one for one in self.warnings if "go_api" in one])
        go = self.load(keys).proxy.go_api
        self.assertEqual((go.api_key, go.docker_host), (None, None))

    def test_a_key_that_galaxy_makes_up_itself(self) -> None:
        self.assertIsNone(self.load("dynamic_proxy: golang").proxy.go_api.api_key)
        self.assertIn("that nobody else knows", " ".join(self.warnings))

    def test_plugins_directory_only_with_a_spawner(self) -> None:
        options = "interactive_environment_plugins_directory: config/plugins/ie"
        spawner = self.load(options, "spawner:").spawner
        assert spawner is not None
        folder = Path("/srv/galaxy/config/plugins/ie")
        self.assertEqual(spawner.gie_plugins_directory, folder)
        self.assertIsNone(self.load(options).spawner)

    def test_chat_only_with_its_section(self) -> None:
        options = (
            "id_secret: abcd, enable_communication_server: false, communication_server_port: 80, "
            "communication_server_host: 'http://x', persistent_communication_rooms: 'a, b'"
        )
        chat = self.load(options, "chat:").chat
        assert chat is not None
        self.assertEqual((chat.enabled, chat.rooms, chat.listen), (False, ("a", "b"), ("tcp:80",)))
        chat = self.load(options, "chat: {rooms: [c]}").chat
        assert chat is not None
        self.assertEqual(chat.rooms, ("c",))
        self.assertIsNone(self.load(options).chat)


class MissingPartTests(GalaxyCase):
    def test_galaxys_wish_for_a_missing_part_is_told_and_left_out(self) -> None:
        self.patch(unready, "NOT_YET", {"proxy.go_api": "no Go API yet; remove the section"})
        options = "id_secret: abcd, dynamic_proxy: golang, dynamic_proxy_golang_api_key: s3cret"
        self.assertIsNone(self.load(options).proxy.go_api.api_key)
        told = " ".join(self.warnings)
        self.assertIn("proxy.go_api.api_key: this version of giestack has no Go API yet", told)
        self.assertNotIn("s3cret", told)
