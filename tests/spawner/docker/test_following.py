"""Who reads along what sessions print."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from giestack.docker.errors import Unreachable
from giestack.spawner.docker.following import Follower


class Stream:
    def __init__(self):
        self.ended: Deferred[None] = Deferred()
        self.stops = 0

    def stop(self):
        self.stops += 1
        if not self.ended.called:
            self.ended.callback(None)


class Containers:
    def __init__(self):
        self.asked: list[tuple[str, int]] = []

    def follow(self, container, tail, line):
        self.asked.append((container, tail))
        self.line = line
        self.stream = Stream()
        return self.stream


class FollowerTests(SynchronousTestCase):
    def setUp(self):
        self.heard: list[str] = []
        self.containers = Containers()
        hide = lambda text: text.replace("s3cret", "…")  # noqa: E731 - as an argument
        self.follower = Follower(7, self.heard.append, lambda: self.heard.append("<end>"), hide)

    def attach(self):
        self.follower.attach(self.containers, "c1")

    def test_lines(self):
        self.attach()
        self.assertEqual(self.containers.asked, [("c1", 7)])
        self.containers.line("\x1b[31mmy s3cret\x1b[0m")
        self.containers.stream.ended.callback(None)
        self.assertEqual(self.heard, ["my …", "<end>"])

    def test_broken(self):
        self.attach()
        self.containers.stream.ended.errback(Unreachable("cut"))
        self.assertEqual(self.heard, ["<end>"])

    def test_ended_once(self):
        self.attach()
        self.follower.end()
        self.follower.end()
        self.containers.line("too late")
        self.assertEqual(self.heard, ["<end>"])
        self.assertEqual(self.containers.stream.stops, 1)

    def test_left(self):
        self.attach()
        self.follower.leave()
        self.follower.end()
        self.containers.line("too late")
        self.assertEqual((self.heard, self.containers.stream.stops), ([], 1))

    def test_left_or_ended_before_there_is_a_container(self):
        self.follower.leave()
        self.attach()
        self.assertEqual((self.heard, self.containers.asked), ([], []))

    def test_attached_once(self):
        self.attach()
        self.attach()
        self.assertEqual(len(self.containers.asked), 1)
