"""Sessions are removed by their labels, however long that takes."""

from twisted.internet import reactor  # noqa: TID251 - the fake engine is behind a socket
from twisted.internet.defer import CancelledError, gatherResults
from twisted.internet.task import Clock, deferLater

from giestack.spawner.docker.removing import Removing
from tests.docker.fake_http import answers, done_late
from tests.docker.fake_programs import IMAGE
from tests.neighbours.program import allowed
from tests.spawner.docker.fake_case import NAMES, FakeCase, container_of


class RemovingTests(FakeCase):
    def removing(self, clock=reactor):
        docker = self.docker()
        return Removing(clock, docker.containers, docker.volumes, NAMES)

    async def have(self, what="mute", session_id="s1", *, start=True, kind="session"):
        docker = self.docker()
        body = {
            "Image": IMAGE,
            "Cmd": ["program", what],
            "Labels": NAMES.labels(kind, session_id),
            "HostConfig": {"Init": True},
        }
        container = await docker.containers.create(container_of(session_id), body)
        if start:
            await docker.containers.start(container)
        labels = NAMES.labels("secrets", session_id)
        await docker.volumes.create(NAMES.secrets(session_id), labels=labels)
        return container

    def killed(self):
        return self.fake.kinds().count("container kill")

    async def test_all_that_belongs_to_it(self):
        for state in (True, False):
            await self.have(start=state)
            await self.have(session_id="s2", start=state)
            await self.removing().remove("s1", 5)
            self.assertEqual(
                self.left(), [f"container {container_of('s2')}", f"volume {NAMES.secrets('s2')}"]
            )
            await self.removing().remove("s2", 5)
            self.assertEqual(self.left(), [])

    async def test_not_what_has_only_its_labels(self):
        """An image that was made of a session has all of its labels."""
        docker = self.docker()
        await self.have()
        body = {"Image": IMAGE, "Labels": NAMES.labels("session", "s1")}
        await docker.containers.create("copy", body)
        await self.removing().remove("s1", 5)
        self.assertEqual(self.left(), ["container copy"])

    async def test_nothing_there(self):
        await self.removing().remove("s1", 5)

    async def test_gently(self):
        await self.have()
        await self.removing().remove("s1", 5)
        self.assertIn("container stop", self.fake.kinds())
        self.assertEqual(self.killed(), 0)

    async def test_at_once(self):
        await self.have("stubborn")
        await self.removing().remove("s1", 0)
        self.assertNotIn("container stop", self.fake.kinds())
        self.assertEqual(self.left(), [])

    async def test_by_force(self):
        await self.have("stubborn")
        began = reactor.seconds()
        await self.removing().remove("s1", 0.2)
        self.assertGreater(reactor.seconds() - began, 0.15)
        self.assertLess(reactor.seconds() - began, allowed(0.9))
        self.assertEqual(self.left(), [])

    async def test_the_shorter_grace_holds(self):
        await self.have("stubborn")
        removing = self.removing()
        began = reactor.seconds()
        first = removing.remove("s1", 60)
        await self.until(lambda: "container stop" in self.fake.kinds())
        second, third = removing.remove("s1", 0.1), removing.remove("s1", 30)
        await gatherResults([first, second, third])
        self.assertLess(reactor.seconds() - began, 5)
        self.assertEqual(self.fake.kinds().count("container stop"), 1)
        self.assertEqual(self.left(), [])

    async def test_in_a_hurry_before_it_is_stopped(self):
        await self.have("stubborn")
        self.fake.faults.add("container list", done_late(0.1), 1)
        removing = self.removing()
        first, second = removing.remove("s1", 60), removing.remove("s1", 0)
        await gatherResults([first, second])
        self.assertNotIn("container stop", self.fake.kinds())

    async def test_cancelled(self):
        """Half a removal helps nobody."""
        await self.have()
        removing = self.removing()
        removed = removing.remove("s1", 5)
        removed.cancel()
        self.failureResultOf(removed, CancelledError)
        self.assertTrue(removing.is_under_way("s1"))
        await removing.settled("s1")
        self.assertFalse(removing.is_under_way("s1"))
        self.assertEqual(self.left(), [])

    async def test_settled(self):
        removing = self.removing()
        await removing.settled("s1")
        self.fake.faults.add("container list", answers(500), 1)
        failing = removing.remove("s1", 5)
        await removing.settled("s1")
        self.failureResultOf(failing)

    async def test_somebody_else_removes_it(self):
        self.fake.containers.removal_seconds = 0.15
        container = await self.have()
        other = self.fake.running.vanish(container)
        await self.removing().remove("s1", 5)
        self.assertEqual(self.left(), [])
        await other

    async def test_it_ends_while_it_is_stopped(self):
        await self.have()
        self.fake.faults.add("container stop", answers(404, "No such container"), 1)
        await self.removing().remove("s1", 5)
        self.assertEqual(self.left(), [])

    async def test_it_has_ended_when_it_is_killed(self):
        await self.have("stubborn")
        self.fake.faults.add("container stop", done_late(0.3), 1)
        self.fake.faults.add("container kill", answers(409, "is not running"), 1)
        removed = self.removing().remove("s1", 0.05)
        await self.until(lambda: self.killed() == 1)
        self.fake.running.die(container_of())
        await removed
        self.assertEqual(self.left(), [])

    async def test_volume_is_in_use_for_a_moment(self):
        await self.have()
        self.fake.faults.add("volume remove", answers(409, "volume is in use"), 2)
        await self.removing().remove("s1", 5)
        self.assertEqual(self.left(), [])

    async def test_it_does_not_go(self):
        clock = Clock()
        await self.have()
        self.fake.faults.add("volume remove", answers(409, "volume is in use"))
        removed = self.removing(clock).remove("s1", 0)
        while not removed.called:
            await deferLater(reactor, 0.005)
            clock.advance(1)
        self.assertIn("not gone", str(self.failureResultOf(removed).value))
        self.fake.faults.clear()
        await self.removing().remove("s1", 0)

    async def test_closed(self):
        await self.have("stubborn")
        removing = self.removing()
        removed = removing.remove("s1", 60)
        await self.until(lambda: "container stop" in self.fake.kinds())
        removing.close()
        self.failureResultOf(removed, CancelledError)
        await self.removing().remove("s1", 0)
