"""What is started for nobody, and what it can become."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from giestack.settings.spawner_schema import Profile, Readiness
from giestack.spawner.docker.labels import Names
from giestack.spawner.docker.slots import (
    personal_mounts,
    shape_of,
    slot_launch,
    slot_mounts,
    substance_of,
    why_cold,
)
from giestack.spawner.docker.volume_names import Mount
from giestack.spawner.engine import EngineError, Launch
from giestack.spawner.owner import Owner

NAMES = Names("test")
ALICE = Owner("galaxy", 12, "f2db41e1fa331b3e", "alice", "alice@example.org")
PROFILE = Profile(name="jupyter", image="jupyter:1", warm=2)


def profile(**more):
    return replace(PROFILE, **more)


def launch(of=PROFILE, session_id="s1", **more):
    more.setdefault("owner", ALICE)
    more.setdefault("base_url", f"/giestack/session/{session_id}/")
    return Launch(session_id=session_id, profile=of, name="mine", **more)


def mounted(volumes, which=slot_mounts, **more):
    return which(launch(profile(volumes=volumes), **more), names=NAMES)


class SlotLaunchTests(SynchronousTestCase):
    def test_it_is_nobodys(self):
        found = slot_launch(PROFILE, "abc", "/giestack/session/abc/", "https://galaxy/")
        self.assertEqual(found.session_id, "abc")
        self.assertEqual(found.base_url, "/giestack/session/abc/")
        self.assertEqual(found.galaxy_url, "https://galaxy/")
        self.assertEqual((found.owner.email, found.owner.username), ("", None))
        self.assertEqual((found.api_key, dict(found.env)), ("", {}))

    def test_options_are_as_nobody_has_chosen(self):
        options = {
            "theme": {"choices": ["light", "dark"], "default": "dark"},
            "rows": {"type": "integer", "default": 7},
        }
        found = slot_launch(profile(options=options), "abc", "/")
        self.assertEqual(found.options, {"theme": "dark", "rows": 7})


class MountTests(SynchronousTestCase):
    def test_a_volume_of_nobodys_is_where_a_persons_will_be(self):
        self.assertEqual(
            mounted({"home-{user}": "/home/jovyan"}), [Mount("", "/home/jovyan", False, True)]
        )

    def test_it_has_no_name(self):
        (mount,) = mounted({"home-{user}": "/home/jovyan"})
        described = mount.described()
        self.assertEqual((described["Type"], described["Source"]), ("volume", ""))

    def test_so_it_is_for_folders_and_for_what_can_only_be_read(self):
        volumes = {"/srv/homes/{user}": "/home/jovyan", "data-{user_id}": "/data:ro"}
        self.assertEqual(
            mounted(volumes), [Mount("", "/home/jovyan"), Mount("", "/data", False, True)]
        )

    def test_what_hangs_on_a_choice_is_a_persons_too(self):
        volumes = {"data-{options.set}": "/data:ro"}
        self.assertEqual(mounted(volumes, options={"set": "x"}), [Mount("", "/data")])

    def test_what_is_everybodys_is_there_from_the_beginning(self):
        volumes = {"/srv/data": "/data:ro", "shared": "/shared", "scratch-{session_id}": "/scratch"}
        self.assertEqual(
            mounted(volumes),
            [
                Mount("/srv/data", "/data", True),
                Mount("shared", "/shared"),
                Mount("scratch-s1", "/scratch"),
            ],
        )
        self.assertEqual(mounted(volumes, personal_mounts), [])

    def test_a_persons_own(self):
        volumes = {"shared": "/shared", "home-{user}": "/home/jovyan", "more-{user}": "/more:ro"}
        self.assertEqual(
            mounted(volumes, personal_mounts),
            [Mount("home-galaxy-12", "/home/jovyan"), Mount("more-galaxy-12", "/more", True)],
        )

    def test_no_volume_that_must_not_be(self):
        self.assertRaises(EngineError, mounted, {"/": "/host"})
        self.assertRaises(EngineError, mounted, {"/proc/{user}": "/data"}, personal_mounts)


class ShapeTests(SynchronousTestCase):
    def same(self, one, other):
        return shape_of(one, names=NAMES) == shape_of(other, names=NAMES)

    def test_of_a_slot_and_its_session(self):
        wanted = profile(
            command=("lab", "--base={base_url}"),
            env={"EMAIL": "{email}"},
            secrets={"TOKEN": "x"},
            volumes={"home-{user}": "/home/jovyan"},
        )
        slot = slot_launch(wanted, "s1", "/giestack/session/s1/")
        self.assertTrue(self.same(slot, launch(wanted, env={"HOOK": "1"}, api_key="k")))

    def test_choices_that_only_change_variables_do_not_matter(self):
        wanted = profile(env={"ROWS": "{options.rows}"})
        self.assertTrue(
            self.same(launch(wanted, options={"rows": 1}), launch(wanted, options={"rows": 2}))
        )

    def test_choices_that_change_the_command_or_the_image_do(self):
        for wanted in (
            profile(command=("lab", "{options.x}")),
            profile(image="jupyter:{options.x}"),
            profile(volumes={"data": "/{options.x}"}),
        ):
            one, other = launch(wanted, options={"x": "a"}), launch(wanted, options={"x": "b"})
            self.assertTrue(self.same(one, one))
            self.assertFalse(self.same(one, other))

    def test_all_that_a_container_can_not_change_matters(self):
        for change in (
            {"image": "jupyter:2"},
            {"port": 1},
            {"user": "1000"},
            {"memory": 1024**3},
            {"cpus": 2.0},
            {"pids": 1},
            {"shm_size": 1},
            {"cap_add": ("CHOWN",)},
            {"read_only": True},
            {"tmpfs": ("/scratch",)},
            {"network": "other"},
            {"volumes": {"home-{user}": "/home"}},
        ):
            self.assertFalse(self.same(launch(), launch(profile(**change))), change)

    def test_how_a_home_is_mounted_matters(self):
        homes = [
            {"home-{user}": "/home"},
            {"home-{user}": "/home:ro"},
            {"/srv/{user}": "/home"},
        ]
        shapes = [shape_of(launch(profile(volumes=one)), names=NAMES) for one in homes]
        for one in shapes:
            self.assertEqual([one == other for other in shapes].count(True), 1)


class SubstanceTests(SynchronousTestCase):
    def of(self, **more):
        return substance_of(profile(**more), names=NAMES)

    def test_what_slots_do_not_show_does_not_matter(self):
        self.assertEqual(
            self.of(secrets={"A": "2"}),
            self.of(title="x", idle_timeout=7, warm=9, secrets={"A": "1"}, headers={"X": "{user}"}),
        )
        self.assertEqual(self.of(), self.of(env={"WHO": "{user}"}))

    def test_what_they_show_does(self):
        for change in (
            {"image": "x:2"},
            {"env": {"A": "1"}},
            {"readiness": Readiness(path="/other")},
            {"scheme": "https"},
        ):
            self.assertNotEqual(self.of(), self.of(**change))

    def test_there_is_none_of_what_can_not_be_started(self):
        self.assertIsNone(self.of(cap_add=("NO SUCH",)))


class WhyColdTests(SynchronousTestCase):
    def why(self, mounting="", **more):
        return why_cold(profile(**more), names=NAMES, hidden=(), mounting=mounting)

    def test_most_can_be_warm(self):
        self.assertEqual(self.why(), "")
        volumes = {"home-{user}": "/home/jovyan", "/srv/data": "/data:ro"}
        self.assertEqual(self.why(volumes=volumes, tmpfs=("/tmp:size=1m",)), "")
        self.assertEqual(self.why(command=("{base_url}", "{options.x}", "{port}")), "")

    def test_homes_want_mounts(self):
        reason = "giestack is not run by root"
        self.assertIn(reason, self.why(reason, volumes={"home-{user}": "/home"}))
        self.assertEqual(self.why(reason, volumes={"shared": "/home"}), "")

    def test_gpus_are_not_kept_from_others(self):
        self.assertIn("GPU", self.why(gpus=1))

    def test_a_person_in_what_can_not_be_changed(self):
        for change in (
            {"command": ("lab", "--user={username}")},
            {"image": "jupyter:{user}"},
            {"volumes": {"home": "/home/{user}"}},
        ):
            self.assertIn("{user", self.why(**change), change)

    def test_what_can_not_be_started_at_all(self):
        self.assertIn("can't be used", self.why(volumes={"/": "/host"}))
        self.assertIn("cap_add", self.why(cap_add=("NO SUCH",)))

    def test_mounts_within_a_home(self):
        home = {"home-{user}": "/home/jovyan"}
        self.assertIn("/home/jovyan", self.why(volumes={**home, "data": "/home/jovyan/data"}))
        self.assertIn("/home/jovyan", self.why(volumes=home, tmpfs=("/home/jovyan/tmp:size=1m",)))
        self.assertEqual(self.why(volumes={**home, "data": "/home/jovyan2"}), "")

    def test_a_home_within_another_mount(self):
        self.assertEqual(self.why(volumes={"all": "/home", "home-{user}": "/home/jovyan"}), "")
