"""Named volumes of an engine."""

from giestack.docker.errors import Conflict
from tests.docker.scripted_engine import ScriptedCase, cut, said


class VolumeTests(ScriptedCase):
    def setUp(self) -> None:
        super().setUp()
        self.volumes = self.docker.volumes

    async def test_creating_one_over_a_kept_connection_that_was_closed(self) -> None:
        await self.docker.ping()
        made = {"Name": "home", "Mountpoint": "/var/lib/docker/volumes/home/_data"}
        self.engine.on("POST /volumes/create", cut, said(201, made))
        self.assertEqual(await self.volumes.create("home", labels={"a": "b"}), made)
        self.assertEqual(
            self.engine.asked[-1].json(),
            {"Name": "home", "Driver": "local", "DriverOpts": {}, "Labels": {"a": "b"}},
        )
        await self.volumes.create("home", options={"type": "tmpfs"})
        self.assertEqual(self.engine.asked[-1].json()["DriverOpts"], {"type": "tmpfs"})

    async def test_inspecting_one(self) -> None:
        self.engine.on("GET /volumes/home", said(200, {"Name": "home"}))
        self.assertEqual(await self.volumes.inspect("home"), {"Name": "home"})

    async def test_listing(self) -> None:
        self.engine.on(
            "GET /volumes",
            said(200, {"Volumes": [{"Name": "home"}, None], "Warnings": None}),
            said(200, {"Volumes": None}),
        )
        self.assertEqual(await self.volumes.list(["a=b"]), [{"Name": "home"}])
        self.assertEqual(self.engine.asked[-1].query, {"filters": ['{"label": ["a=b"]}']})
        self.assertEqual(await self.volumes.list(), [])
        self.assertEqual(self.engine.asked[-1].query, {})

    async def test_removing(self) -> None:
        self.engine.on(
            "DELETE /volumes/home",
            said(204),
            said(404, {"message": "no such volume"}),
            said(409, {"message": "volume is in use"}),
        )
        await self.volumes.remove("home")
        self.assertEqual(self.engine.asked[-1].query, {"force": ["0"]})
        await self.volumes.remove("home", force=True)
        self.assertEqual(self.engine.asked[-1].query, {"force": ["1"]})
        await self.failing(Conflict, self.volumes.remove("home"))
