"""Images are fetched once for all, with how far they have come."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.docker.errors import DockerError, NotFound, Unreachable
from giestack.docker.pull_progress import Pulled
from giestack.spawner.docker.pulls import REMEMBERED, Pulls
from giestack.spawner.engine import EngineError, Progress

MB = 1024**2
IMAGE = "quay.io/lab:1"


class Images:
    """Images of an engine, which come when a test lets them."""

    def __init__(self):
        self.there: set[str] = set()
        self.pulls: list[tuple[str, Deferred[None]]] = []
        self.cancelled: list[str] = []
        self.heard: dict[str, list] = {}

    async def inspect(self, reference):
        if reference not in self.there:
            raise NotFound("no such image")
        return {}

    async def pull(self, reference, heard):
        pulling: Deferred[None] = Deferred(lambda _: self.cancelled.append(reference))
        self.pulls.append((reference, pulling))
        self.heard.setdefault(reference, []).append(heard)
        await pulling


class PullTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.images = Images()
        self.received: list[int] = []
        self.pulls = Pulls(self.clock, self.images, self.received.append)
        self.told: list[Progress] = []

    def fetch(self, image=IMAGE, told=None):
        told = self.told.append if told is None else told
        return Deferred.fromCoroutine(self.pulls.fetch(image, told))

    def say(self, bytes_, percent, total=100 * MB, image=IMAGE):
        self.images.heard[image][-1](Pulled(bytes_, total, percent))

    def has(self, image=IMAGE):
        return self.successResultOf(Deferred.fromCoroutine(self.pulls.has(image)))

    def test_has(self):
        self.assertFalse(self.has())
        self.images.there.add(IMAGE)
        self.assertTrue(self.has())

    def test_one_pull_for_all(self):
        others: list[Progress] = []
        first, second = self.fetch(), self.fetch(told=others.append)
        self.assertEqual([name for name, _ in self.images.pulls], [IMAGE])
        self.say(10 * MB, 5.0)
        self.assertEqual(self.told, others)
        self.images.pulls[0][1].callback(None)
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual(self.pulls.refused(), {})

    def test_different_images_do_not_wait_for_each_other(self):
        first, second = self.fetch(), self.fetch("other:1")
        self.images.pulls[1][1].callback(None)
        self.assertNoResult(first)
        self.successResultOf(second)
        first.addErrback(lambda _: None).cancel()

    def test_progress(self):
        self.fetch()
        self.say(25 * MB, 12.5)
        begin, quarter = self.told
        self.assertEqual((begin.step, begin.percent), ("pulling", None))
        self.assertIn(IMAGE, begin.message)
        self.assertIn("25 MB of 100 MB", quarter.message)
        self.assertEqual((quarter.percent, quarter.eta), (12.5, None))
        self.clock.advance(10)
        self.say(50 * MB, 25.0)
        self.assertEqual((self.told[-1].percent, self.told[-1].eta), (25.0, 60.0))
        self.assertEqual(self.received, [25 * MB, 25 * MB])

    def test_speed_of_late(self):
        self.fetch()
        for percent in (0.0, 50.0):
            self.say(0, percent)
            self.clock.advance(20)
        self.say(0, 51.0)
        # Nothing is known of the last seconds.
        self.assertIsNone(self.told[-1].eta)
        self.clock.advance(5)
        self.say(0, 56.0)
        self.assertEqual(self.told[-1].eta, 44.0)
        self.clock.advance(5)
        self.say(0, None)
        self.assertIsNone(self.told[-1].eta)

    def test_size_is_not_known_yet(self):
        self.fetch()
        self.say(0, None, total=0)
        self.assertIn("asking its registry", self.told[-1].message)

    def test_many_messages(self):
        """Docker tells of each layer ten times a second, and each is told to many."""
        self.fetch()
        for number in range(100):
            self.say(number * MB, number / 2)
            self.clock.advance(0.01)
        self.assertLess(len(self.told), 8)
        self.assertEqual(sum(self.received), 99 * MB)

    def test_who_comes_later_hears_at_once(self):
        self.fetch()
        self.say(25 * MB, 12.5)
        later: list[Progress] = []
        self.fetch(told=later.append)
        self.assertEqual([one.percent for one in later], [12.5])

    def test_one_leaves(self):
        first, second = self.fetch(), self.fetch(told=lambda progress: None)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.say(25 * MB, 12.5)
        self.assertEqual(len(self.told), 1)
        self.assertEqual(self.images.cancelled, [])
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.assertEqual(self.images.cancelled, [IMAGE])

    def test_anew_after_all_have_left(self):
        self.fetch().addErrback(lambda _: None).cancel()
        again = self.fetch()
        self.images.pulls[1][1].callback(None)
        self.successResultOf(again)
        self.assertEqual(self.pulls.refused(), {})

    def test_refused(self):
        first, second = self.fetch(), self.fetch()
        self.images.pulls[0][1].errback(DockerError(500, "manifest unknown"))
        for each in (first, second):
            error = self.failureResultOf(each, EngineError).value
            self.assertEqual(str(error), f"The image {IMAGE} cannot be fetched: manifest unknown.")
        self.assertEqual(list(self.pulls.refused()), [IMAGE])
        self.assertIn("manifest unknown", self.pulls.refused()[IMAGE])
        again = self.fetch()
        self.images.pulls[1][1].callback(None)
        self.successResultOf(again)
        self.assertEqual(self.pulls.refused(), {})

    def test_an_engine_that_went_away_is_no_refusal(self):
        pulling = self.fetch()
        self.images.pulls[0][1].errback(Unreachable("the engine closed the connection"))
        self.assertIn("closed", str(self.failureResultOf(pulling, EngineError).value))
        self.assertEqual(self.pulls.refused(), {})

    def test_refusals_are_forgotten(self):
        refused = self.fetch()
        self.images.pulls[0][1].errback(DockerError(500, "manifest unknown"))
        self.failureResultOf(refused, EngineError)
        self.clock.advance(REMEMBERED)
        self.assertEqual(list(self.pulls.refused()), [IMAGE])
        self.clock.advance(1)
        self.assertEqual(self.pulls.refused(), {})
