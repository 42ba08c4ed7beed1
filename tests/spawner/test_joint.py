"""Work that several wait for."""

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.joint import Joint, apart


class ApartTests(SynchronousTestCase):
    def test_same_result(self):
        self.assertEqual(self.successResultOf(apart(succeed(7))), 7)
        work: Deferred[int] = Deferred()
        result = apart(work)
        work.errback(ZeroDivisionError())
        self.failureResultOf(result, ZeroDivisionError)

    def test_cancelling_does_not_touch_the_work(self):
        for end in (lambda work: work.callback(1), lambda work: work.errback(ValueError())):
            work: Deferred[int] = Deferred()
            result = apart(work)
            result.cancel()
            self.failureResultOf(result, CancelledError)
            self.assertFalse(work.called)
            # What becomes of it is nobody's concern any more, nor an error in the log.
            end(work)


class JointTests(SynchronousTestCase):
    def setUp(self):
        self.works: list[Deferred[str]] = []

    def begin(self):
        self.works.append(Deferred())
        return self.works[-1]

    def test_done_once_for_all(self):
        joint = Joint(self.begin)
        first, second = joint.wait(), joint.wait()
        self.assertEqual(len(self.works), 1)
        self.works[0].callback("done")
        self.assertEqual(self.successResultOf(first), "done")
        self.assertEqual(self.successResultOf(second), "done")

    def test_fails_for_all(self):
        joint = Joint(self.begin)
        waiting = [joint.wait(), joint.wait()]
        self.works[0].errback(ZeroDivisionError())
        for each in waiting:
            self.failureResultOf(each, ZeroDivisionError)

    def test_who_comes_later_begins_anew(self):
        joint = Joint(self.begin)
        first = joint.wait()
        self.works[0].callback("one")
        second = joint.wait()
        self.works[1].callback("two")
        self.assertEqual(self.successResultOf(first), "one")
        self.assertEqual(self.successResultOf(second), "two")

    def test_done_at_once(self):
        joint = Joint(lambda: succeed("now"))
        self.assertEqual(self.successResultOf(joint.wait()), "now")
        self.assertEqual(self.successResultOf(joint.wait()), "now")

    def test_one_leaves_the_other_stays(self):
        joint = Joint(self.begin)
        first, second = joint.wait(), joint.wait()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.works[0].callback("done")
        self.assertEqual(self.successResultOf(second), "done")

    def test_cancelled_when_the_last_leaves(self):
        cancelled: list[str] = []
        stubborn: Deferred[str] = Deferred(lambda _: cancelled.append("yes"))
        works = [stubborn, Deferred()]
        joint = Joint(lambda: works.pop(0))
        first = joint.wait()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertEqual(cancelled, ["yes"])
        # The next one does not get what is left of the old one.
        work = works[0]
        second = joint.wait()
        self.assertNoResult(second)
        work.callback("new")
        self.assertEqual(self.successResultOf(second), "new")

    def test_goes_on(self):
        joint = Joint(self.begin, goes_on=True)
        first = joint.wait()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        second = joint.wait()
        self.assertEqual(len(self.works), 1)
        self.works[0].callback("done")
        self.assertEqual(self.successResultOf(second), "done")
        joint.wait().addErrback(lambda _: None).cancel()
        self.works[1].errback(ZeroDivisionError())
