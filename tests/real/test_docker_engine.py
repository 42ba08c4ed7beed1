"""Sessions as containers of a real Docker engine, on its socket and through mutual TLS.

The fake engine has the whole suite through TLS too.
"""

from urllib.request import urlopen

from twisted.internet import reactor  # noqa: TID251 - a real engine is behind a socket
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from giestack.docker.location import Location, TlsFiles
from giestack.spawner.docker.labels import labels_of
from giestack.spawner.docker.making import EndedAtOnce
from giestack.spawner.engine import Ended
from tests.docker.fake_programs import IMAGE
from tests.neighbours.docker import Dockerd, docker
from tests.neighbours.program import allowed, eventually
from tests.spawner.docker.fake_case import NAMES, EngineCase, container_of
from tests.spawner.docker.suite import MB, DockerSuite, program
from tests.spawner.engine_suite import launch_of


class RealSuite(DockerSuite, TestCase):
    """The suite, on the engine's socket."""

    instance = "real-suite"

    def setUp(self):
        self.real = docker()
        assert self.real.tools
        self.location = Location(self.real.url)
        self.addCleanup(self.real.api.remove_all, f"giestack-{self.instance}")
        return super().setUp()

    def left(self):
        mark = f"giestack-{self.instance}"
        # The network stays, and others may just be starting something on the same engine.
        others = (f"network {mark}", "docker-proxy")
        return [one for one in self.real.api.left(mark) if not one.startswith(others)]


class RealCase(EngineCase):
    """Engines of sessions on the real one; nothing of theirs is left.

    :ivar name: of the container of ``s1``.
    """

    name = container_of()
    mark = NAMES.network

    def setUp(self):
        super().setUp()
        self.real = self.have()
        assert self.real.tools
        self.location = Location(self.real.url)
        self.addCleanup(self.real.api.remove_all, self.mark)

    def have(self):
        return docker()

    def by_hand(self, method, what="", body=None, **query):
        """Somebody does something beside giestack."""
        path = f"/containers/{self.name}{what}"
        return deferToThread(self.real.api.must, method, path, body, **query)

    def left(self):
        others = (f"network {self.mark}", "docker-proxy")
        return [one for one in self.real.api.left(self.mark) if not one.startswith(others)]

    async def stopped(self, engine):
        """It is stopped, and nothing is left of it."""
        await engine.stop("s1", 1)
        self.assertEqual(self.left(), [])


class EndTests(RealCase):
    """What happens to containers on a real engine."""

    async def soon(self, cause):
        """How the session ends: it is told within a second."""
        await cause
        began = reactor.seconds()
        ended = await self.end_of()
        self.assertLess(reactor.seconds() - began, allowed(1))
        return ended

    async def test_out_of_memory(self):
        engine = await self.engine()
        await self.start(engine, "eat", memory=32 * MB).addErrback(lambda _: None)
        ended = await self.end_of()
        self.assertEqual(ended.reason, "out of memory (its limit is 32 MB)")
        await self.stopped(engine)

    async def test_killed(self):
        engine = await self.engine()
        await self.start(engine)
        ended = await self.soon(self.by_hand("POST", "/kill"))
        self.assertEqual(ended, Ended(137, "killed by signal 9 (SIGKILL)"))
        await self.stopped(engine)

    async def test_removed(self):
        engine = await self.engine()
        await self.start(engine, secrets={"API": "s3cret"})
        ended = await self.soon(self.by_hand("DELETE", force="1"))
        self.assertEqual(ended.status, 137)
        await self.stopped(engine)
        self.assertEqual(len(self.ends), 1)

    async def test_restarted(self):
        engine = await self.engine()
        await self.start(engine)
        await self.by_hand("POST", "/restart", t="0")
        self.assertIn("killed by signal", (await self.end_of()).reason)
        await self.stopped(engine)
        self.assertEqual(len(self.ends), 1)

    async def test_no_such_program(self):
        engine = await self.engine()
        # Docker's init is there, and finds nothing to run.
        started = self.start(engine, command=("/no/such/program",))
        await started.addErrback(lambda failure: failure.trap(EndedAtOnce))
        self.assertEqual((await self.end_of()).status, 127)
        await self.stopped(engine)


class TlsTests(RealCase):
    """Through mutual TLS."""

    def setUp(self):
        super().setUp()
        tls = self.real.tls
        self.location = Location(tls.url, TlsFiles(tls.ca, tls.cert, tls.key))

    async def test_from_start_to_end(self):
        first = await self.engine()
        address = await self.start(first, "listen", secrets={"API": "s3cret"})
        await first.close()
        engine = await self.engine()
        self.assertEqual([one.address for one in self.found], [address])
        stats = await engine.stats("s1")
        self.assertGreater(stats.memory, 0)
        await engine.stop("s1", 5)
        self.assertEqual(self.left(), [])
        await self.start(engine, "print", "one", "two").addErrback(lambda _: None)
        lines: list[str] = []
        over: Deferred[None] = Deferred()
        engine.follow("s1", 10, lines.append, lambda: over.callback(None))
        await over
        self.assertEqual(lines, ["one", "two"])
        self.assertEqual((await self.end_of()).status, 0)
        await self.stopped(engine)

    async def test_killed(self):
        engine = await self.engine()
        await self.start(engine)
        await self.by_hand("POST", "/kill")
        self.assertEqual(await self.end_of(), Ended(137, "killed by signal 9 (SIGKILL)"))
        await self.stopped(engine)


class NewHomeTests(RealCase):
    async def test_of_one_person_for_many_sessions_at_once(self):
        # Docker fills a new volume from the image, and fails where it does so twice at a time.
        volume = "real-engine-new-home"
        self.addCleanup(self.real.api.ask, "DELETE", f"/volumes/{volume}", force=1)
        engine = await self.engine()
        profile = program("listen", volumes={volume: "/bin"})
        ids = [f"home{number}" for number in range(6)]
        for one in ids:
            self.addCleanup(engine.stop, one, 0)
        started = [engine.start(launch_of(profile, one), lambda progress: None) for one in ids]
        for one, start in zip(ids, started, strict=True):
            start.addCallback(lambda _, one=one: engine.answered(one))
        await gatherResults(started)
        self.assertEqual(len(await engine.sessions()), 6)


class LifeTests(RealCase):
    """What sessions are on a real engine, and what becomes of them."""

    async def test_found_again(self):
        """Also while they are paused; and those that were never started are removed."""
        first = await self.engine()
        address = await self.start(first, "listen")
        await self.start(first, session_id="s2")
        await first.close()
        labels = labels_of(NAMES, launch_of(program("mute"), "half"))
        body = {"Image": IMAGE, "Labels": labels}
        name = container_of("half")
        await deferToThread(self.real.api.must, "POST", "/containers/create", body, name=name)
        await self.by_hand("POST", "/pause")
        second = await self.engine()
        found = {one.launch.session_id: one for one in self.found}
        self.assertEqual(sorted(found), ["s1", "s2"])
        self.assertEqual(found["s1"].address, address)
        started = found["s1"].started
        assert started is not None
        self.assertLess(abs(started - reactor.seconds()), 60)
        await second.stop("s2", 0)
        await second.stop("s1", 0.5)
        await self.until(lambda: not self.left())
        self.assertEqual(self.ends, [])

    async def test_secrets_on_a_read_only_root(self):
        engine = await self.engine()
        show = ("sh", "-c", "cat /run/secrets/API; stat -c %a /run/secrets/API; sleep 1000")
        secrets = {"API": "s3cret\n"}
        await self.start(engine, command=show, secrets=secrets, read_only=True)
        lines: list[str] = []
        engine.follow("s1", 10, lines.append, lambda: None)
        await self.until(lambda: len(lines) == 2)
        self.assertEqual(lines, ["…", "444"])
        details = await self.by_hand("GET", "/json")
        self.assertNotIn("s3cret", repr(details))
        await self.stopped(engine)

    async def test_usage(self):
        engine = await self.engine()
        await self.start(engine, command=("sh", "-c", "while :; do :; done"), memory=48 * MB)
        details = await self.by_hand("GET", "/json")
        host = details["HostConfig"]
        self.assertEqual((host["Memory"], host["MemorySwap"]), (48 * MB, 48 * MB))
        await engine.stats("s1")
        await deferLater(reactor, 0.5)
        stats = await engine.stats("s1")
        self.assertLess(stats.memory, 48 * MB)
        self.assertGreater(stats.cpu, 0.05)
        self.assertLess(stats.cpu, 1.5)
        await self.stopped(engine)

    async def test_others_are_not_touched(self):
        engine = await self.engine()
        body = {"Image": IMAGE, "Cmd": ["program", "mute"], "HostConfig": {"Init": True}}
        create = "/containers/create"
        await deferToThread(self.real.api.must, "POST", create, body, name=self.name)
        await self.by_hand("POST", "/start")
        self.assertIn("not giestack's", await self.refused(self.start(engine)))
        await engine.stop("s1", 1)
        self.assertTrue((await self.by_hand("GET", "/json"))["State"]["Running"])
        await self.by_hand("DELETE", force="1")

    async def reaches(self, engine, **profile):
        """Whether one session reaches the port of another."""
        address = await self.start(engine, "listen", session_id="s2", **profile)
        await deferToThread(eventually, lambda: urlopen(f"{address}/").status == 200, "an answer")
        path = f"/containers/{container_of('s2')}/json"
        details = await deferToThread(self.real.api.must, "GET", path)
        (network,) = details["NetworkSettings"]["Networks"].values()
        knock = f"nc -w 2 {network['IPAddress']} 8888 </dev/null && echo open || echo closed"
        command = ("sh", "-c", f"{knock}; sleep 1000")
        await self.start(engine, command=command, **profile)
        lines: list[str] = []
        engine.follow("s1", 10, lines.append, lambda: None)
        await self.until(lambda: not {"open", "closed"}.isdisjoint(lines))
        await engine.stop("s2", 0)
        await engine.stop("s1", 0)
        return "open" in lines

    async def test_sessions_do_not_reach_each_other(self):
        engine = await self.engine()
        body = {"Name": f"{self.mark}-plain"}
        await deferToThread(self.real.api.must, "POST", "/networks/create", body)
        self.assertTrue(await self.reaches(engine, network=body["Name"]))
        self.assertEqual(await self.reaches(engine), not self.real.isolates)


class RestartTests(RealCase):
    """An engine of one's own is stopped, killed, and started again."""

    timeout = 240

    def have(self):
        real = Dockerd()
        self.addCleanup(deferToThread, real.end)
        return real.start()

    async def test_it_comes_back(self):
        engine = await self.engine()
        for end in (self.real.stop, self.real.kill):
            self.ends.clear()
            await self.start(engine, "listen")
            await deferToThread(end)
            await self.until(lambda: engine.trouble != "")
            words = await self.refused(self.start(engine, session_id="s2"))
            self.assertIn("cannot be reached", words)
            await self.refused(engine.stop("s1", 1))
            await deferToThread(self.real.start)
            await self.until(lambda: engine.trouble == "")
            await self.stopped(engine)
            # All is as before.
            await self.start(engine)
            self.ends.clear()
            await self.by_hand("POST", "/kill")
            self.assertEqual((await self.end_of()).status, 137)
            await self.stopped(engine)

    async def test_what_ends_meanwhile_is_told_once(self):
        engine = await self.engine()
        for end in (self.real.stop, self.real.kill):
            self.ends.clear()
            await self.start(engine, "listen")
            await deferToThread(end)
            await self.until(lambda: engine.trouble != "")
            await deferToThread(self.real.start)
            # Whoever kills dockerd leaves its containers to the next one, which ends them.
            await self.until(lambda: self.ends != [], 60)
            await deferLater(reactor, 1)
            self.assertEqual([one for one, _ in self.ends], ["s1"])
            await self.stopped(engine)
