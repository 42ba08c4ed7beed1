"""Networks of an engine."""

from giestack.docker.errors import Conflict, DockerError
from tests.docker.scripted_engine import ScriptedCase, cut, said

CREATE = "POST /networks/create"
BODY = {"Driver": "bridge", "Labels": {"a": "b"}}


class NetworkTests(ScriptedCase):
    def setUp(self) -> None:
        super().setUp()
        self.networks = self.docker.networks

    async def test_creating_one(self) -> None:
        self.engine.on(CREATE, said(201, {"Id": "n1", "Warning": ""}))
        self.assertEqual(await self.networks.create("net", BODY), "n1")
        # Docker takes several of one name unless it is told not to.
        self.assertEqual(
            self.engine.asked[-1].json(), {**BODY, "Name": "net", "CheckDuplicate": True}
        )

    async def test_one_of_that_name(self) -> None:
        self.engine.on(CREATE, said(409, {"message": "network with name net already exists"}))
        await self.failing(Conflict, self.networks.create("net", BODY))

    async def test_an_answer_that_was_lost(self) -> None:
        self.engine.on(CREATE, cut)
        self.engine.on("GET /networks/net", said(200, {"Id": "n1", "Labels": {"a": "b"}}))
        self.assertEqual(await self.networks.create("net", BODY), "n1")

    async def test_inspecting_and_listing(self) -> None:
        self.engine.on("GET /networks/net", said(200, {"Id": "n1"}))
        self.engine.on("GET /networks", said(200, [{"Id": "n1"}]))
        self.assertEqual(await self.networks.inspect("net"), {"Id": "n1"})
        self.assertEqual(await self.networks.list(["a=b"]), [{"Id": "n1"}])
        self.assertEqual(self.engine.asked[-1].query, {"filters": ['{"label": ["a=b"]}']})

    async def test_removing(self) -> None:
        self.engine.on(
            "DELETE /networks/net",
            said(204),
            said(404, {"message": "network net not found"}),
            said(403, {"message": "error: network net has active endpoints"}),
            said(403, {"message": "bridge is a pre-defined network"}),
        )
        await self.networks.remove("net")
        await self.networks.remove("net")
        await self.failing(Conflict, self.networks.remove("net"))
        error = await self.failing(DockerError, self.networks.remove("net"))
        self.assertEqual(error.status, 403)

    async def test_connecting_containers(self) -> None:
        self.engine.on("POST /networks/net/connect", said(200))
        self.engine.on("POST /networks/net/disconnect", said(200))
        await self.networks.connect("net", "c", config={"Aliases": ["x"]})
        self.assertEqual(
            self.engine.asked[-1].json(),
            {"Container": "c", "EndpointConfig": {"Aliases": ["x"]}},
        )
        await self.networks.disconnect("net", "c", force=True)
        self.assertEqual(self.engine.asked[-1].json(), {"Container": "c", "Force": True})
