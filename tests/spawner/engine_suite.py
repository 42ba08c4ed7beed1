"""What every engine does, whatever runs below it: one suite for all of them."""

from typing import TYPE_CHECKING

from twisted.internet import reactor  # noqa: TID251 - engines with real programs need it
from twisted.internet.defer import CancelledError, Deferred, gatherResults, succeed
from twisted.internet.task import deferLater

from giestack.settings.spawner_schema import Profile
from giestack.spawner.engine import Ended, Engine, EngineError, Launch, Progress
from giestack.spawner.owner import Owner

if TYPE_CHECKING:
    from twisted.trial.unittest import TestCase
else:
    TestCase = object

ALICE = Owner("galaxy", 12, "f2db41e1fa331b3e", "alice", "alice@example.org")
ORDER = ("pulling", "creating", "starting")
PATIENCE = 20.0


def launch_of(profile, session_id="s1", owner=ALICE, **more):
    """A launch as the spawner makes it."""
    more.setdefault("base_url", f"/giestack/session/{session_id}/")
    return Launch(session_id=session_id, owner=owner, profile=profile, name=profile.name, **more)


class EngineSuite(TestCase):
    """Mixed into `twisted.trial.unittest.TestCase`, for one kind of engine, which says the rest."""

    def make_engine(self) -> Engine:
        """A new one, not opened yet."""
        raise NotImplementedError

    def profile_that_works(self) -> Profile:
        """It listens, until it is stopped."""
        raise NotImplementedError

    def profile_that_exits(self, status) -> Profile:
        """It ends at once."""
        raise NotImplementedError

    def profile_that_prints(self, *lines) -> Profile:
        """It prints, and ends soon after."""
        raise NotImplementedError

    def profile_that_ignores_sigterm(self) -> Profile:
        """It listens, and can be ended by force alone."""
        raise NotImplementedError

    def profile_that_never_listens(self) -> Profile:
        """It goes on, but nobody answers."""
        raise NotImplementedError

    def program_missing(self) -> Profile:
        """What it is to run does not exist."""
        raise NotImplementedError

    async def reach(self, address) -> bool:
        """Whether somebody answers there just now."""
        raise NotImplementedError

    def left(self):
        """What is left once all is over: should be nothing."""
        raise NotImplementedError

    def setUp(self):
        self.ends: list[tuple[str, Ended]] = []
        self.waiting: dict[str, Deferred[Ended]] = {}
        self.engine = self.make_engine()
        # Runs last of all: nothing is left, whatever the test has done.
        self.addCleanup(lambda: self.assertEqual(list(self.left()), []))
        self.addCleanup(lambda: self.engine.close())
        return self.engine.open(self.told_end)

    def told_end(self, session_id, ended):
        self.ends.append((session_id, ended))
        waiting = self.waiting.pop(session_id, None)
        if waiting is not None:
            waiting.callback(ended)

    def end_of(self, session_id="s1"):
        """Fires when the session has ended by itself."""
        for one, ended in self.ends:
            if one == session_id:
                return succeed(ended)
        self.waiting[session_id] = Deferred()
        return self.waiting[session_id].addTimeout(PATIENCE, reactor)

    def start(self, profile, session_id="s1", **more):
        launch = launch_of(profile, session_id, **more)
        started = self.engine.start(launch, lambda progress: None)

        def answered(address):
            self.engine.answered(session_id)
            return address

        return started.addCallback(answered)

    async def until(self, condition):
        """Wait until a coroutine function says so; False when that takes too long."""
        end = reactor.seconds() + PATIENCE
        while reactor.seconds() < end:
            if await condition():
                return True
            await deferLater(reactor, 0.02)
        return False

    async def answers(self, address):
        return await self.until(lambda: self.reach(address))

    async def ids(self):
        return sorted(found.launch.session_id for found in await self.engine.sessions())

    async def assertGone(self, session_id="s1"):
        self.assertNotIn(session_id, await self.ids())
        self.assertEqual(list(await self.engine.logs(session_id, 10)), [])
        self.assertIsNone(await self.engine.stats(session_id))

    async def assertRefused(self, started):
        """A start fails in words for its owner; returns them."""
        try:
            await started
        except EngineError as error:
            self.assertTrue(str(error))
            return str(error)
        self.fail("it was started")

    # Starting.

    async def test_start(self):
        told: list[Progress] = []
        launch = launch_of(self.profile_that_works())
        address = await self.engine.start(launch, told.append)
        self.assertTrue(await self.answers(address))
        steps = [ORDER.index(progress.step) for progress in told]
        self.assertEqual(steps, sorted(steps))
        (found,) = await self.engine.sessions()
        self.assertEqual(found.address, address)
        self.assertEqual(found.launch.session_id, "s1")
        self.assertEqual(found.launch.owner, ALICE)
        self.assertEqual(found.launch.created, launch.created)
        self.assertEqual(self.ends, [])

    async def test_one_that_never_listens_has_an_address_too(self):
        address = await self.start(self.profile_that_never_listens())
        self.assertFalse(await self.reach(address))
        self.assertEqual(self.ends, [])
        await self.engine.stop("s1", 1)
        await self.assertGone()

    async def test_ten_at_once(self):
        profile = self.profile_that_works()
        names = [f"many{number}" for number in range(10)]
        addresses = await gatherResults([self.start(profile, name) for name in names])
        self.assertEqual(len(set(addresses)), 10)
        self.assertEqual(await self.ids(), sorted(names))
        for address in addresses:
            self.assertTrue(await self.answers(address))
        await gatherResults([self.engine.stop(name, 5) for name in names])
        self.assertEqual(await self.ids(), [])
        self.assertEqual(self.ends, [])

    async def test_same_id_again(self):
        profile = self.profile_that_works()
        for _ in range(2):
            address = await self.start(profile)
            self.assertTrue(await self.answers(address))
            await self.engine.stop("s1", 5)
            self.assertFalse(await self.reach(address))
        self.assertEqual(self.ends, [])

    async def test_same_id_twice(self):
        address = await self.start(self.profile_that_works())
        await self.assertRefused(self.start(self.profile_that_works()))
        self.assertTrue(await self.answers(address))
        self.assertEqual(await self.ids(), ["s1"])

    async def test_what_is_to_run_is_missing(self):
        profile = self.program_missing()
        await self.assertRefused(self.start(profile))
        await self.engine.stop("s1", 1)
        await self.assertGone()
        self.assertNotEqual(list(await self.engine.troubles([profile])), [])
        self.assertEqual(list(await self.engine.troubles([self.profile_that_works()])), [])
        self.assertEqual(list(await self.engine.troubles([])), [])

    # Stopping.

    async def test_stop(self):
        address = await self.start(self.profile_that_works())
        self.assertTrue(await self.answers(address))
        await self.engine.stop("s1", 5)
        self.assertFalse(await self.reach(address))
        await self.assertGone()
        self.assertEqual(self.ends, [])

    async def test_stop_is_idempotent(self):
        await self.start(self.profile_that_works())
        await gatherResults([self.engine.stop("s1", 5) for _ in range(3)])
        await self.engine.stop("s1", 5)
        await self.assertGone()
        self.assertEqual(self.ends, [])

    async def test_stop_what_is_not_there(self):
        await self.engine.stop("nobody", 5)
        await self.engine.stop("../../etc", 5)

    async def test_stop_by_force(self):
        profile = self.profile_that_ignores_sigterm()
        address = await self.start(profile)
        self.assertTrue(await self.answers(address))
        began = reactor.seconds()
        await self.engine.stop("s1", 0.3)
        self.assertLess(reactor.seconds() - began, 5)
        await self.assertGone()
        self.assertEqual(self.ends, [])

    async def test_cancelled_start_and_stop(self):
        started = self.start(self.profile_that_works())
        started.cancel()
        stopped = self.engine.stop("s1", 5)
        try:
            await started
        except CancelledError:
            pass  # else it had started already
        await stopped
        await self.assertGone()
        self.assertEqual(self.ends, [])

    async def test_stop_while_it_starts(self):
        started = self.start(self.profile_that_works())
        stopped = self.engine.stop("s1", 5)
        try:
            await started
        except EngineError:
            pass  # else it had started already
        await stopped
        await self.assertGone()
        self.assertEqual(self.ends, [])

    async def test_start_after_a_cancelled_one(self):
        self.start(self.profile_that_works()).addErrback(lambda _: None).cancel()
        await self.engine.stop("s1", 5)
        self.assertTrue(await self.answers(await self.start(self.profile_that_works())))

    # Ends.

    async def test_end(self):
        end = self.end_of()
        await self.start(self.profile_that_exits(3))
        ended = await end
        self.assertEqual(ended.status, 3)
        self.assertIn("3", ended.reason)
        (found,) = await self.engine.sessions()
        self.assertIsNone(found.address)
        self.assertIsNone(await self.engine.stats("s1"))
        await self.engine.stop("s1", 5)
        await self.assertGone()
        self.assertEqual([one for one, _ in self.ends], ["s1"])

    async def test_end_in_success(self):
        end = self.end_of()
        await self.start(self.profile_that_exits(0))
        self.assertEqual((await end).status, 0)

    async def test_stop_of_what_is_just_ending(self):
        await self.start(self.profile_that_exits(1))
        await self.engine.stop("s1", 5)
        await self.assertGone()
        told = list(self.ends)
        self.assertLessEqual(len(told), 1)
        await deferLater(reactor, 0.05)
        self.assertEqual(self.ends, told)

    async def test_one_ends_the_others_go_on(self):
        address = await self.start(self.profile_that_works(), "lives")
        end = self.end_of("dies")
        await self.start(self.profile_that_exits(1), "dies")
        await end
        self.assertTrue(await self.answers(address))
        self.assertEqual(await self.ids(), ["dies", "lives"])

    # What they print.

    async def test_logs(self):
        end = self.end_of()
        await self.start(self.profile_that_prints("one", "two", "three"))
        await end
        self.assertEqual(list(await self.engine.logs("s1", 100)), ["one", "two", "three"])
        self.assertEqual(list(await self.engine.logs("s1", 2)), ["two", "three"])
        self.assertEqual(list(await self.engine.logs("s1", 0)), [])
        self.assertEqual(list(await self.engine.logs("nobody", 10)), [])

    async def follow_until_end(self, tail):
        heard: list[str] = []
        over: Deferred[None] = Deferred()
        self.engine.follow("s1", tail, heard.append, lambda: over.callback(None))
        await over.addTimeout(PATIENCE, reactor)
        return heard

    async def test_follow(self):
        await self.start(self.profile_that_prints("one", "two", "three"))
        self.assertEqual(await self.follow_until_end(100), ["one", "two", "three"])
        await self.end_of()
        # It has ended, but it has been no more than that.
        self.assertEqual(await self.follow_until_end(2), ["two", "three"])
        self.assertEqual(await self.follow_until_end(0), [])

    async def test_follow_ends_with_stop(self):
        await self.start(self.profile_that_works())
        over: Deferred[None] = Deferred()
        self.engine.follow("s1", 10, lambda line: None, lambda: over.callback(None))
        await self.engine.stop("s1", 5)
        await over.addTimeout(PATIENCE, reactor)

    async def test_follow_no_more(self):
        heard: list[str] = []
        ends: list[str] = []
        end = self.end_of()
        await self.start(self.profile_that_prints("one", "two"))
        stop_following = self.engine.follow(
            "s1", 0, heard.append, lambda: ends.append("unexpected")
        )
        stop_following()
        stop_following()
        told = list(heard)
        await end
        await self.engine.stop("s1", 5)
        self.assertEqual((heard, ends), (told, []))

    async def test_follow_what_is_not_there(self):
        heard: list[str] = []
        ends: list[str] = []
        over: Deferred[None] = Deferred()

        def end():
            ends.append("end")
            over.callback(None)

        stop_following = self.engine.follow("nobody", 10, heard.append, end)
        await over.addTimeout(PATIENCE, reactor)
        stop_following()
        self.assertEqual((heard, ends), ([], ["end"]))

    # What they use.

    async def test_stats(self):
        address = await self.start(self.profile_that_works())
        self.assertTrue(await self.answers(address))
        stats = await self.engine.stats("s1")
        assert stats is not None
        self.assertGreater(stats.memory, 0)
        stats = await self.engine.stats("s1")
        assert stats is not None
        assert stats.cpu is not None
        self.assertGreaterEqual(stats.cpu, 0)
        self.assertIsNone(await self.engine.stats("nobody"))

    # The engine itself.

    async def test_nothing_there_at_first(self):
        self.assertEqual(list(await self.engine.sessions()), [])

    async def test_not_open_yet(self):
        self.engine, other = self.make_engine(), self.engine
        self.addCleanup(other.close)
        await self.assertRefused(self.start(self.profile_that_works()))
        await self.engine.stop("s1", 5)
        await self.assertGone()

    async def test_closed(self):
        await self.engine.close()
        await self.assertRefused(self.start(self.profile_that_works()))
        await self.engine.stop("s1", 5)
        self.assertEqual(list(await self.engine.logs("s1", 5)), [])
        await self.engine.close()

    async def test_close_tells_no_end(self):
        address = await self.start(self.profile_that_works())
        self.assertTrue(await self.answers(address))
        await self.start(self.profile_that_ignores_sigterm(), "s2")
        began = reactor.seconds()
        await self.engine.close()
        self.assertLess(reactor.seconds() - began, 7)
        self.assertEqual(self.ends, [])
