"""Containers of an engine: what is asked, and what its answers mean."""

from typing import Any

from giestack.docker.errors import Conflict, DockerError, NotFound, Unreachable
from tests.docker.scripted_engine import ScriptedCase, cut, said, silent


class ContainerTests(ScriptedCase):
    def setUp(self) -> None:
        super().setUp()
        self.containers = self.docker.containers

    def asked(self) -> tuple[str, dict[str, list[str]]]:
        last = self.engine.asked[-1]
        return f"{last.method} {last.path}", last.query

    async def keep(self) -> None:
        """One connection that is kept."""
        await self.docker.ping()

    async def test_starting_what_runs_already_is_fine(self) -> None:
        self.engine.on("POST /containers/c/start", said(204), said(304))
        await self.containers.start("c")
        await self.containers.start("c")

    async def test_a_start_that_fails_is_told_in_the_engines_words(self) -> None:
        # The container stays behind as `created`: whoever started it removes it.
        self.engine.on("POST /containers/c/start", said(500, {"message": "port is allocated"}))
        error = await self.failing(DockerError, self.containers.start("c"))
        self.assertEqual((error.status, str(error)), (500, "port is allocated"))

    async def test_stopping_what_does_not_run_is_fine(self) -> None:
        self.engine.on("POST /containers/c/stop", said(204), said(304))
        await self.containers.stop("c", 2.5)
        self.assertEqual(self.asked(), ("POST /containers/c/stop", {"t": ["3"]}))
        await self.containers.stop("c", -1)
        self.assertEqual(self.asked(), ("POST /containers/c/stop", {"t": ["0"]}))

    async def test_stopping_may_take_its_grace_and_a_little_more(self) -> None:
        self.engine.on("POST /containers/c/stop", silent)
        stopping = self.start(self.containers.stop("c", 30))
        await self.engine.until(lambda: self.engine.asked)
        self.clock.advance(39)
        self.assertNoResult(stopping)
        self.clock.advance(1)
        await self.assertFailure(stopping, Unreachable)

    async def test_limits_of_other_calls(self) -> None:
        for seconds, doing in (
            (60, self.containers.create("c", {})),
            (60, self.containers.start("c")),
            (5, self.containers.start("c", seconds=5)),
            (10, self.containers.inspect("c")),
            (60, self.containers.remove("c")),
        ):
            for what in (
                "POST /containers/create",
                "POST /containers/c/start",
                "GET /containers/c/json",
                "DELETE /containers/c",
            ):
                self.engine.on(what, silent)
            before = len(self.engine.asked)
            running = self.start(doing)
            await self.engine.until(lambda: len(self.engine.asked) > before)  # noqa: B023
            self.engine.on("GET /containers/c/json", said(404))
            self.clock.advance(seconds - 0.1)
            self.assertNoResult(running)
            self.clock.advance(0.1)
            await self.assertFailure(running, Unreachable)

    async def test_kill(self) -> None:
        self.engine.on("POST /containers/c/kill", said(204), said(409, {"message": "not running"}))
        await self.containers.kill("c", "HUP")
        self.assertEqual(self.asked(), ("POST /containers/c/kill", {"signal": ["HUP"]}))
        await self.failing(Conflict, self.containers.kill("c"))
        self.assertEqual(self.asked()[1], {"signal": ["KILL"]})

    async def test_pause_and_unpause(self) -> None:
        self.engine.on("POST /containers/c/pause", said(204))
        self.engine.on("POST /containers/c/unpause", said(500, {"message": "is not paused"}))
        await self.containers.pause("c")
        await self.failing(DockerError, self.containers.unpause("c"))

    async def test_pausing_over_a_kept_connection_that_was_closed(self) -> None:
        await self.keep()
        self.engine.on("POST /containers/c/unpause", cut)
        self.engine.on("GET /containers/c/json", said(200, {"State": {"Paused": False}}))
        await self.containers.unpause("c")
        self.assertEqual(
            self.engine.kinds(), ["POST /containers/c/unpause", "GET /containers/c/json"]
        )
        self.engine.on("POST /containers/c/pause", cut, said(204))
        await self.containers.pause("c")
        self.assertEqual(self.engine.kinds()[-1], "POST /containers/c/pause")
        self.assertEqual(len(self.engine.asked), 5)

    async def test_wait_takes_as_long_as_it_takes(self) -> None:
        self.engine.on("POST /containers/c/wait", silent)
        waiting = self.start(self.containers.wait("c"))
        await self.engine.until(lambda: self.engine.asked)
        self.clock.advance(10**6)
        said(200, {"StatusCode": 137})(self.engine.wires[0])
        self.assertEqual(await waiting, 137)

    async def test_rename(self) -> None:
        self.engine.on("POST /containers/c/rename", said(204))
        await self.containers.rename("c", "d")
        self.assertEqual(self.asked()[1], {"name": ["d"]})

    async def test_removing(self) -> None:
        self.engine.on("DELETE /containers/c", said(204))
        await self.containers.remove("c")
        self.assertEqual(self.asked()[1], {"force": ["1"], "v": ["0"]})
        await self.containers.remove("c", force=False, volumes=True)
        self.assertEqual(self.asked()[1], {"force": ["0"], "v": ["1"]})

    async def test_removing_what_is_gone_or_going(self) -> None:
        self.engine.on(
            "DELETE /containers/c",
            said(404, {"message": "No such container: c"}),
            said(409, {"message": "removal of container c is already in progress"}),
            said(409, {"message": "You cannot remove a running container"}),
        )
        await self.containers.remove("c")
        await self.containers.remove("c")
        await self.failing(Conflict, self.containers.remove("c", force=False))

    async def test_a_removal_whose_answer_was_lost_is_asked_for_again(self) -> None:
        await self.keep()
        self.engine.on("DELETE /containers/c", cut, said(404))
        await self.containers.remove("c")

    async def test_names_stay_in_their_place(self) -> None:
        await self.failing(NotFound, self.containers.inspect("../info?a=b#c"))
        self.assertEqual(self.engine.asked[-1].path, "/containers/..%2Finfo%3Fa%3Db%23c/json")

    async def test_listing(self) -> None:
        found = [{"Id": "1", "Names": ["/mine"]}, {"Id": "2", "Names": ["/not-mine"]}]
        self.engine.on("GET /containers/json", said(200, found))
        self.assertEqual(await self.containers.list(), found)
        self.assertEqual(self.asked()[1], {"all": ["1"]})
        self.assertEqual(await self.containers.list(labels=["a=b", "c"], all=False), found)
        self.assertEqual(self.asked()[1], {"all": ["0"], "filters": ['{"label": ["a=b", "c"]}']})

    async def test_listing_by_name_means_the_whole_name(self) -> None:
        found = [{"Id": "1", "Names": ["/mine", "/x/y"]}, {"Id": "2", "Names": ["/not-mine"]}, {}]
        self.engine.on("GET /containers/json", said(200, found))
        self.assertEqual(await self.containers.list(names=["mine"]), found[:1])
        self.assertEqual(self.asked()[1]["filters"], ['{"name": ["mine"]}'])

    async def test_limits_are_changed_as_they_are_given(self) -> None:
        # Memory alone would leave as much swap again.
        self.engine.on("POST /containers/c/update", said(200, {"Warnings": None}))
        limits: dict[str, Any] = {"Memory": 2**30, "MemorySwap": 2**30, "PidsLimit": 100}
        await self.containers.update("c", limits)
        self.assertEqual(self.engine.asked[-1].json(), limits)

    async def test_stats_do_not_wait_for_a_second_reading(self) -> None:
        self.engine.on("GET /containers/c/stats", said(200, {"memory_stats": {"usage": 5}}))
        self.assertEqual((await self.containers.stats("c"))["memory_stats"], {"usage": 5})
        self.assertEqual(self.asked()[1], {"stream": ["0"], "one-shot": ["1"]})

    async def test_archives(self) -> None:
        self.engine.on("PUT /containers/c/archive", said(200))
        self.engine.on("GET /containers/c/archive", said(200, b"tar" * 100))
        await self.containers.put_archive("c", "/run/sécrets", b"\0tar\xff")
        last = self.engine.asked[-1]
        self.assertEqual((last.query, last.body), ({"path": ["/run/sécrets"]}, b"\0tar\xff"))
        self.assertEqual(last.headers["content-type"], "application/x-tar")
        self.assertEqual(await self.containers.get_archive("c", "/a"), b"tar" * 100)
        error = await self.failing(DockerError, self.containers.get_archive("c", "/a", most=299))
        self.assertIn("299", str(error))

    async def test_a_folder_that_is_missing(self) -> None:
        self.engine.on("PUT /containers/c/archive", said(404, {"message": "no such folder"}))
        await self.failing(NotFound, self.containers.put_archive("c", "/x", b""))

    async def test_what_is_told_of_calls(self) -> None:
        self.engine.on("POST /containers/c/start", said(204), said(304), said(500), cut)
        for _ in range(2):
            await self.containers.start("c")
        await self.failing(DockerError, self.containers.start("c"))
        self.agent.forget_idle()
        await self.failing(Unreachable, self.containers.start("c"))
        self.assertEqual(
            self.told,
            [("ping", 200), *(("container start", status) for status in (204, 304, 500, 0))],
        )
