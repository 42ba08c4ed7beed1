"""What there should be in the pool, and when it is tried again."""

from dataclasses import replace
from typing import Any, cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.settings.spawner_schema import Profile
from giestack.spawner.docker.labels import Names
from giestack.spawner.docker.mounting import Mounting
from giestack.spawner.docker.wishes import Wishes

JUPYTER = Profile(name="jupyter", image="jupyter:1", warm=2)
RSTUDIO = Profile(name="rstudio", image="rstudio:1", warm=1)
COLD = Profile(name="cold", image="cold:1")
HOME = {"home-{user}": "/home/jovyan"}


class WishesTests(SynchronousTestCase):
    why_not = ""

    def setUp(self):
        self.clock = Clock()
        mounting = Mounting(cast(Any, None), self.clock, self.why_not)
        self.wishes = Wishes(self.clock, Names("test"), (), mounting)
        self.said = []
        self.patch(Wishes, "log", self)

    def warn(self, template, **more):
        self.said.append(template.format(**more))

    def due(self):
        return [wish.profile.name for wish in self.wishes.due()]

    def test_profiles_that_want_it(self):
        self.wishes.configure([JUPYTER, COLD, RSTUDIO])
        self.assertEqual(self.due(), ["jupyter", "rstudio"])
        self.assertEqual([wish.profile.warm for wish in self.wishes], [2, 1])
        self.assertIsNone(self.wishes.of("cold"))

    def test_profiles_that_are_gone(self):
        self.wishes.configure([JUPYTER, RSTUDIO])
        self.wishes.configure([replace(JUPYTER, warm=0)])
        self.assertEqual(self.due(), [])

    def test_put_off_longer_and_longer(self):
        self.wishes.configure([JUPYTER, RSTUDIO])
        for pause in (2, 4, 8, 16, 32, 64, 128, 256, 300, 300):
            self.wishes.put_off("jupyter", "The image is missing.")
            self.assertEqual(self.due(), ["rstudio"])
            self.clock.advance(pause - 0.5)
            self.assertEqual(self.due(), ["rstudio"])
            self.clock.advance(0.5)
            self.assertEqual(self.due(), ["jupyter", "rstudio"])
        self.assertIn("The image is missing. It is tried again in 2 s.", self.said[0])

    def test_patience_is_new_after_a_success(self):
        self.wishes.configure([JUPYTER])
        for _ in range(5):
            self.wishes.put_off("jupyter", "no")
        self.wishes.started("jupyter")
        self.wishes.put_off("jupyter", "no")
        self.clock.advance(2)
        self.assertEqual(self.due(), ["jupyter"])

    def test_given_up_until_it_is_configured_differently(self):
        self.wishes.configure([JUPYTER, RSTUDIO])
        self.wishes.give_up("jupyter", "Files are open.")
        self.clock.advance(10_000)
        self.assertEqual(self.due(), ["rstudio"])
        self.wishes.configure([replace(JUPYTER, warm=3, title="x")])
        self.assertEqual(self.due(), [])
        self.wishes.configure([replace(JUPYTER, image="jupyter:2")])
        self.assertEqual(self.due(), ["jupyter"])

    def test_said_once(self):
        for _ in range(3):
            self.wishes.configure([replace(JUPYTER, gpus=1)])
            self.wishes.configure([])
        self.assertEqual(len(self.said), 1)
        self.assertIn("Profile jupyter: nothing is started ahead: ", self.said[0])
        self.assertIn("GPU", self.said[0])

    def test_what_is_put_off_stays_so_when_other_things_change(self):
        self.wishes.configure([JUPYTER])
        self.wishes.put_off("jupyter", "no")
        self.wishes.configure([replace(JUPYTER, warm=5)])
        self.assertEqual(self.due(), [])
        wish = self.wishes.of("jupyter")
        assert wish is not None
        self.assertEqual(wish.profile.warm, 5)

    def test_claims_that_fail_again_and_again(self):
        self.wishes.configure([JUPYTER])
        for well in (False, False, True, False, False):
            self.wishes.claimed("jupyter", well)
            self.assertEqual(self.due(), ["jupyter"])
        self.wishes.claimed("jupyter", False)
        self.assertEqual(self.due(), [])

    def test_profiles_that_nobody_knows_any_more(self):
        self.wishes.put_off("gone", "no")
        self.wishes.started("gone")
        self.wishes.claimed("gone", False)
        self.wishes.give_up("gone", "no")
        self.assertEqual(list(self.wishes), [])

    def test_homes_are_fine_where_they_can_be_mounted(self):
        self.wishes.configure([replace(JUPYTER, volumes=HOME)])
        self.assertEqual(self.due(), ["jupyter"])


class NoMountsTests(WishesTests):
    why_not = "giestack is not run by root"

    def test_homes_are_fine_where_they_can_be_mounted(self):
        self.wishes.configure([replace(JUPYTER, volumes=HOME), RSTUDIO])
        self.assertEqual(self.due(), ["rstudio"])
        self.assertIn(self.why_not, self.said[0])
