"""Images as archives: sent and received in pieces, never as a whole."""

import io
import json

from twisted.web.client import FileBodyProducer

from giestack.docker.errors import DockerError, Unreachable
from tests.docker.scripted_engine import Producer, ScriptedCase, cut, pieces, said


class ImageTarTests(ScriptedCase):
    def setUp(self) -> None:
        super().setUp()
        self.images = self.docker.images
        self.heard: list[str] = []

    async def test_saving(self) -> None:
        self.engine.on("GET /images/get", pieces(b"one", b"two"))
        received: list[bytes] = []
        await self.images.save(["a:1", "b"], received.append).ended
        self.assertEqual(received, [b"one", b"two"])
        self.assertEqual(self.engine.asked[0].query, {"names": ["a:1", "b"]})

    async def test_saving_what_is_not_there(self) -> None:
        self.engine.on("GET /images/get", said(404, {"message": "No such image: a"}))
        stream = self.images.save(["a"], self.fail)
        await self.assertFailure(stream.ended, DockerError)

    async def test_loading(self) -> None:
        messages: tuple[dict[str, object], ...] = (
            {"status": "Loading layer", "progressDetail": {"current": 1}, "id": "x"},
            {"stream": "Loaded image: a/b:1\n"},
            {"stream": "Loaded image ID: sha256:1\n"},
            {"aux": {}},
        )
        reply = pieces(*(json.dumps(message).encode() + b"\n" for message in messages))
        self.engine.on("POST /images/load", reply)
        for body in (b"tar", Producer([b"t", b"a", b"r"])):
            found = await self.images.load(body, self.heard.append)
            self.assertEqual(found, ["a/b:1", "sha256:1"])
            self.assertEqual(self.engine.asked[-1].body, b"tar")
        self.assertEqual(
            self.heard[:3],
            ["Loading layer", "Loaded image: a/b:1", "Loaded image ID: sha256:1"],
        )
        await self.images.load(b"")

    async def test_importing(self) -> None:
        self.engine.on(
            "POST /images/create",
            pieces(b'{"status":"Importing"}\n', b'{"status":"sha256:12"}\n'),
            pieces(b'{"status":"Importing"}\n'),
        )
        made = await self.images.import_(Producer([b"tar"]), "a/b", "1", changes=["USER x"])
        self.assertEqual(made, "sha256:12")
        [asked] = self.engine.asked
        self.assertEqual(
            asked.query, {"fromSrc": ["-"], "repo": ["a/b"], "tag": ["1"], "changes": ["USER x"]}
        )
        error = await self.failing(DockerError, self.images.import_(b"", "a/b", "1"))
        self.assertIn("no image", str(error))

    async def test_building(self) -> None:
        self.engine.on(
            "POST /build",
            pieces(b'{"stream":"Step 1/1 : FROM a\\n"}\n', b'{"aux":{"ID":"sha256:12"}}\n'),
            pieces(b'{"stream":"\\n"}\n{"error":"The command returned a non-zero code: 1"}\n'),
            pieces(b'{"aux":{"Other":1}}'),
        )
        made = await self.images.build(
            Producer([b"tar"]),
            "a/b:1",
            self.heard.append,
            dockerfile="x/Dockerfile",
            labels={"l": "1"},
            arguments={"A": "ü"},
        )
        self.assertEqual((made, self.heard), ("sha256:12", ["Step 1/1 : FROM a"]))
        query = {name: values[0] for name, values in self.engine.asked[0].query.items()}
        self.assertEqual(json.loads(query.pop("labels")), {"l": "1"})
        self.assertEqual(json.loads(query.pop("buildargs")), {"A": "ü"})
        self.assertEqual(
            query, {"t": "a/b:1", "dockerfile": "x/Dockerfile", "rm": "1", "forcerm": "1"}
        )
        error = await self.failing(DockerError, self.images.build(b"", "a/b:1"))
        self.assertEqual(str(error), "The command returned a non-zero code: 1")
        await self.failing(DockerError, self.images.build(b"", "a/b:1"))

    async def test_an_engine_that_refuses_before_it_has_taken_all(self) -> None:
        self.engine.early["POST /images/load"] = said(507, {"message": "no space left on device"})
        body = FileBodyProducer(io.BytesIO(bytes(10_000_000)))
        error = await self.failing(DockerError, self.images.load(body))
        self.assertEqual(str(error), "no space left on device")
        # It reads no more, and does not close: what is still being sent ends with the client.
        await self.docker.close()
        for wire in self.engine.open.values():
            wire.transport.resumeProducing()  # type: ignore[union-attr]

    async def test_an_engine_that_closes_before_it_has_taken_all(self) -> None:
        self.engine.early["POST /images/load"] = cut
        body = FileBodyProducer(io.BytesIO(bytes(10_000_000)))
        error = await self.failing(Unreachable, self.images.load(body))
        self.assertIn("before it had taken all", str(error))
