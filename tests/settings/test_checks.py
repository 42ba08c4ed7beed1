"""What the keys must say together."""

from giestack.settings import checks

from .world import EverythingThere, problems, warnings

HOST = "galaxy: {database_connection: 'postgresql://h/g', id_secret: abcd}\n"
DEFAULT = HOST.replace("abcd", "USING THE DEFAULT IS NOT SECURE!")


class CheckCase(EverythingThere):
    def assert_problem(self, text: str, *words: str) -> None:
        """There is one problem for each of these words, and no other."""
        found = problems(text)
        self.assertEqual(len(found), len(words), found)
        for problem, word in zip(found, words, strict=True):
            self.assertIn(word, problem)

    def assert_warning(self, text: str, *words: str) -> None:
        found = [one for one in warnings(text) if "nothing to pass on" not in one]
        self.assertEqual(len(found), len(words), found)
        for warning, word in zip(found, words, strict=True):
            self.assertIn(word, warning)


class HostTests(CheckCase):
    def test_owner_needs_a_database(self) -> None:
        self.assert_problem(
            "proxy: {interactivetools_auth: owner}",
            "proxy.interactivetools_auth: 'owner' needs the host's database",
        )
        self.assert_problem(HOST + "proxy: {interactivetools_auth: owner}")

    def test_a_database_needs_the_secret(self) -> None:
        self.assert_problem(
            "galaxy: {database_connection: 'postgresql://h/g'}", "galaxy.id_secret: is missing"
        )

    def test_the_default_secret(self) -> None:
        self.assert_warning(DEFAULT, "galaxy.id_secret: is Galaxy's default")
        self.assert_problem(DEFAULT + "chat:", "chat: does not start while galaxy.id_secret is")

    def test_words_that_can_not_be_looked_for(self) -> None:
        text = HOST + "chat: {filter: {deny: [spam, '*'], mask: ['-']}}"
        self.assert_problem(text, "chat.filter.deny[1]: '*' is", "chat.filter.mask[0]: '-' is")
        self.assert_problem(HOST + "chat: {filter: {deny: [spam, 'bad*']}}")

    def test_parts_that_need_to_know_who_is_asking(self) -> None:
        services = "proxy: {services: [{path: /a, backend: 'unix:/s'}]}\n"
        for text, path in (
            (services, "proxy.services"),
            ("chat:", "chat"),
            ("spawner:", "spawner"),
        ):
            self.assert_problem(text, f"{path}: needs a host application")
            self.assert_problem(HOST + text)
            self.assert_problem("openbis: {url: 'https://o.example'}\n" + text)

    def test_last_action_needs_the_database(self) -> None:
        touch = "touch_last_action: true"
        self.assert_problem(
            f"galaxy: {{{touch}}}",
            "galaxy.touch_last_action: there is no database to write to: set galaxy.config_file, "
            "or galaxy.database_connection and",
        )
        self.assert_problem(HOST.replace("id_secret", f"{touch}, id_secret"))

    def test_a_mistake_in_galaxy_is_told_once(self) -> None:
        text = "galaxy: {database_connection: mysql}\nproxy: {interactivetools_auth: owner}\nchat:"
        self.assert_problem(text, "galaxy.database_connection: must be a URL")
        self.assert_problem(
            "galaxy: {config_file: x.yml}\nchat:", "galaxy.config_file: cannot read"
        )
        self.assert_problem(
            'galaxy: {config_file: "x\\0"}\nchat:', "galaxy.config_file: is no path"
        )


class RemoteUserTests(CheckCase):
    remote = "galaxy: {use_remote_user: true}\n"

    def test_everybody_is_trusted(self) -> None:
        for network in ("0.0.0.0/0", "'::/0'"):
            proxy = f"proxy: {{trusted_proxies: [{network}]}}"
            self.assert_warning(proxy, "is everybody")
            self.assert_problem(self.remote + proxy, "with use_remote_user be any user")
            self.assert_warning("galaxy: {single_user: a@b}\n" + proxy, "is everybody")

    def test_nobody_is_trusted(self) -> None:
        self.assert_warning(self.remote + "proxy: {trusted_proxies: []}", "REMOTE_USER header")
        self.assert_warning("proxy: {trusted_proxies: []}")


class PrefixTests(CheckCase):
    def test_clashes(self) -> None:
        for keys, words in (
            (
                "prefix: /a, gie_prefix: /a",
                "proxy.gie_prefix: '/a' clashes with proxy.prefix, '/a'",
            ),
            ("prefix: /a, gie_prefix: /a/b", "proxy.gie_prefix: '/a/b' clashes"),
            ("prefix: /interactivetool", "proxy.interactivetools_prefix: '/interactivetool/ep'"),
        ):
            self.assert_problem(f"proxy: {{{keys}}}", words)
        self.assert_problem("proxy: {prefix: /a, gie_prefix: /ab}")

    def services(self, *paths: str) -> str:
        one = ", ".join(f"{{path: {path}, backend: 'unix:/s'}}" for path in paths)
        return HOST + f"proxy: {{services: [{one}]}}"

    def test_services(self) -> None:
        self.assert_problem(
            self.services("/a", "/b", "/a"), "proxy.services[2].path: '/a' clashes with proxy.serv"
        )
        self.assert_problem(self.services("/a/b", "/a"), "proxy.services[1].path: '/a' clashes")
        self.assert_problem(
            self.services("/giestack/x"), "proxy.services[0].path: '/giestack/x' clashes"
        )

    def test_the_way_of_logins_is_kept_free(self) -> None:
        self.assert_problem(
            self.services("/interactivetool/giestack"),
            "proxy.services[0].path: '/interactivetool/giestack' clashes with '/interactivetool/",
        )
        self.assert_problem(
            self.services("/interactivetool"), "clashes with proxy.interactivetools_prefix"
        )
        self.assert_problem(self.services("/interactivetool/giestacks"))

    def test_a_bad_prefix_is_told_once(self) -> None:
        text = HOST + "proxy: {prefix: a, services: [{path: b, backend: 'unix:/s'}]}"
        self.assert_problem(text, "proxy.prefix: must", "proxy.services[0].path: must")

    def test_ca_file_only_for_https(self) -> None:
        text = "proxy: {services: [{path: /a, backend: 'http://h', ca_file: c.pem}]}"
        found = problems(HOST + text, {"/etc/giestack/c.pem": ""})
        self.assertEqual(len(found), 1)
        self.assertIn("proxy.services[0].ca_file: is only for a backend", found[0])


class DomainTests(CheckCase):
    def galaxy(self, keys: str = "") -> str:
        return HOST.replace("}", f", {keys}}}") if keys else HOST

    def test_galaxys_own_host(self) -> None:
        proxy = "proxy: {interactivetools_domains: [example.org]}"
        for url in ("https://example.org", "https://galaxy.example.org"):
            text = self.galaxy(f"url: '{url}'") + proxy
            self.assert_problem(text, "proxy.interactivetools_domains: Galaxy's own host")
        self.assert_problem(self.galaxy("url: 'https://anexample.org'") + proxy)

    def test_sessions_beside_tools(self) -> None:
        text = self.galaxy("url: 'https://g.example'") + "spawner: {domain: %s}"
        for domain in ("x.interactivetool.g.example", "interactivetool.g.example"):
            self.assert_problem(text % domain, "spawner.domain: ")
        self.assert_problem(text % "session.g.example")

    def test_galaxys_own_host_among_the_sessions(self) -> None:
        text = self.galaxy("url: 'https://g.it.example'") + "spawner: {domain: %s}"
        self.assert_problem(text % "it.example", "spawner.domain: Galaxy's own host g.it.example")
        self.assert_problem(text % "s.it.example")

    def test_hosts_that_the_cookie_does_not_reach_need_a_url(self) -> None:
        tools = "proxy: {interactivetools_domains: [ep.it.example]}"
        self.assert_problem(HOST + tools, "galaxy.url: is missing: proxy.interactivetools_domains")
        self.assert_problem(self.galaxy("cookie_domain: it.example") + tools)
        self.assert_problem(self.galaxy("url: 'https://g.example'") + tools)
        self.assert_problem("proxy: {interactivetools_domains: [ep.it.example]}")
        text = HOST + "spawner: {domain: s.example}"
        self.assert_problem(text, "galaxy.url: is missing: spawner.domain")

    def test_cookie_domain_of_another_host(self) -> None:
        for url, domain, words in (
            ("https://g.example", "other.example", ("galaxy.cookie_domain: other.example does",)),
            ("https://g.example", "example", ()),
            ("http://localhost", "example", ()),
        ):
            keys = f"url: '{url}', cookie_domain: {domain}"
            self.assert_warning(self.galaxy(keys), *words)


class MapTests(CheckCase):
    def test_galaxys_own_database(self) -> None:
        self.assert_problem(
            HOST + "proxy: {session_maps: ['postgresql://other@h:5432/g']}",
            "proxy.session_maps[0]: is Galaxy's own database",
        )
        for url in (
            "postgres://h/g",
            "postgresql+psycopg2://u:p@H:5432/g?application_name=map",
            "postgresql:///g?host=h",
            "postgresql:///g?host=h:5432&user=other",
            "postgresql:///?host=h&port=5432&dbname=g",
            "postgresql://g@h",
        ):
            self.assert_problem(
                HOST + f"proxy: {{session_maps: ['{url}']}}",
                "proxy.session_maps[0]: is Galaxy's own database",
            )
        self.assert_problem(HOST + "proxy: {session_maps: ['postgresql://h/map']}")
        text = "galaxy: {database_connection: 'sqlite:///u', id_secret: abcd}\n"
        proxy = "proxy: {session_maps: ['sqlite:///./u']}"
        self.assert_problem(text + proxy, "is Galaxy's own database")

    def test_a_driver_that_is_missing(self) -> None:
        self.patch(checks, "find_spec", lambda name: None)
        self.assert_problem(
            "proxy: {session_maps: ['postgresql://u:s3cret@h/map']}",
            "proxy.session_maps[0]: needs the package psycopg",
        )
        self.assert_problem("proxy: {session_maps: [a.sqlite]}")

    def test_twice(self) -> None:
        self.assert_problem(
            HOST + "proxy: {session_maps: [a.sqlite, b.sqlite, ./a.sqlite]}",
            "proxy.session_maps[2]: is the same as proxy.session_maps[0]",
        )

    def test_nothing_to_pass_on(self) -> None:
        self.assertEqual(len(warnings("")), 1)
        self.assertEqual(len(warnings("proxy: {listen: []}")), 0)
        self.assertEqual(len(warnings(HOST + "proxy: {session_maps: [a.sqlite]}")), 0)


class EndpointTests(CheckCase):
    def test_same_place(self) -> None:
        for one, other in (
            ("tcp:8800", "tcp:8800"),
            ("tcp:8800", "tcp:8800:interface=127.0.0.1"),
            ("unix:/a", "unix:a:mode=600"),
            ("systemd:INET:name=a", "systemd:INET:name=a"),
        ):
            one = one.replace("unix:/a", "unix:/etc/giestack/a")
            text = f"proxy: {{listen: ['{one}']}}\nadmin: {{listen: ['{other}']}}"
            self.assert_problem(text, "admin.listen[0]: ")

    def test_other_places(self) -> None:
        for one, other in (
            ("tcp:8800", "tcp:8801"),
            ("tcp:0", "tcp:0"),
            ("tcp:80:interface=10.0.0.1", "tcp:80:interface=10.0.0.2"),
            ("unix:/a", "unix:/b"),
            ("systemd:INET:name=a", "systemd:INET:name=b"),
            ("systemd:INET:name=a", "unix:/b"),
        ):
            text = f"proxy: {{listen: ['{one}']}}\nadmin: {{listen: ['{other}']}}"
            self.assert_problem(text)

    def test_every_part_that_listens(self) -> None:
        text = (
            HOST + "proxy: {listen: ['tcp:1'], hub_api: {listen: ['tcp:1'], token: x}}\n"
            "chat: {listen: ['tcp:1']}\nadmin: {listen: []}\n"
            "openbis: {url: 'https://o.example', integration_listen: ['tcp:1']}"
        )
        found = {one.partition(":")[0] for one in problems(text)}
        expected = {"proxy.hub_api.listen[0]", "chat.listen[0]", "openbis.integration_listen[0]"}
        self.assertEqual(found, expected)


class PairTests(CheckCase):
    def test_forward(self) -> None:
        for key in ("ip: 10.0.0.1", "port: 80"):
            self.assert_problem(f"proxy: {{forward: {{{key}}}}}", "proxy.forward: needs both ip")
        self.assert_problem("proxy: {forward: {ip: 10.0.0.1, port: 80}}")
        self.assert_problem("proxy: {forward: {ip: 10.0.0.1, port: x}}", "proxy.forward.port: must")

    def test_a_double_proxy_in_a_circle(self) -> None:
        text = "proxy: {listen: ['tcp:4002:interface=127.0.0.1'], forward: {ip: %s, port: %d}}"
        self.assert_problem(text % ("localhost", 4002), "proxy.forward: leads back to giestack")
        self.assert_problem(text.replace("127.0.0.1", "10.0.0.2") % ("localhost", 4002))
        self.assert_problem(text % ("localhost", 4003))
        self.assert_problem(text % ("10.0.0.1", 4002))

    def test_a_far_end(self) -> None:
        text = "proxy: {forward: {allowed_targets: [10.0.0.0/8, %s]}}"
        self.assert_problem(text % "node1")
        for everything in ("0.0.0.0/0", "'::/0'"):
            self.assert_problem(text % everything, "proxy.forward.allowed_targets[1]: ")
        self.assertNotIn("nothing to pass on", " ".join(warnings(text % "node1")))

    def test_hub_api(self) -> None:
        text = "proxy: {hub_api: {listen: ['tcp:1'] %s}}"
        self.assert_problem(text % "", "proxy.hub_api.token: is missing")
        self.assert_problem(text % ", token: x")
        self.assert_problem(text % ", token: '${X}'", "proxy.hub_api.token: the environment")

    def test_the_go_api(self) -> None:
        text = "proxy: {go_api: {%s}, services: [{path: /%s, backend: 'http://h:1'}]}"
        where = "proxy.services[0].path: /api is the address"
        self.assert_problem(HOST + text % ("api_key: k", "api"), where)
        self.assert_problem(HOST + text % ("api_key: k", "apis"))
        self.assert_problem(HOST + text % ("noaccess: 5", "api"))
        for engine, trouble in (
            ("unix:///run/docker.sock", ""),
            ("tcp://127.0.0.1:2375", ""),
            ("tcp://10.0.0.1:2375", "gives everybody on that network this engine"),
            ("'process:'", "must be unix:"),
        ):
            where = f"proxy.go_api.docker_host: {'tcp' if '10.' in engine else 'must'}"
            found = problems(f"proxy: {{go_api: {{docker_host: {engine}}}}}")
            self.assertEqual(len(found), bool(trouble), found)
            if trouble:
                self.assertIn(trouble, found[0])
                self.assertTrue(found[0].startswith(where), found)

    def test_known_keys(self) -> None:
        key = "THE_DEFAULT_IS_NOT_SECURE"
        self.assert_problem(
            f"proxy: {{go_api: {{api_key: {key}}}}}", "proxy.go_api.api_key: is the"
        )
        self.assert_problem(f"admin: {{token: {key}}}", "admin.token: is the default of the Go")
