"""What the doctor knows of a deployment."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.doctor.asking import Place
from giestack.doctor.deployment import is_on, option, password_in, place_of, place_of_url
from giestack.probe import HEADER, is_pass, key_of
from giestack.settings.galaxy_defaults import GALAXYS_ID_SECRET
from tests.doctor.deployments import NOW, SECRET, deployment

ALL = f"""
secret: of-sixteen-or-more
galaxy:
  id_secret: {SECRET}
  database_connection: postgresql://u:pass-word-1@h/galaxy
proxy: {{listen: []}}
admin: {{token: token-of-the-admin}}
chat: {{database: "postgresql://u:pass-word-2@h/chat"}}
spawner:
  profiles: [{{name: a, image: b, secrets: {{key: profile-secret}}}}]
"""


class DeploymentTests(SynchronousTestCase):
    def test_all_secrets_are_known(self) -> None:
        known = set(deployment(ALL, cookie="c" * 80).secrets())
        self.assertLessEqual(
            {
                "of-sixteen-or-more",
                SECRET,
                "pass-word-1",
                "pass-word-2",
                "token-of-the-admin",
                "profile-secret",
                "c" * 80,
            },
            known,
        )

    def test_none_of_them_is_in_its_repr(self) -> None:
        shown = repr(deployment(ALL, cookie="c" * 80, environ={"A": "secret-of-a"}))
        for secret in ("sixteen", SECRET, "pass-word", "profile-secret", "cccc", "secret-of-a"):
            self.assertNotIn(secret, shown)

    def test_the_secret_signs_passes(self) -> None:
        for text, secret in (
            (ALL, "of-sixteen-or-more"),
            (f"galaxy: {{id_secret: {SECRET}}}", SECRET),
        ):
            fields = deployment(text).pass_header()
            self.assertTrue(is_pass(key_of(secret), fields[HEADER.decode()].encode(), NOW))
        self.assertIsNone(deployment().key)
        # Whoever likes could make passes with the one that everybody knows.
        self.assertIsNone(deployment(f"galaxy: {{id_secret: {GALAXYS_ID_SECRET}}}").key)

    def test_passwords(self) -> None:
        self.assertEqual(password_in("postgresql://u:p@h/d"), "p")
        for url in (None, "sqlite:////a", "postgresql://u@h/d", "nonsense"):
            self.assertIsNone(password_in(url))


class PlaceTests(SynchronousTestCase):
    def test_listeners(self) -> None:
        for endpoint, place in (
            ("tcp:8800", Place("127.0.0.1", 8800)),
            ("tcp:8800:interface=10.0.0.1", Place("10.0.0.1", 8800)),
            ("tcp:8800:interface=\\:\\:", Place("::1", 8800)),
            ("ssl:443:privateKey=k", Place("127.0.0.1", 443, tls=True)),
            ("tls:/live:443", Place("127.0.0.1", 443, tls=True)),
            ("unix:/run/s", Place(path="/run/s")),
            ("systemd:domain=INET:index=0", None),
        ):
            self.assertEqual(place_of(endpoint), place)

    def test_urls(self) -> None:
        self.assertEqual(place_of_url("https://h/x"), Place("h", 443, tls=True))
        self.assertEqual(place_of_url("http://h:81/"), Place("h", 81))


class OptionTests(SynchronousTestCase):
    def test_of_galaxys_file(self) -> None:
        one = deployment(galaxy="galaxy: {a: ' b ', c: }")
        self.assertEqual(option(one, "a"), "b")
        self.assertIsNone(option(one, "c"))
        self.assertIsNone(option(one, "d"))
        self.assertIsNone(option(deployment(), "a"))

    def test_what_is_true(self) -> None:
        self.assertEqual(
            [is_on(text) for text in ("True", "on", "no", None)], [True, True, False, False]
        )
