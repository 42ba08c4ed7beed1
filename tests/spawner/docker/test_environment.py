from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.docker.environment import environment_of, slot_environment
from giestack.spawner.engine import Circumstances, EngineError

from .launches import ALICE, LAUNCH, PROFILE

PLACE = {
    "PROXY_PREFIX": "/giestack/session/0a1b2c",
    "EP_PATH": "/giestack/session/0a1b2c",
    "GALAXY_URL": "https://galaxy.example.org/",
    "GALAXY_WEB_PORT": "443",
}


class EnvironmentTests(SynchronousTestCase):
    def test_galaxys_names(self) -> None:
        self.assertEqual(
            environment_of(LAUNCH),
            PLACE
            | {
                "HISTORY_ID": "ba03619785539f8c",
                "API_KEY": "key-of-alice",
                "REMOTE_HOST": "192.0.2.7",
                "CORS_ORIGIN": "https://front.example.org",
                "USER_EMAIL": 'a"$(id)"@x',
                "HOOK": "hooked-value",
            },
        )

    def test_what_is_not_known_is_left_out(self) -> None:
        launch = replace(
            LAUNCH,
            owner=replace(ALICE, email=""),
            base_url="/",
            galaxy_url="",
            api_key="",
            env={},
            circumstances=Circumstances(),
        )
        self.assertEqual(environment_of(launch), {})

    def test_galaxys_port(self) -> None:
        for url, port in (
            ("http://g/", "80"),
            ("http://g:8080/galaxy/", "8080"),
            ("https://[::1]:8443/", "8443"),
            ("gopher://g/", None),
            ("http://g:port/", None),
        ):
            found = environment_of(replace(LAUNCH, galaxy_url=url))
            self.assertEqual(found.get("GALAXY_WEB_PORT"), port, url)

    def test_the_profile_has_its_way_and_hooks_the_last_word(self) -> None:
        profile = replace(
            PROFILE, env={"USER_EMAIL": "<{email}>", "WHO": "{user} {options.rows}", "HOOK": "no"}
        )
        found = environment_of(replace(LAUNCH, profile=profile))
        self.assertEqual(found["USER_EMAIL"], '<a"$(id)"@x>')
        self.assertEqual(found["WHO"], "galaxy-12 7")
        self.assertEqual(found["HOOK"], "hooked-value")

    def test_a_program_is_told_its_own_port(self) -> None:
        profile = replace(PROFILE, env={"PORT": "{port}"}, port=8787)
        self.assertEqual(environment_of(replace(LAUNCH, profile=profile))["PORT"], "8787")

    def test_where_secrets_are(self) -> None:
        launch = replace(LAUNCH, profile=replace(PROFILE, secrets={"TOKEN": "secret-value"}))
        self.assertEqual(environment_of(launch)["GIESTACK_SECRETS"], "/run/secrets")
        self.assertNotIn("secret-value", str(environment_of(launch)))

    def test_secrets_are_in_it_only_where_the_profile_says_so(self) -> None:
        profile = replace(
            PROFILE,
            secrets={"db.Key": "hidden-text", "other": "never-seen"},
            env={"DB": "key={secrets.db.Key}", "NO": "{secrets.none}"},
        )
        found = environment_of(replace(LAUNCH, profile=profile))
        self.assertEqual((found["DB"], found["NO"]), ("key=hidden-text", "{secrets.none}"))
        self.assertNotIn("never-seen", "".join(found.values()))
        slot = slot_environment(replace(LAUNCH, profile=profile))
        self.assertNotIn("hidden-text", "".join(slot.values()))
        self.assertNotIn("DB", slot)

    def test_what_cannot_be_passed_on_is_refused_without_being_told(self) -> None:
        for email in ("a\0b", "a\ud800b"):
            launch = replace(LAUNCH, owner=replace(ALICE, email=email))
            error = self.assertRaises(EngineError, environment_of, launch)
            self.assertIn("USER_EMAIL", str(error))
            self.assertNotIn(email, str(error))


class SlotTests(SynchronousTestCase):
    def test_a_slot_knows_its_place_and_nobody(self) -> None:
        profile = replace(
            PROFILE,
            env={"BASE": "{base_url}", "WHO": "{user}", "THEME": "{options.theme}", "A": "b"},
            secrets={"TOKEN": "secret-value"},
        )
        self.assertEqual(
            slot_environment(replace(LAUNCH, profile=profile)),
            PLACE
            | {"BASE": "/giestack/session/0a1b2c/", "A": "b", "GIESTACK_SECRETS": "/run/secrets"},
        )
