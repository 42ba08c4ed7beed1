"""Is the server ready, and is it closed to strangers?"""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.demo.jupyter_config import LabPlace
from giestack.demo.jupyter_probe import LabProbe, OpenToAll
from tests.demo.fakes import Lab

PLACE = LabPlace(4321, "/ep/k/t/", "X-Giestack-Demo-0")


class ProbeTests(SynchronousTestCase):
    def setUp(self):
        self.lab = Lab()
        self.clock = Clock()
        self.probe = LabProbe(self.lab, self.clock)

    def ask(self, mood):
        self.lab.mood = mood
        return Deferred.fromCoroutine(self.probe.ready(PLACE))

    def test_nobody_listens(self):
        self.assertIs(self.successResultOf(self.ask("away")), False)

    def test_lets_nobody_in(self):
        self.assertIs(self.successResultOf(self.ask("closed")), False)

    def test_ready(self):
        self.assertIs(self.successResultOf(self.ask("ready")), True)
        url = "http://127.0.0.1:4321/ep/k/t/api/status"
        self.assertEqual(
            self.lab.asked,
            [(b"GET", url, {b"X-Giestack-Demo-0": [b"/ep/k/t"]}), (b"GET", url, {})],
        )

    def test_lets_everybody_in(self):
        self.failureResultOf(self.ask("open"), OpenToAll)

    def test_no_answer_comes(self):
        ready = self.ask("mute")
        self.clock.advance(4.9)
        self.assertNoResult(ready)
        self.clock.advance(0.2)
        self.assertIs(self.successResultOf(ready), False)
        self.assertEqual(self.clock.getDelayedCalls(), [])
