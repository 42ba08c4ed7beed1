"""What people are offered, and what they are told where there is no engine for it."""

from dataclasses import replace

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.settings.spawner_schema import Engine as EngineSettings
from giestack.spawner.catalogue import Catalogue
from giestack.spawner.engine import Room
from giestack.spawner.view import SpawnRefused
from tests.spawner.fake_engine import FakeEngine
from tests.spawner.world import ADMIN, ALICE, JUPYTER, SETTINGS


class CatalogueTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.one = FakeEngine(Clock(), "one", "no isolation")
        self.two = FakeEngine(Clock(), "two", "slow")
        self.catalogue = Catalogue([self.one, self.two])
        self.catalogue.configure(SETTINGS)

    def test_by_who_asks(self) -> None:
        self.assertEqual([p.name for p in self.catalogue.of(ALICE)], ["jupyter", "rstudio"])
        self.assertEqual(self.catalogue.of(ADMIN), self.catalogue.all())
        self.assertIsNone(self.catalogue.offered(ALICE, "secret"))
        self.assertIsNotNone(self.catalogue.offered(ADMIN, "secret"))

    def test_engines_are_told(self) -> None:
        self.assertEqual(self.two.profiles, self.catalogue.all())
        self.assertEqual({p.title for p in self.two.profiles}, {"JupyterLab", "rstudio", "Secret"})

    def test_notes(self) -> None:
        self.assertEqual(self.catalogue.note(JUPYTER), "")
        self.catalogue.configure(
            replace(SETTINGS, engines=(EngineSettings(name="two", drain=True),))
        )
        self.assertEqual(self.catalogue.note(JUPYTER), "no isolation")

    def test_open_as_long_as_one_engine_is_able(self) -> None:
        self.one.trouble = "gone"
        self.assertEqual(self.catalogue.able(), [self.two])
        self.catalogue.check_open(JUPYTER)
        self.two.trouble = "gone as well"
        self.assertEqual(self.catalogue.closed(JUPYTER), "gone")
        refused = self.assertRaises(SpawnRefused, self.catalogue.check_open, JUPYTER)
        self.assertEqual((refused.status, refused.code), (503, "no-engine"))

    def test_too_large_for_all(self) -> None:
        self.one.room, self.two.room = Room(1024), Room(None)
        self.assertEqual(self.catalogue.closed(JUPYTER), "")
        self.two.trouble = "gone"
        self.assertIn("memory", self.catalogue.closed(JUPYTER))
        self.assertIn("GPUs", self.catalogue.closed(replace(JUPYTER, gpus=1)))

    def test_all_draining(self) -> None:
        engines = (EngineSettings(name="one", drain=True), EngineSettings(name="two", drain=True))
        self.catalogue.configure(replace(SETTINGS, engines=engines))
        self.assertEqual(self.catalogue.closed(JUPYTER), "All engines are draining.")
        self.assertEqual(self.catalogue.note(JUPYTER), "")
