"""What the configuration means to the parts."""

from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address
from giestack.identity.tickets import Vouched
from giestack.meaning import (
    access_policy,
    guarded_names,
    host_login_of,
    limits_of,
    links_of,
    map_locations,
    prefixes_of,
    scheme_of,
    services_of,
    session_domain,
    spawner_of,
    tickets_of,
    tool_domains,
)
from giestack.proxy.decision import Redirect, Refuse
from giestack.settings.files import load
from giestack.settings.galaxy_defaults import GALAXYS_ID_SECRET
from giestack.settings.schema import Settings
from giestack.settings.spawner_schema import Engine

from .visiting_hosts import PAGE, TOOL, Browser, Site

MINIMUM = """
galaxy:
  id_secret: a-secret-for-tests
  database_connection: sqlite:///galaxy.sqlite
  url: https://galaxy.example.org/galaxy
"""


class MeaningTests(SynchronousTestCase):
    def settings(self, text: str = "") -> Settings:
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        file = folder / "giestack.yml"
        file.write_text(MINIMUM + text)
        return load(file, {}, folder).settings

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

    def test_hosts_of_their_own(self) -> None:
        settings = self.settings(
            "proxy: {listen: ['tcp:9801', 'unix:/s', 'tcp:9802:interface=127.0.0.1']}\n"
            "spawner: {domain: s.example.net, engines: [{name: a, docker_host: 'process:'}]}"
        )
        self.assertEqual(session_domain(settings), "s.example.net")
        policy = access_policy(settings)
        self.assertEqual((policy.session_domain, policy.prefix), (b"s.example.net", b"/giestack"))
        self.assertIn(b".ep.interactivetool.galaxy.example.org", policy.tool_domains)
        self.assertEqual(links_of(settings, demo=False).session_domain, "s.example.net")
        tickets = tickets_of(settings)
        assert tickets is not None
        login = host_login_of(settings, tickets, lambda: 0.0)
        galaxy = "https://galaxy.example.org"
        for port, status in ((9801, None), (9802, None), (443, None), (9803, 404)):
            url = f"https://x.s.example.net:{port}/"
            request = Browser(Site()).request(f"{galaxy}/giestack/login?next={url}")
            wish = login.wish(request)
            self.assertEqual(wish.status if isinstance(wish, Refuse) else None, status)

    def test_the_login_page_is_where_galaxys_cookie_comes(self) -> None:
        for more, login in (
            ("", "/interactivetool/giestack/login"),
            ("  cookie_path: /\n", "/interactivetool/giestack/login"),
            ("  cookie_path: /galaxy\n", "/galaxy/interactivetool/giestack/login"),
            (
                "  cookie_path: /galaxy\nproxy: {interactivetools_prefix: /interactivetool/ep}\n",
                "/galaxy/giestack/login",
            ),
        ):
            settings = self.settings(more)
            tickets = tickets_of(settings)
            assert tickets is not None
            page = host_login_of(settings, tickets, lambda: 0.0)
            decision = page.leave(Browser(Site()).request(TOOL + "/x", *PAGE))
            assert isinstance(decision, Redirect)
            start = f"https://galaxy.example.org{login}?next=https://key1-token1."
            self.assertEqual(decision.location.decode()[: len(start)], start)

    def test_what_logins_are_sealed_with(self) -> None:
        host, vouched = b"https://x", Vouched("a" * 32)

        def understand(one: Settings, other: Settings) -> bool:
            first, second = tickets_of(one), tickets_of(other)
            assert first is not None and second is not None
            return second.vouched(host, first.cookie(host, vouched)) == vouched

        one, other = self.settings(), self.settings()
        self.assertTrue(understand(one, other))
        self.assertEqual(list(one.data_dir.parent.glob("var/*")), [])
        self.assertFalse(understand(one, self.settings("secret: 0123456789abcdef\n")))
        # Galaxy's default is known to everybody.
        known = [
            replace(one, galaxy=replace(one.galaxy, id_secret=GALAXYS_ID_SECRET))
            for one in (one, other)
        ]
        self.assertFalse(understand(*known))
        one.data_dir.mkdir()
        self.assertTrue(understand(known[0], known[0]))
        nobody = replace(one, galaxy=replace(one.galaxy, database_connection=None))
        self.assertIsNone(tickets_of(nobody))

    def test_domains_of_tools(self) -> None:
        known = self.settings("proxy: {interactivetools_auth: token}").proxy
        self.assertEqual(tool_domains(known), known.interactivetools_domains)
        self.assertEqual(len(prefixes_of(known).domains), 3)
        # As with gx-it-proxy, which looks at the first label only.
        nobody = replace(known, interactivetools_domains=())
        self.assertEqual(tool_domains(nobody), ())
        some_map = self.settings("proxy: {session_maps: [/srv/map.sqlite]}").proxy.session_maps
        any_domain = replace(nobody, session_maps=some_map)
        self.assertEqual(tool_domains(any_domain), ("*",))
        self.assertEqual(prefixes_of(any_domain).domains, ("*",))
        # Who may enter is asked of Galaxy there: no cookie reaches such a host.
        owner = replace(any_domain, interactivetools_auth="owner")
        self.assertEqual(tool_domains(owner), ())

    def test_a_double_proxy(self) -> None:
        policy = access_policy(self.settings())
        self.assertEqual((policy.far_end, policy.reverse_proxy), (None, False))
        forward = "proxy: {forward: {ip: '::1', port: 4002, reverse_proxy: true}}"
        policy = access_policy(self.settings(forward))
        self.assertEqual((policy.far_end, policy.reverse_proxy), (Address("::1", 4002), True))

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
        proxy = self.settings(
            "proxy: {prefix: /gs, services: [{path: /a, backend: 'unix:run/a.sock', "
            "require: admin, strip_path: false}]}"
        ).proxy
        [service] = services_of(proxy)
        self.assertEqual(
            (service.path, service.require, service.strip_path), (b"/a", "admin", False)
        )
        self.assertTrue(service.address.path.endswith("/run/a.sock"))
        self.assertEqual(prefixes_of(proxy).own, "/gs")

    def test_maps_keep_their_order(self) -> None:
        proxy = self.settings("proxy: {session_maps: [b.sqlite, 'sqlite:////srv/a.sqlite']}").proxy
        locations = list(map_locations(proxy).values())
        self.assertTrue(locations[0].endswith("/b.sqlite"))
        self.assertEqual(locations[1], "/srv/a.sqlite")

    def test_a_map_in_a_database_has_its_url_and_another_name(self) -> None:
        url = "postgresql+psycopg2://u:s3cret@h/map"
        proxy = self.settings(f"proxy: {{session_maps: ['{url}']}}").proxy
        self.assertEqual(map_locations(proxy), {"postgresql+psycopg2://u:***@h/map": url})

    def test_the_scheme_is_that_of_galaxy(self) -> None:
        self.assertEqual(scheme_of(self.settings()), b"https")
        self.assertEqual(scheme_of(Settings()), b"http")

    def test_limits_are_handed_on(self) -> None:
        limits = limits_of(self.settings("proxy: {limits: {head: 8K, idle_timeout: 5}}").proxy)
        self.assertEqual((limits.head, limits.idle_timeout, limits.body), (8192, 5, 0))

    def test_processes_are_not_said_to_have_cores_of_their_own(self) -> None:
        profiles = "profiles: [{name: a, image: x, command: [x, '{socket}'], cpus: 2}]"
        spawner = self.settings(
            f"spawner: {{engines: [{{name: a, docker_host: 'process:'}}], {profiles}}}"
        ).spawner
        assert spawner is not None
        self.assertEqual([profile.cpus for profile in spawner_of(spawner).profiles], [0.0])
        docker = replace(spawner, engines=(*spawner.engines, Engine(name="b")))
        self.assertIs(spawner_of(docker), docker)
