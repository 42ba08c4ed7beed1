"""The fake engine is one that others can be tested with."""

import io
import json
import tarfile

import treq
from twisted.internet import reactor  # noqa: TID251 - it has a socket, and ports
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.protocol import ClientCreator, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from twisted.web.client import ResponseFailed

from tests.docker.fake_docker import FakeDocker
from tests.docker.fake_http import (
    CUT,
    CUT_AFTER,
    HANG,
    HANG_AFTER,
    MALFORMED,
    answers,
    done_late,
    late,
)
from tests.docker.fake_programs import IMAGE
from tests.docker.fake_registry import Pull
from tests.docker.raw_client import RawClient

PORTS = {"8888/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}


class FakeCase(TestCase):
    def setUp(self):
        self.engine = FakeDocker(reactor)
        self.addCleanup(self.engine.end)
        self.client = RawClient(reactor, str(self.engine.socket))

    def ask(self, method, path_, body=None, **more):
        return self.client.ask(method, path_, body, **more)

    async def create(self, *command, name="one", host=None, **more):
        body = {"Image": IMAGE, "Cmd": list(command), "HostConfig": {"Init": True, **(host or {})}}
        status, answer = await self.ask("POST", "/containers/create", {**body, **more}, name=name)
        self.assertEqual(status, 201, answer)
        return answer["Id"]

    async def run_program(self, *command, **more):
        found = await self.create(*command, **more)
        status, answer = await self.ask("POST", f"/containers/{found}/start")
        self.assertEqual(status, 204, answer)
        return found

    async def state(self, name="one"):
        return (await self.ask("GET", f"/containers/{name}/json"))[1]["State"]

    async def over(self, name="one"):
        return (await self.ask("POST", f"/containers/{name}/wait"))[1]["StatusCode"]

    async def address(self, name="one"):
        shown = (await self.ask("GET", f"/containers/{name}/json"))[1]
        return f"http://127.0.0.1:{shown['NetworkSettings']['Ports']['8888/tcp'][0]['HostPort']}/x"

    async def get(self, url):
        response = await treq.get(url, persistent=False)
        return response.code, await response.content()


class ContainerTests(FakeCase):
    async def test_a_life(self):
        listens = await self.run_program("program", "listen", host={"PortBindings": PORTS})
        self.assertEqual((await self.state())["Status"], "running")
        url = await self.address()
        self.assertEqual(await self.get(url), (200, b"here is /x\n"))
        self.assertEqual((await self.ask("POST", f"/containers/{listens}/start"))[0], 304)
        self.assertEqual((await self.ask("POST", "/containers/one/stop", t="5"))[0], 204)
        state = await self.state()
        self.assertEqual((state["Status"], state["ExitCode"]), ("exited", 143))
        await self.assertFailure(self.get_deferred(url), ConnectionRefusedError)
        self.assertEqual((await self.ask("POST", "/containers/one/stop"))[0], 304)
        self.assertEqual((await self.ask("DELETE", "/containers/one"))[0], 204)
        self.assertEqual((await self.ask("DELETE", "/containers/one"))[0], 404)
        self.assertEqual(self.engine.left(), [])

    def get_deferred(self, url):
        return Deferred.fromCoroutine(self.get(url))

    async def test_names_are_taken(self):
        await self.create("true")
        body = {"Image": IMAGE, "Cmd": ["true"]}
        status, answer = await self.ask("POST", "/containers/create", body, name="one")
        self.assertEqual(status, 409)
        self.assertIn("is already in use by container", answer["message"])
        self.assertEqual((await self.ask("POST", "/containers/one/rename", name="two"))[0], 204)
        self.assertEqual((await self.ask("POST", "/containers/two/rename", name="two"))[0], 400)
        await self.create("true")
        self.assertEqual((await self.ask("POST", "/containers/one/rename", name="two"))[0], 409)

    async def test_ends(self):
        await self.run_program("program", "exit", "3")
        self.assertEqual(await self.over(), 3)
        self.assertEqual(await self.over(), 3)

    async def test_what_is_missing(self):
        status, answer = await self.ask("POST", "/containers/create", {"Image": "none"})
        self.assertEqual((status, answer["message"]), (404, "No such image: none:latest"))
        await self.create("/no/such/program", host={"Init": False})
        status, answer = await self.ask("POST", "/containers/one/start")
        self.assertEqual(status, 400)
        self.assertIn("no/such/program", answer["message"])
        self.assertEqual((await self.state())["Status"], "created")
        self.assertEqual((await self.ask("GET", "/containers/nobody/json"))[0], 404)
        self.assertEqual((await self.ask("GET", "/nonsense"))[0], 404)

    async def test_stubborn_ones(self):
        for number, (program, init) in enumerate([("stubborn", True), ("listen", False)]):
            name = f"n{number}"
            await self.run_program("program", program, name=name, host={"Init": init})
            await self.ask("POST", f"/containers/{name}/stop", t="0.05")
            self.assertEqual((await self.state(name))["ExitCode"], 137)

    async def test_kill_needs_one_that_runs(self):
        await self.create("program", "mute")
        self.assertEqual((await self.ask("POST", "/containers/one/kill"))[0], 409)
        await self.ask("POST", "/containers/one/start")
        self.assertEqual((await self.ask("POST", "/containers/one/kill", signal="SIGHU"))[0], 400)
        self.assertEqual((await self.ask("POST", "/containers/one/kill", signal="INT"))[0], 204)
        self.assertEqual(await self.over(), 130)

    async def test_paused(self):
        await self.run_program("program", "listen", host={"PortBindings": PORTS})
        self.assertEqual((await self.ask("POST", "/containers/one/unpause"))[0], 500)
        self.assertEqual((await self.ask("POST", "/containers/one/pause"))[0], 204)
        self.assertEqual((await self.ask("POST", "/containers/one/pause"))[0], 409)
        self.assertEqual((await self.ask("POST", "/containers/one/start"))[0], 409)
        answer = self.get_deferred(await self.address())
        await deferLater(reactor, 0.05)
        self.assertNoResult(answer)
        self.assertEqual((await self.ask("POST", "/containers/one/unpause"))[0], 204)
        self.assertEqual((await answer)[0], 200)

    async def test_nobody_listens(self):
        await self.run_program("program", "mute", host={"PortBindings": PORTS})
        port = int((await self.address()).split(":")[2].split("/")[0])
        closed: Deferred[None] = Deferred()

        class Visitor(Protocol):
            def connectionLost(self, reason=None):
                closed.callback(None)

        # As with docker-proxy: somebody takes the connection, and closes it.
        await ClientCreator(reactor, Visitor).connectTCP("127.0.0.1", port)
        await closed

    async def test_remove_running_ones_by_force_only(self):
        await self.run_program("program", "mute")
        self.assertEqual((await self.ask("DELETE", "/containers/one"))[0], 409)
        self.engine.containers.removal_seconds = 0.05
        removed = Deferred.fromCoroutine(self.ask("DELETE", "/containers/one", force="1"))
        await deferLater(reactor, 0.02)
        self.assertEqual((await self.state())["Status"], "removing")
        self.assertEqual((await self.ask("DELETE", "/containers/one", force="1"))[0], 409)
        self.assertEqual((await removed)[0], 204)
        self.assertEqual(self.engine.left(), [])

    async def test_list(self):
        await self.create("true", name="one", Labels={"a": "1"})
        await self.run_program("program", "mute", name="two", Labels={"a": "2"})

        async def names(**query):
            found = (await self.ask("GET", "/containers/json", **query))[1]
            return [one["Names"][0] for one in found]

        self.assertEqual(await names(), ["/two"])
        self.assertEqual(await names(all="1"), ["/two", "/one"])
        for filters, wanted in (
            ({"label": ["a"]}, ["/two", "/one"]),
            ({"label": {"a=1": True}}, ["/one"]),
            ({"name": ["^/one$"]}, ["/one"]),
            ({"status": ["created"]}, ["/one"]),
        ):
            self.assertEqual(await names(all="1", filters=json.dumps(filters)), wanted)
        self.assertEqual((await self.ask("GET", "/containers/json", filters="["))[0], 400)

    async def test_printed(self):
        await self.run_program("program", "both")
        await self.over()
        _, printed = await self.ask("GET", "/containers/one/logs", stdout="1", stderr="1")
        self.assertEqual(printed, b"\1\0\0\0\0\0\0\4out\n\2\0\0\0\0\0\0\4err\n")
        _, printed = await self.ask("GET", "/containers/one/logs", stderr="1", tail="1")
        self.assertEqual(printed, b"\2\0\0\0\0\0\0\4err\n")
        self.assertEqual((await self.ask("GET", "/containers/one/logs"))[0], 400)

    async def test_followed_on_a_terminal(self):
        await self.run_program("program", "tick", "0.02", "a", "b", Tty=True)
        response = await self.client.open(
            "GET", "/containers/one/logs", stdout="1", follow="1", tail="0"
        )
        content = response.content()
        await deferLater(reactor, 0.1)
        self.engine.running.die("one")
        self.assertEqual(await content, b"a\r\nb\r\n")

    async def test_limits(self):
        await self.run_program("program", "mute", host={"Memory": 1000})
        await self.ask("POST", "/containers/one/update", {"Memory": 2000})
        shown = (await self.ask("GET", "/containers/one/json"))[1]
        self.assertEqual(shown["HostConfig"]["Memory"], 2000)
        stats = (await self.ask("GET", "/containers/one/stats", stream="0"))[1]
        self.assertEqual(stats["memory_stats"]["limit"], 2000)

    async def test_files_go_into_volumes_and_out(self):
        await self.create("true", host={"Binds": ["v:/run/secrets"], "ReadonlyRootfs": True})
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            info = tarfile.TarInfo("TOKEN")
            info.size, info.mode = 6, 0o444
            tar.addfile(info, io.BytesIO(b"secret"))
        url, data = "/containers/one/archive", packed.getvalue()
        self.assertEqual((await self.ask("PUT", url, data=data, path="/tmp"))[0], 403)
        self.assertEqual((await self.ask("PUT", url, data=data, path="/nowhere"))[0], 404)
        self.assertEqual((await self.ask("PUT", url, data=b"x" * 600, path="/tmp"))[0], 400)
        self.assertEqual((await self.ask("PUT", url, data=data, path="/run/secrets"))[0], 200)
        (file,) = self.engine.files.of("one").values()
        self.assertEqual((file.content, file.mode), (b"secret", 0o444))
        self.assertEqual(list(self.engine.volumes.all["v"].files), ["TOKEN"])
        _, got = await self.ask("GET", url, path="/run/secrets")
        with tarfile.open(fileobj=io.BytesIO(got)) as tar:
            self.assertEqual(tar.getnames(), ["secrets", "secrets/TOKEN"])

    async def test_executed(self):
        await self.run_program("program", "mute")

        async def execute(*command):
            body = {"Cmd": list(command), "AttachStdout": True, "AttachStderr": True}
            _, made = await self.ask("POST", "/containers/one/exec", body)
            _, output = await self.ask("POST", f"/exec/{made['Id']}/start", {"Detach": False})
            _, shown = await self.ask("GET", f"/exec/{made['Id']}/json")
            return shown["ExitCode"], output

        self.assertEqual(await execute("program", "exit", "4"), (4, b""))
        self.assertEqual(await execute("program", "print", "a"), (0, b"\1\0\0\0\0\0\0\2a\n"))
        self.assertEqual((await execute("nonsense"))[0], 126)
        await self.ask("POST", "/containers/one/pause")
        self.assertEqual((await self.ask("POST", "/containers/one/exec", {}))[0], 409)

    async def test_what_happens_by_itself(self):
        await self.run_program("program", "mute", name="died")
        self.engine.running.die("died", 7)
        self.assertEqual((await self.state("died"))["ExitCode"], 7)
        await self.run_program("program", "eat", name="eats")
        self.assertEqual(await self.over("eats"), 137)
        self.assertTrue((await self.state("eats"))["OOMKilled"])
        await self.run_program("program", "mute", name="gone")
        await self.engine.running.vanish("gone")
        self.assertEqual((await self.ask("GET", "/containers/gone/json"))[0], 404)


class EventTests(FakeCase):
    async def listen(self, **query):
        response = await self.client.open("GET", "/events", **query)
        heard: list[bytes] = []
        over = treq.collect(response, heard.append)

        def events():
            lines = b"".join(heard).splitlines()
            return [json.loads(line) for line in lines]

        return events, over

    async def test_heard_and_cut(self):
        filters = json.dumps({"label": ["a=1"], "type": ["container"]})
        events, over = await self.listen(filters=filters)
        await self.run_program("program", "eat", Labels={"a": "1"})
        await self.run_program("true", name="other")
        await self.over()
        self.engine.events.cut()
        await self.assertFailure(over, Exception)
        self.assertEqual(
            [event["Action"] for event in events()], ["create", "start", "oom", "oom", "die"]
        )
        die = events()[-1]
        self.assertEqual(die["Actor"]["Attributes"]["exitCode"], "137")
        self.assertEqual(self.engine.events.listeners, 0)
        events, over = await self.listen(
            filters=filters, since=f"{die['time']}.{die['timeNano'] % 10**9:09}", until="1"
        )
        await over
        self.assertEqual(events(), [die])

    async def test_forgotten_by_a_restart(self):
        await self.run_program("program", "mute")
        await self.engine.restart()
        self.assertEqual((await self.state())["Status"], "exited")
        events, over = await self.listen(since="0", until="1")
        await over
        self.assertEqual(events(), [])


class ImageTests(FakeCase):
    async def lines(self, reference, tag="1"):
        status, content = await self.ask("POST", "/images/create", fromImage=reference, tag=tag)
        self.assertEqual(status, 200)
        return [json.loads(line) for line in content.splitlines()]

    async def test_pull(self):
        self.engine.images.registry["host/it:1"] = Pull(layers=(100, 200), seconds=0.001)
        lines = await self.lines("host/it")
        self.assertEqual(lines[-1]["status"], "Status: Downloaded newer image for host/it:1")
        totals = {
            line["id"]: line["progressDetail"]["total"]
            for line in lines
            if line.get("progressDetail")
        }
        self.assertEqual(sorted(totals.values()), [100, 200])
        status, shown = await self.ask("GET", "/images/host/it:1/json")
        self.assertEqual((status, shown["RepoTags"]), (200, ["host/it:1"]))
        self.assertTrue(shown["RepoDigests"][0].startswith("host/it@sha256:"))

    async def test_pulls_that_fail(self):
        status, _ = await self.ask("POST", "/images/create", fromImage="none", tag="1")
        self.assertEqual(status, 404)
        self.engine.images.registry["bad:1"] = Pull(fails="no space left on device")
        self.assertEqual((await self.lines("bad"))[-1]["error"], "no space left on device")
        self.engine.images.registry["private:1"] = Pull(private=("me", "pw"))
        status, _ = await self.ask("POST", "/images/create", fromImage="private", tag="1")
        self.assertEqual(status, 500)
        self.engine.images.registry["stalls:1"] = Pull(stalls=True)
        response = await self.client.open("POST", "/images/create", fromImage="stalls", tag="1")
        self.assertEqual(self.engine.images.pulling, ["stalls:1"])
        await self.engine.down()
        await self.assertFailure(response.content(), Exception)
        self.assertEqual(self.engine.images.pulling, [])

    async def test_tags_and_removal(self):
        await self.create("true")
        self.assertEqual((await self.ask("DELETE", f"/images/{IMAGE}"))[0], 409)
        self.assertEqual(
            (await self.ask("POST", f"/images/{IMAGE}/tag", repo="other", tag="2"))[0], 201
        )
        self.assertEqual((await self.ask("DELETE", "/images/other:2"))[0], 200)
        self.assertEqual((await self.ask("DELETE", "/images/other:2"))[0], 404)
        (shown,) = (await self.ask("GET", "/images/json"))[1]
        self.assertEqual(shown["RepoTags"], [IMAGE])

    async def test_commit_save_and_load(self):
        await self.create("true", Labels={"a": "b"})
        status, made = await self.ask(
            "POST", "/commit", {}, container="one", repo="mine", tag="1", comment="so far"
        )
        self.assertEqual(status, 201)
        _, tar = await self.ask("GET", "/images/mine:1/get")
        await self.ask("DELETE", "/images/mine:1")
        status, told = await self.ask("POST", "/images/load", data=tar)
        self.assertIn("Loaded image: mine:1", told["stream"])
        self.assertEqual((await self.ask("GET", "/images/mine:1/json"))[1]["Id"], made["Id"])


class NetworkAndVolumeTests(FakeCase):
    async def test_networks(self):
        body = {"Name": "net", "CheckDuplicate": True, "Labels": {"a": "b"}}
        self.assertEqual((await self.ask("POST", "/networks/create", body))[0], 201)
        self.assertEqual((await self.ask("POST", "/networks/create", body))[0], 409)
        await self.run_program("program", "mute", host={"NetworkMode": "net"})
        self.assertEqual((await self.ask("DELETE", "/networks/net"))[0], 403)
        await self.ask("DELETE", "/containers/one", force="1")
        self.assertEqual((await self.ask("DELETE", "/networks/net"))[0], 204)
        self.assertEqual((await self.ask("GET", "/networks/net"))[0], 404)
        await self.create("program", "mute", host={"NetworkMode": "net"})
        status, answer = await self.ask("POST", "/containers/one/start")
        self.assertEqual((status, answer["message"]), (404, "network net not found"))

    async def test_volumes(self):
        body = {"Name": "vol", "Labels": {"a": "b"}}
        for _ in range(2):
            status, made = await self.ask("POST", "/volumes/create", body)
            self.assertEqual((status, made["Labels"]), (201, {"a": "b"}))
        await self.create("true", host={"Binds": ["vol:/data"]})
        self.assertEqual((await self.ask("DELETE", "/volumes/vol"))[0], 409)
        await self.ask("DELETE", "/containers/one")
        self.assertEqual((await self.ask("DELETE", "/volumes/vol"))[0], 204)
        self.assertEqual((await self.ask("DELETE", "/volumes/vol"))[0], 404)


class FaultTests(FakeCase):
    def ping(self):
        return Deferred.fromCoroutine(self.ask("GET", "/v1.24/_ping"))

    async def test_answers(self):
        self.engine.faults.add("ping", answers(503, "not now"), times=1)
        self.assertEqual(await self.ping(), (503, {"message": "not now"}))
        self.assertEqual((await self.ping())[0], 200)
        self.engine.faults.add("p*", MALFORMED)
        self.assertNotIn((await self.ping())[1], (b"OK",))
        self.engine.faults.clear("p*")
        self.assertEqual((await self.ping())[1], b"OK")

    async def test_late(self):
        for fault in (late(0.05), done_late(0.05)):
            self.engine.faults.add("ping", fault, times=1)
            answer = self.ping()
            await deferLater(reactor, 0.02)
            self.assertNoResult(answer)
            self.assertEqual((await answer)[0], 200)

    async def test_cut_and_hung(self):
        made = {"Name": "v"}
        for fault, done in ((CUT, False), (HANG, False), (CUT_AFTER, True), (HANG_AFTER, True)):
            self.engine.volumes.all.clear()
            self.engine.faults.add("volume create", fault, times=1)
            answer = Deferred.fromCoroutine(self.ask("POST", "/volumes/create", made))
            await deferLater(reactor, 0.05)
            self.assertEqual("v" in self.engine.volumes.all, done)
            if fault in (HANG, HANG_AFTER):
                self.assertNoResult(answer)
                answer.cancel()
            await self.assertFailure(answer, Exception)

    async def test_too_new_a_version(self):
        status, answer = await self.ask("GET", "/v1.99/_ping")
        self.assertEqual(status, 400)
        self.assertIn("is too new", answer["message"])

    async def test_down_and_up(self):
        self.assertEqual((await self.ping())[0], 200)
        self.engine.faults.add("ping", HANG, times=1)
        hung = self.ping()
        await deferLater(reactor, 0.05)
        await self.engine.down()
        self.assertFalse(self.engine.is_up)
        await self.assertFailure(hung, ResponseFailed)
        await self.assertFailure(self.ping(), Exception)
        self.engine.up()
        self.assertEqual((await self.ping())[0], 200)
        self.assertEqual(self.engine.kinds().count("ping"), 3)

    async def test_streams_in_small_pieces(self):
        self.engine.chunk = 3
        await self.run_program("program", "both")
        await self.over()
        _, printed = await self.ask("GET", "/containers/one/logs", stdout="1", stderr="1")
        self.assertEqual(printed, b"\1\0\0\0\0\0\0\4out\n\2\0\0\0\0\0\0\4err\n")
