import re
from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.docker.volume_names import (
    BadVolume,
    Mount,
    check_volume,
    escaped,
    lies_in,
    mounts_of,
    secrets_mount,
)
from giestack.spawner.engine import EngineError
from giestack.spawner.owner import Owner

from .launches import ALICE, LAUNCH, NAMES, PROFILE, TEXTS

# As Docker's own errors have it.
DOCKERS = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")


class EscapedTests(SynchronousTestCase):
    def test_plain_words_stay(self) -> None:
        self.assertEqual(escaped("f2db41e1fa331b3e"), "f2db41e1fa331b3e")
        self.assertEqual(escaped("Alice12"), "Alice12")

    def test_everything_else_is_written_out(self) -> None:
        for text, expected in (
            ("", "X"),
            ("X", "X58"),
            ("a-b", "aX2db"),
            ("../..", "X2eX2eX2fX2eX2e"),
            ("ä", "Xc3Xa4"),
            ("X58", "X5858"),
        ):
            self.assertEqual(escaped(text), expected)

    @settings(deadline=None)
    @given(TEXTS, TEXTS)
    def test_different_texts_stay_different(self, one: str, other: str) -> None:
        assume(one != other)
        self.assertNotEqual(escaped(one), escaped(other))

    @settings(deadline=None)
    @given(st.lists(TEXTS, min_size=2, max_size=2), st.lists(TEXTS, min_size=2, max_size=2))
    def test_parts_cannot_be_taken_for_others(self, ones: list[str], others: list[str]) -> None:
        assume(ones != others)
        for mark in "-_./":
            self.assertNotEqual(mark.join(map(escaped, ones)), mark.join(map(escaped, others)))

    @settings(deadline=None)
    @given(TEXTS)
    def test_it_is_always_a_name_of_a_volume(self, text: str) -> None:
        self.assertTrue(DOCKERS.fullmatch(f"home-{escaped(text)}"))
        self.assertTrue(DOCKERS.fullmatch(f"{escaped(text)}-home"))
        self.assertNotIn("/", escaped(text))


class MountTests(SynchronousTestCase):
    def test_volumes_and_folders_are_described(self) -> None:
        self.assertEqual(
            Mount("home", "/home").described(),
            {"Type": "volume", "Source": "home", "Target": "/home", "ReadOnly": False},
        )
        self.assertEqual(
            Mount("/srv", "/data", read_only=True).described(),
            {"Type": "bind", "Source": "/srv", "Target": "/data", "ReadOnly": True},
        )

    def test_secrets_are_not_filled_from_the_image(self) -> None:
        mount = secrets_mount(NAMES, "0a1b")
        self.assertEqual((mount.source, mount.target), ("giestack-test-0a1b", "/run/secrets"))
        self.assertEqual(mount.described()["VolumeOptions"], {"NoCopy": True})


class MountsTests(SynchronousTestCase):
    def mounted(self, volumes: dict[str, str], owner: Owner = ALICE) -> list[Mount]:
        launch = replace(LAUNCH, owner=owner, profile=replace(PROFILE, volumes=volumes))
        return mounts_of(launch, names=NAMES, hidden=("/opt/giestack/var", "/tmp/d.sock"))

    def refused(self, volumes: dict[str, str]) -> str:
        return str(self.assertRaises(EngineError, self.mounted, volumes))

    def test_volumes_and_folders(self) -> None:
        self.assertEqual(
            self.mounted(
                {
                    "home-{user}": "/home/jovyan",
                    "/srv/data": "/data:ro",
                    "{user_id}.{session_id}": "/scratch/:rw",
                    "/srv/homes/{user}": "/srv/{username}",
                }
            ),
            [
                Mount("home-galaxy-12", "/home/jovyan"),
                Mount("/srv/data", "/data", read_only=True),
                Mount("f2db41e1fa331b3e.0a1b2c", "/scratch"),
                Mount("/srv/homes/galaxy-12", "/srv/alice"),
            ],
        )

    def test_choices_are_escaped(self) -> None:
        launch = replace(
            LAUNCH,
            options={"theme": "../etc", "rows": 7},
            profile=replace(
                PROFILE, volumes={"/srv/{options.theme}": "/a", "v-{options.rows}": "/b"}
            ),
        )
        self.assertEqual(
            [mount.source for mount in mounts_of(launch, names=NAMES)],
            ["/srv/X2eX2eX2fetc", "v-7"],
        )

    def test_names_that_change_hands_are_no_names_of_volumes(self) -> None:
        for name in ("username", "email", "base_url", "galaxy_url", "port"):
            self.assertIn("must be the name of a volume", self.refused({f"a-{{{name}}}": "/a"}))

    def test_an_odd_user_is_escaped_too(self) -> None:
        odd = replace(ALICE, user_id=-7, encoded_id="../x")
        self.assertEqual(
            [mount.source for mount in self.mounted({"a-{user}": "/a", "b-{user_id}": "/b"}, odd)],
            ["a-galaxyX2dX2d7", "b-X2eX2eX2fx"],
        )

    def test_what_no_session_may_see(self) -> None:
        for source in (
            *("/", "/proc", "/proc/1", "/sys", "/dev", "/dev/shm", "/etc", "/etc/ssl", "/run"),
            *("/var/run", "/var/run/docker.sock", "/run/docker.sock", "/var", "/var/lib"),
            *("/var/lib/docker", "/var/lib/docker/volumes", "/tmp/d.sock", "/tmp", "/opt"),
            *("/opt/giestack", "/opt/giestack/var", "/opt/giestack/var/homes/galaxy-12"),
        ):
            self.assertRegex(
                self.refused({source: "/a"}), "which no session may see|is all of the host"
            )

    def test_what_is_no_source(self) -> None:
        for source in (
            *("", "a", ".a", "-a", "a b", "a:b", "a/b", "./a", "../a", "ä", "a" * 201, "a\n"),
            *("/a/../b", "/a//b", "/a/", "//a", "/./a", "/a\nb", "~/a", "a-{other}"),
        ):
            self.assertIn("must be", self.refused({source: "/a"}), source)

    def test_giestacks_own_volumes_are_not_for_profiles(self) -> None:
        self.assertIn("giestack's own", self.refused({"giestack-test-0a1b2c": "/a"}))
        self.assertEqual(self.mounted({"giestack-tests": "/a"}), [Mount("giestack-tests", "/a")])

    def test_what_is_no_target(self) -> None:
        for target in (
            *(
                "",
                "a",
                ":ro",
                "/a:b",
                "/a:/b",
                "/a:rx",
                "/a/../b",
                "/a/.",
                "/",
                "//",
                "/a\n",
                "/:ro",
            ),
            *("/proc", "/proc/x", "/sys", "/run", "/run/secrets", "/run/secrets/x", "/var/run"),
            "/dev",
        ):
            self.assertIn("The volume v1 of this profile", self.refused({"v1": target}), target)

    def test_one_place_is_for_one_volume(self) -> None:
        self.assertIn("two volumes want to be at /a", self.refused({"v1": "/a", "v2": "/a/:ro"}))

    def test_a_hostile_name_is_just_text(self) -> None:
        launch = replace(
            LAUNCH,
            owner=replace(ALICE, username="../../run/secrets"),
            profile=replace(PROFILE, volumes={"v1": "/home/{username}"}),
        )
        self.assertRaises(EngineError, mounts_of, launch, names=NAMES)


class CheckTests(SynchronousTestCase):
    def refused(self, source: str, target: str = "/a", *choices: str) -> str:
        error = self.assertRaises(
            BadVolume, check_volume, source, target, choices=choices, hidden=("/srv/giestack",)
        )
        return str(error)

    def test_what_is_right(self) -> None:
        for source in ("home-{user}", "/srv/homes/{user}", "{user_id}-{options.a}", "{session_id}"):
            check_volume(source, "/home/{username}", choices=("a",))

    def test_names_that_change_hands(self) -> None:
        for name in ("username", "email"):
            self.assertIn("use {user}", self.refused(f"home-{{{name}}}"))

    def test_what_people_write_is_no_name(self) -> None:
        self.assertIn("only options with choices", self.refused("a-{options.b}", "/a", "c"))
        self.assertIn("{session_id}, {user}, {user_id}", self.refused("a-{base_url}"))

    def test_numbers_cannot_run_into_what_follows(self) -> None:
        for source in ("{user}0", "{user}{options.a}", "a{user}b", "/srv/{user}x"):
            self.assertIn("behind each }", self.refused(source, "/a", "a"))

    def test_what_it_could_be_counts(self) -> None:
        for source in ("/{user}", "/{options.a}/x", "/srv/{user}", "/var/{options.a}"):
            self.assertIn("which no session may see", self.refused(source, "/a", "a"))

    def test_targets(self) -> None:
        self.assertIn("absolute path in the container", self.refused("v1", "data"))


class LiesInTests(SynchronousTestCase):
    def test_paths(self) -> None:
        for inner, outer, expected in (
            ("/a", "/a", True),
            ("/a/b", "/a", True),
            ("/a", "/a/b", False),
            ("/ab", "/a", False),
            ("/a", "/", True),
            ("/a/{user}/b", "/a/{user}", True),
            ("/a/x/b", "/a/{user}", True),
            ("/b/x", "/a/{user}", False),
        ):
            self.assertEqual(lies_in(inner, outer), expected, (inner, outer))
