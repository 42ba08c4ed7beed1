"""Images of an engine."""

import json
from typing import Any

from giestack.docker.docker import Docker
from giestack.docker.errors import Conflict, DockerError, NotFound
from giestack.docker.pull_progress import Pulled
from tests.docker.scripted_engine import ScriptedCase, cut, pieces, raw, said

PULL = "POST /images/create"
DIGEST = "sha256:" + "0" * 64


class Badge:
    """Credentials of somebody."""

    def __init__(self, value: str) -> None:
        self.value = value
        self.asked: list[str] = []

    async def for_image(self, reference: str) -> str:
        self.asked.append(reference)
        return self.value


class ImageTests(ScriptedCase):
    def setUp(self) -> None:
        super().setUp()
        self.images = self.docker.images
        self.heard: list[Pulled] = []

    async def pull(self, reference: str = "site/image:1") -> None:
        await self.images.pull(reference, self.heard.append)

    async def test_inspecting_one_by_any_name(self) -> None:
        for name in ("busybox", "127.0.0.1:5055/a/b:1", f"a/b@{DIGEST}"):
            self.engine.on(f"GET /images/{name}/json", said(200, {"Id": name}))
            self.assertEqual((await self.images.inspect(name))["Id"], name)
        await self.failing(NotFound, self.images.inspect("a?b#c d"))
        self.assertEqual(self.engine.asked[-1].path, "/images/a%3Fb%23c%20d/json")

    async def test_listing(self) -> None:
        self.engine.on("GET /images/json", said(200, [{"Id": "x"}]))
        self.assertEqual(await self.images.list(labels=["a"], references=["b:*"]), [{"Id": "x"}])
        self.assertEqual(
            json.loads(self.engine.asked[-1].query["filters"][0]),
            {"label": ["a"], "reference": ["b:*"]},
        )

    async def test_pulling(self) -> None:
        messages = (
            {"status": "Pulling from site/image", "id": "1"},
            {"status": "Downloading", "progressDetail": {"current": 1, "total": 4}, "id": "l"},
            {"status": "Pull complete", "progressDetail": {}, "id": "l"},
            {"status": f"Digest: {DIGEST}"},
        )
        data = b"".join(json.dumps(message).encode() + b"\r\n" for message in messages)
        self.engine.on(PULL, pieces(*(data[i : i + 7] for i in range(0, len(data), 7))))
        await self.pull()
        self.assertEqual(self.heard, [Pulled(1, 4, 12.5), Pulled(4, 4, 100)])
        self.assertEqual(
            self.engine.asked[-1].query,
            {"fromImage": ["docker.io/site/image"], "tag": ["1"]},
        )
        self.assertEqual(self.engine.kinds(), [PULL])

    async def test_one_tag_is_pulled_and_never_all(self) -> None:
        self.engine.on(PULL, pieces())
        for reference, name, tag in (
            ("busybox", "docker.io/library/busybox", "latest"),
            ("127.0.0.1:5055/a/b", "127.0.0.1:5055/a/b", "latest"),
            (f"quay.io/a/b:2@{DIGEST}", "quay.io/a/b", DIGEST),
        ):
            await self.pull(reference)
            self.assertEqual(self.engine.asked[-1].query, {"fromImage": [name], "tag": [tag]})

    async def test_what_can_not_be_pulled(self) -> None:
        for reference in ("Upper", "", DIGEST):
            error = await self.failing(DockerError, self.pull(reference))
            self.assertEqual(error.status, 400)
        self.assertEqual(self.engine.asked, [])

    async def test_a_tag_that_is_not_there(self) -> None:
        self.engine.on(PULL, said(404, {"message": "manifest for site/image:1 not found"}))
        error = await self.failing(NotFound, self.pull())
        self.assertEqual(str(error), "manifest for site/image:1 not found")

    async def test_the_registrys_words_in_an_answer_that_began_well(self) -> None:
        self.engine.on(PULL, pieces(b'{"status":"Pulling"}\r\n{"error":"toomanyrequests"}\r\n'))
        error = await self.failing(DockerError, self.pull())
        self.assertEqual(str(error), "toomanyrequests")

    async def test_over_a_kept_connection_that_was_closed(self) -> None:
        await self.docker.ping()
        self.engine.on(PULL, cut, pieces())
        await self.pull()

    async def test_where_the_end_is_unsure_the_image_is_looked_up(self) -> None:
        ended = raw(b"HTTP/1.1 200 OK\r\n\r\n{}\n", close=True)
        self.engine.on(PULL, ended)
        await self.failing(NotFound, self.pull())
        self.engine.on("GET /images/site/image:1/json", said(200, {"Id": "x"}))
        await self.pull()

    async def test_credentials(self) -> None:
        self.engine.on(PULL, pieces())
        for value in ("eyJ1Ijo=", ""):
            badge: Any = Badge(value)
            docker = Docker(self.clock, self.agent, credentials=badge)
            await docker.images.pull("quay.io/a/b:1", self.heard.append)
            self.assertEqual(badge.asked, ["quay.io/a/b:1"])
            self.assertEqual(self.engine.asked[-1].headers.get("x-registry-auth", ""), value)

    async def test_committing(self) -> None:
        self.engine.on("POST /commit", said(201, {"Id": "sha256:1"}))
        made = await self.images.commit(
            "c", "a/b", "1", comment="x", author="y", changes=["LABEL a=b", "USER root"]
        )
        self.assertEqual(made, "sha256:1")
        self.assertEqual(
            self.engine.asked[-1].query,
            {
                "container": ["c"],
                "repo": ["a/b"],
                "tag": ["1"],
                "comment": ["x"],
                "author": ["y"],
                "changes": ["LABEL a=b", "USER root"],
                "pause": ["1"],
            },
        )

    async def test_tagging(self) -> None:
        self.engine.on("POST /images/a/b:1/tag", said(201))
        await self.images.tag("a/b:1", "c", "2")
        self.assertEqual(self.engine.asked[-1].query, {"repo": ["c"], "tag": ["2"]})

    async def test_removing(self) -> None:
        self.engine.on(
            "DELETE /images/a:1",
            said(200, [{"Untagged": "a:1"}]),
            said(404, {"message": "No such image"}),
            said(409, {"message": "image is being used"}),
        )
        await self.images.remove("a:1", force=True)
        self.assertEqual(self.engine.asked[-1].query, {"force": ["1"]})
        await self.failing(NotFound, self.images.remove("a:1"))
        await self.failing(Conflict, self.images.remove("a:1"))
