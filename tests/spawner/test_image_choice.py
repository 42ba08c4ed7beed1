"""The image that a link names."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.settings.spawner_schema import Profile
from giestack.spawner.image_choice import images_of, with_image
from giestack.spawner.view import SpawnRefused

ONE = Profile(name="lab", title="JupyterLab", image="quay.io/site/lab@sha256:0a")
VERSIONS = Profile(
    name="lab",
    title="JupyterLab",
    image="quay.io/site/lab:{options.version}",
    options={
        "version": {"choices": {"17.09": "old", "24.07": "new"}, "default": "24.07"},
        "rows": {"type": "integer"},
    },
)
WHOLE = Profile(
    name="lab",
    image="{options.image}",
    options={"image": {"choices": ["busybox:1", "quay.io/site/lab:2"]}},
)
BOTH = Profile(
    name="lab",
    image="{options.repository}:{options.version}",
    options={"repository": {"choices": ["a", "b"]}, "version": {"choices": ["1", "2"]}},
)


class ImageTests(SynchronousTestCase):
    def refused(self, profile: Profile, image: str, **options: object) -> str:
        refused = self.assertRaises(SpawnRefused, with_image, profile, image, options)
        self.assertEqual(
            (refused.status, refused.code, refused.field), (422, "bad-options", "image")
        )
        return str(refused)

    def test_a_profile_with_one_image(self) -> None:
        self.assertEqual(images_of(ONE), {ONE.image: {}})
        self.assertEqual(with_image(ONE, ONE.image, {"rows": 5}), {"rows": 5})
        self.assertIn(f"must be {ONE.image}.", self.refused(ONE, "evil"))

    def test_a_version(self) -> None:
        for image in ("quay.io/site/lab:17.09", "17.09"):
            self.assertEqual(
                with_image(VERSIONS, image, {"rows": 5}), {"version": "17.09", "rows": 5}
            )
        self.assertEqual(
            self.refused(VERSIONS, "18"),
            "The image of JupyterLab must be one of: "
            "quay.io/site/lab:17.09, quay.io/site/lab:24.07.",
        )

    def test_a_whole_image_that_is_a_choice(self) -> None:
        self.assertEqual(with_image(WHOLE, "busybox:1", {}), {"image": "busybox:1"})

    def test_several_options_together(self) -> None:
        self.assertEqual(list(images_of(BOTH)), ["a:1", "a:2", "b:1", "b:2"])
        self.assertEqual(with_image(BOTH, "b:1", {}), {"repository": "b", "version": "1"})
        self.refused(BOTH, "b")

    def test_nothing_like_it_is_another_one(self) -> None:
        for image in (
            "quay.io/site/lab", "quay.io/site/lab:17.09 ", "QUAY.IO/site/lab:17.09", "lab:17.09",
            "quay.io/site/lab:{options.version}", "{options.version}", "quay.io/site/lab:17.09@x",
            "rows", "5", "",
        ):  # fmt: skip
            self.refused(VERSIONS, image)

    def test_options_that_say_something_else(self) -> None:
        self.assertEqual(with_image(VERSIONS, "17.09", {"version": "17.09"}), {"version": "17.09"})
        self.assertIn("“version”", self.refused(VERSIONS, "17.09", version="24.07"))

    def test_an_option_that_is_called_like_something_else(self) -> None:
        odd = Profile(name="lab", image="lab:{user}", options={"user": {"choices": ["a", "b"]}})
        self.assertEqual(images_of(odd), {"lab:{user}": {}})

    def test_a_process_has_none(self) -> None:
        self.assertEqual(
            self.refused(Profile(name="lab"), "busybox"), "lab has no image to choose."
        )
        self.refused(Profile(name="lab"), "")

    def test_not_all_of_very_many_are_named(self) -> None:
        many = {"version": {"choices": [str(number) for number in range(50)]}}
        profile = Profile(name="lab", image="lab:{options.version}", options=many)
        text = self.refused(profile, "evil")
        self.assertIn("lab:19, …", text)
        self.assertNotIn("lab:20", text)
