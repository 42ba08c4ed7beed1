"""Sessions are found again, heard of when they end, and nothing else is ever touched."""

from twisted.internet import reactor  # noqa: TID251 - the fake engine is behind a socket
from twisted.internet.task import Clock, deferLater
from twisted.logger import LogLevel, capturedLogs, formatEvent

from giestack.settings.spawner_schema import Profile
from giestack.spawner.docker.labels import Names, labels_of
from giestack.spawner.docker.sessions import GRACE
from giestack.spawner.engine import Ended, EngineError
from tests.docker.fake_http import HANG, answers, late
from tests.docker.fake_programs import IMAGE
from tests.neighbours.program import allowed
from tests.spawner.docker.fake_case import NAMES, FakeCase, container_of
from tests.spawner.docker.suite import MB, program
from tests.spawner.engine_suite import ALICE, launch_of

KILLED = Ended(137, "killed by signal 9 (SIGKILL)")


class Things(FakeCase):
    """Things that somebody else has put there."""

    async def container(self, name, labels=None, *, start=True, **more):
        body = {"Image": IMAGE, "Cmd": ["program", "mute"], "Labels": labels or {}, **more}
        containers = self.docker().containers
        found = await containers.create(name, body)
        if start:
            await containers.start(found)
        return found

    async def volume(self, name, labels=None):
        await self.docker().volumes.create(name, labels=labels or {})

    def names(self):
        return sorted(one.name for one in self.fake.containers.all.values())


class RootTests(Things):
    async def test_nobody_mounts_the_folder_of_the_engine(self):
        self.fake.root = "/srv/docker"
        engine = await self.engine()
        for source in ("/srv/docker", "/srv/docker/volumes/home-galaxy-7/_data", "/srv"):
            try:
                await self.start(engine, volumes={source: "/mnt"})
            except EngineError as error:
                self.assertIn(source, str(error))
            else:
                self.fail(f"{source} was mounted")
            await engine.stop("s1", 1)


class TakeUpTests(Things):
    """What a giestack finds that another one has left."""

    async def reopened(self, *profiles):
        engine = self.new_engine()
        engine.configure(profiles)
        self.found = await engine.open(self.told_end)
        return engine

    async def test_running_ones(self):
        profile = program("listen", name="lab", title="Lab", idle_timeout=7)
        first = await self.engine()
        launch = launch_of(profile, created=1000.5, galaxy_url="https://galaxy.example.org/")
        address = await first.start(launch, lambda progress: None)
        (before,) = await first.sessions()
        await first.close()
        second = await self.reopened(profile)
        (found,) = self.found
        self.assertEqual(found.address, address)
        self.assertEqual(found.started, before.started)
        assert found.started is not None
        self.assertLess(abs(found.started - reactor.seconds()), 60)
        self.assertEqual((found.launch.owner, found.launch.created), (ALICE, 1000.5))
        self.assertEqual(found.launch.profile, profile)
        self.fake.running.die(container_of(), 3)
        self.assertEqual((await self.end_of()).status, 3)
        await second.stop("s1", 1)
        self.assertEqual(self.left(), [])

    async def test_profile_is_gone(self):
        first = await self.engine()
        await self.start(first, "listen", name="lab", title="Lab", memory=100 * MB)
        await first.close()
        second = await self.reopened()
        (found,) = self.found
        self.assertEqual((found.launch.profile.name, found.launch.profile.title), ("lab", "Lab"))
        # Its limit is that of its container.
        self.fake.running.die(container_of(), out_of_memory=True)
        self.assertEqual((await self.end_of()).reason, "out of memory (its limit is 100 MB)")
        await second.stop("s1", 1)

    async def test_ended_ones(self):
        first = await self.engine()
        await self.start(first)
        await first.close()
        self.fake.running.die(container_of())
        second = await self.reopened()
        (found,) = self.found
        self.assertIsNone(found.address)
        self.assertEqual(self.ends, [])
        await second.stop("s1", 1)
        self.assertEqual(self.left(), [])

    async def test_paused_ones_run(self):
        first = await self.engine()
        address = await self.start(first)
        await first.close()
        await self.docker().containers.pause(container_of())
        second = await self.reopened()
        (found,) = self.found
        self.assertEqual(found.address, address)
        await second.stop("s1", 1)
        self.assertEqual(self.left(), [])

    async def test_claimed_slots(self):
        later = reactor.seconds() + 50
        launch = launch_of(program("listen"), created=later)
        slot = labels_of(NAMES, launch, "slot")
        ports = {"HostConfig": {"PortBindings": {"8888/tcp": [{"HostIp": "127.0.0.1"}]}}}
        await self.container(container_of(), slot, **ports)
        await self.volume(NAMES.secrets("s1"), NAMES.labels("secrets", "s1"))
        await self.volume(NAMES.claim("s1"), labels_of(NAMES, launch, "claim"))
        engine = await self.reopened()
        (found,) = self.found
        self.assertEqual(found.launch.owner, ALICE)
        self.assertIsNotNone(found.address)
        # The time before it was claimed does not count.
        self.assertEqual(found.started, later)
        await engine.stop("s1", 1)
        self.assertEqual(self.left(), [])

    async def test_leftovers(self):
        launch = launch_of(program("listen"), "slot")
        await self.container(container_of("slot"), labels_of(NAMES, launch, "slot"))
        await self.volume(NAMES.secrets("slot"), NAMES.labels("secrets", "slot"))
        launch = launch_of(program("listen"), "half")
        await self.container(container_of("half"), labels_of(NAMES, launch), start=False)
        await self.container(container_of("bad"), NAMES.labels("session", "bad"))
        await self.volume(NAMES.secrets("lost"), NAMES.labels("secrets", "lost"))
        await self.volume(NAMES.claim("lost"), labels_of(NAMES, launch_of(Profile()), "claim"))
        await self.reopened()
        self.assertEqual(self.found, [])
        await self.until(lambda: not self.left())

    async def test_a_leftover_that_cannot_be_removed_keeps_nothing_from_opening(self):
        launch = launch_of(program("listen"), "half")
        await self.container(container_of("half"), labels_of(NAMES, launch), start=False)
        self.fake.faults.add("container remove", answers(500))
        clock = Clock()
        engine = await self.engine(clock)
        await self.until(lambda: "container remove" in self.fake.kinds())
        self.fake.faults.clear()
        self.assertEqual(self.names(), [container_of("half")])
        await self.pass_time(clock, 5 * GRACE, lambda: not self.left())
        await engine.close()

    async def pass_time(self, clock, seconds, enough=None):
        """Let so much time go by, with answers in between, or until it is so."""
        for _ in range(int(seconds // 10)):
            if enough is not None and enough():
                return
            clock.advance(10)
            await deferLater(reactor, 0.03)
        if enough is not None:
            await self.until(enough)

    async def test_others_are_never_touched(self):
        launch = launch_of(program("listen"), "s1")
        other = Names("other")
        theirs = [
            await self.container("nobodys"),
            # Our name, and not our label; and the other way round.
            await self.container(container_of("x"), {"a": "b"}),
            await self.container(other.container("s1"), labels_of(other, launch)),
            await self.container(other.container("s2"), other.labels("slot", "s2"), start=False),
            await self.container("stray", NAMES.labels("network")),
        ]
        for name, labels in (
            ("home-galaxy-12", {}),
            (NAMES.secrets("y"), {"a": "b"}),
            (other.secrets("s1"), other.labels("secrets", "s1")),
        ):
            await self.volume(name, labels)
        before = self.left()
        clock = Clock()
        engine = await self.engine(clock)
        self.assertEqual(self.found, [])
        for each in (theirs[0], theirs[1], theirs[2], theirs[4]):
            self.fake.running.die(each)
        await engine.stop("s1", 1)
        await engine.stop("x", 1)
        await engine.stop("y", 1)
        await self.pass_time(clock, 3 * GRACE)
        self.assertEqual(self.ends, [])
        await engine.close()
        self.assertEqual(self.left(), before)

    async def test_what_appears_later(self):
        """Ours by its labels, but not known: it gets a minute, in case it is being made."""
        clock = Clock()
        engine = await self.engine(clock)
        launch = launch_of(program("listen"), "strange")
        await self.container(container_of("strange"), labels_of(NAMES, launch), start=False)
        await self.start(engine)
        await self.pass_time(clock, GRACE)
        self.assertEqual(self.names(), [container_of("s1"), container_of("strange")])
        await self.pass_time(clock, 5 * GRACE, lambda: self.names() == [container_of("s1")])
        self.assertEqual(self.ends, [])
        await engine.stop("s1", 1)

    async def test_sessions_of_somebody_else_with_the_same_name(self):
        """Two giestacks that are called the same must not end each other's sessions."""
        clock, other = Clock(), await self.engine()
        engine = await self.engine(clock)
        await self.start(other)
        with capturedLogs() as events:
            await self.pass_time(clock, 5 * GRACE)
        self.assertEqual(self.names(), [container_of("s1")])
        texts = [formatEvent(event) for event in events if event["log_level"] is LogLevel.error]
        (text,) = (text for text in texts if "s1" in text)
        self.assertIn(f"name, {NAMES.instance},", text)
        self.assertEqual(self.ends, [])
        await engine.close()
        await other.stop("s1", 1)

    async def test_it_ends_while_it_is_found(self):
        first = await self.engine()
        await self.start(first)
        await first.close()
        self.fake.faults.add("container inspect", answers(404, "no such container"), 1)
        second = await self.reopened()
        self.assertEqual(self.found, [])
        await second.close()

    async def test_opened_again_after_a_failure(self):
        first = await self.engine()
        await self.start(first)
        await first.close()
        self.fake.faults.add("volume list", answers(500, "disk full"), 1)
        second = self.new_engine()
        self.assertIn("disk full", await self.refused(second.open(self.told_end)))
        self.assertIn("disk full", second.trouble)
        (found,) = await second.open(self.told_end)
        self.assertEqual((found.launch.session_id, second.trouble), ("s1", ""))
        await second.stop("s1", 1)


class EndTests(Things):
    """Ends that nobody asked for are told once."""

    async def test_within_a_second(self):
        engine = await self.engine()
        await self.start(engine)
        began = reactor.seconds()
        self.fake.running.die(container_of(), 3)
        self.assertEqual(await self.end_of(), Ended(3, "ended with status 3"))
        self.assertLess(reactor.seconds() - began, allowed(1))
        await engine.stop("s1", 1)

    async def test_out_of_memory(self):
        engine = await self.engine()
        await self.start(engine, "eat", memory=512 * MB)
        ended = await self.end_of()
        self.assertEqual(ended, Ended(137, "out of memory (its limit is 512 MB)"))
        await engine.stop("s1", 1)

    async def test_out_of_memory_that_was_not_heard(self):
        """Docker says it of the container, too."""
        engine = await self.engine()
        await self.start(engine, memory=512 * MB)
        tell = self.fake.events.tell

        def tell_no_oom(kind, action, *more):
            if action != "oom":
                tell(kind, action, *more)

        self.patch(self.fake.events, "tell", tell_no_oom)
        self.fake.running.die(container_of(), out_of_memory=True)
        self.assertIn("out of memory", (await self.end_of()).reason)
        await engine.stop("s1", 1)

    async def test_something_in_it_was_killed_long_ago(self):
        engine = await self.engine()
        await self.start(engine)
        now = self.fake.events.now
        one = self.fake.containers.find(container_of())
        self.patch(self.fake.events, "now", lambda: now() - 60 * 10**9)
        self.fake.containers.tell(one, "oom")
        self.patch(self.fake.events, "now", now)
        self.fake.running.die(container_of(), 1)
        self.assertEqual((await self.end_of()).reason, "ended with status 1")
        await engine.stop("s1", 1)

    async def test_killed(self):
        engine = await self.engine()
        await self.start(engine)
        await self.docker().containers.kill(container_of())
        self.assertEqual(await self.end_of(), KILLED)
        (found,) = await engine.sessions()
        self.assertIsNone(found.address)
        await engine.stop("s1", 1)

    async def test_killed_and_the_engine_says_no_more(self):
        engine = await self.engine()
        await self.start(engine)
        self.fake.faults.add("container inspect", answers(500))
        self.fake.running.die(container_of(), 137)
        self.assertEqual(await self.end_of(), KILLED)
        self.fake.faults.clear()
        await engine.stop("s1", 1)

    async def test_removed_by_force(self):
        engine = await self.engine()
        await self.start(engine, secrets={"KEY": "s3cret"})
        await self.fake.running.vanish(container_of())
        self.assertEqual(await self.end_of(), KILLED)
        await engine.stop("s1", 1)
        self.assertEqual(self.left(), [])
        self.assertEqual(len(self.ends), 1)

    async def test_stopped_while_it_is_looked_at(self):
        engine = await self.engine()
        await self.start(engine)
        self.fake.faults.add("container inspect", HANG, 1)
        self.fake.running.die(container_of(), 137)
        await self.until(lambda: self.fake.kinds()[-1] == "container inspect")
        await engine.stop("s1", 1)
        await engine.close()
        self.assertEqual(self.ends, [])

    async def test_restarted_by_somebody(self):
        engine = await self.engine()
        await self.start(engine)
        self.fake.running.die(container_of(), 143)
        await self.docker().containers.start(container_of())
        self.assertEqual((await self.end_of()).status, 143)
        (found,) = await engine.sessions()
        self.assertIsNone(found.address)
        await engine.stop("s1", 1)
        self.assertEqual((self.left(), len(self.ends)), ([], 1))

    async def test_ended_at_once(self):
        engine = await self.engine()
        self.fake.faults.add("container inspect", late(0.2), 1)
        words = await self.refused(self.start(engine, "exit", 4))
        self.assertIn("ended with status 4", words)
        self.assertEqual(await self.end_of(), Ended(4, "ended with status 4"))
        await engine.stop("s1", 1)
        self.assertEqual((self.left(), len(self.ends)), ([], 1))


class LostTests(Things):
    """The engine goes away, and comes back."""

    async def lost(self, engine):
        await self.until(lambda: engine.trouble != "")

    async def back(self, engine):
        await self.until(lambda: engine.trouble == "" and self.fake.events.listeners == 1)
        # What happened meanwhile is seen right after that.
        await deferLater(reactor, 0.05)

    async def test_stream_is_cut(self):
        engine = await self.engine()
        await self.start(engine, session_id="s1")
        await self.start(engine, session_id="s2")
        self.fake.events.cut()
        self.fake.running.die(container_of("s1"), 5)
        self.assertEqual((await self.end_of("s1")).status, 5)
        await self.back(engine)
        self.fake.running.die(container_of("s2"), 6)
        self.assertEqual((await self.end_of("s2")).status, 6)
        self.assertEqual(len(self.ends), 2)
        for each in ("s1", "s2"):
            await engine.stop(each, 1)

    async def test_engine_is_away(self):
        engine = await self.engine()
        await self.start(engine, session_id="lives")
        await self.start(engine, session_id="dies")
        await self.fake.down()
        await self.lost(engine)
        self.assertIn("“local”", engine.trouble)
        words = await self.refused(self.start(engine, session_id="new"))
        self.assertEqual(words, engine.trouble)
        self.assertEqual(list(await engine.troubles([])), [engine.trouble])
        # What runs is left alone.
        self.assertEqual(len([one for one in await engine.sessions() if one.address]), 2)
        self.fake.running.die(container_of("dies"), 7)
        self.fake.up()
        self.assertEqual((await self.end_of("dies")).status, 7)
        await self.back(engine)
        self.assertEqual([one for one, _ in self.ends], ["dies"])
        await self.start(engine, session_id="new")
        for each in ("lives", "dies", "new"):
            await engine.stop(each, 1)
        self.assertEqual(self.left(), [])

    async def test_engine_is_restarted(self):
        engine = await self.engine()
        for each in ("s1", "s2"):
            await self.start(engine, session_id=each)
        await self.fake.restart()
        for each in ("s1", "s2"):
            self.assertIn("killed by signal", (await self.end_of(each)).reason)
        await self.back(engine)
        self.assertEqual(len(self.ends), 2)
        for each in ("s1", "s2"):
            await engine.stop(each, 1)

    async def test_engine_is_restarted_and_containers_go_on(self):
        engine = await self.engine()
        address = await self.start(engine)
        await self.fake.restart(live_restore=True)
        await self.back(engine)
        (found,) = await engine.sessions()
        self.assertEqual((found.address, self.ends), (address, []))
        self.fake.running.die(container_of(), 8)
        self.assertEqual((await self.end_of()).status, 8)
        await engine.stop("s1", 1)

    async def test_gone_meanwhile(self):
        engine = await self.engine()
        await self.start(engine)
        await self.fake.down()
        await self.fake.running.vanish(container_of())
        self.fake.events.forget()
        self.fake.up()
        ended = await self.end_of()
        self.assertEqual((ended.status, ended.reason), (None, "its container was removed"))
        await engine.stop("s1", 1)

    async def test_gone_while_it_is_compared(self):
        engine = await self.engine()
        await self.start(engine)
        self.fake.faults.add("container inspect", answers(404, "no such container"), 1)
        self.fake.events.cut()
        self.assertIn("removed", (await self.end_of()).reason)
        await engine.stop("s1", 1)

    async def test_renamed(self):
        """Whoever has started it knows it by its id."""
        engine = await self.engine()
        address = await self.start(engine)
        await self.docker().containers.rename(container_of(), "renamed")
        await self.fake.restart(live_restore=True)
        await self.back(engine)
        (found,) = await engine.sessions()
        self.assertEqual((found.address, self.ends), (address, []))
        await engine.stop("s1", 1)
        self.assertEqual(self.left(), [])

    async def test_restarted_meanwhile(self):
        """It has another port, which nobody has been told."""
        engine = await self.engine()
        await self.start(engine)
        await self.fake.down()
        one = self.fake.containers.find(container_of())
        one.started = self.fake.events.stamp()
        self.fake.up()
        self.assertIn("restarted by somebody else", (await self.end_of()).reason)
        await engine.stop("s1", 1)
        self.assertEqual(self.left(), [])

    async def test_out_of_memory_meanwhile(self):
        engine = await self.engine()
        await self.start(engine, memory=512 * MB)
        await self.fake.down()
        self.fake.running.die(container_of(), out_of_memory=True)
        self.fake.events.forget()
        self.fake.up()
        self.assertEqual((await self.end_of()).reason, "out of memory (its limit is 512 MB)")
        await engine.stop("s1", 1)

    async def test_stop_while_it_is_away(self):
        engine = await self.engine()
        await self.start(engine)
        await self.fake.down()
        self.assertIn("cannot be reached", await self.refused(engine.stop("s1", 1)))
        self.fake.up()
        await self.back(engine)
        await engine.stop("s1", 1)
        self.assertEqual((self.left(), self.ends), ([], []))

    async def test_not_there_when_it_is_opened(self):
        await self.fake.down()
        engine = self.new_engine()
        words = await self.refused(engine.open(self.told_end))
        self.assertIn("“local” cannot be reached", words)
        self.assertEqual(engine.trouble, words)
        self.assertEqual(await self.refused(self.start(engine)), words)
        self.fake.up()
        self.assertEqual(list(await engine.open(self.told_end)), [])
        self.assertEqual(engine.trouble, "")
        await self.start(engine)
        self.fake.running.die(container_of(), 3)
        self.assertEqual((await self.end_of()).status, 3)
        await engine.stop("s1", 1)

    async def test_connection_is_dead_without_having_ended(self):
        clock = Clock()
        engine = await self.engine(clock)
        self.fake.faults.add("ping", answers(500), 1)
        clock.advance(10)
        await self.until(lambda: self.fake.events.listeners == 0)
        while not self.fake.events.listeners:
            clock.advance(0.1)
            await deferLater(reactor, 0.01)
        await engine.close()

    async def test_strange_events(self):
        engine = await self.engine()
        await self.start(engine)
        one = self.fake.containers.find(container_of())
        labels = dict(one.labels)
        for actor, attributes in (
            ("x" * 64, labels | {"exitCode": "1"}),
            (one.id, {}),
            (one.id, labels | {"org.giestack.session": "../etc"}),
        ):
            self.fake.events.tell("container", "die", actor, attributes)
        self.fake.events.tell("container", "die", one.id, labels | {"exitCode": "none"})
        self.assertEqual((await self.end_of()).status, 0)
        self.assertEqual(len(self.ends), 1)
        await engine.stop("s1", 1)
