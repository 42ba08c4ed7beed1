"""The chat put together by the configuration, behind real doors."""

import json
from pathlib import Path
from typing import Any

from twisted.internet import reactor as global_reactor  # noqa: TID251 - a real database, threads
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.client import Agent, HTTPConnectionPool, readBody
from twisted.web.http_headers import Headers

from giestack.assembly import Assembly, make_data_dir
from giestack.chatting import rules_of
from giestack.listening import Door
from giestack.ops.event_log import EventLog
from giestack.settings.files import load
from giestack.settings.load import Loaded
from giestack.settings.problems import SettingsError
from giestack.settings.schema import ChatFilter, ChatLimits, ChatSettings

reactor: Any = global_reactor


class RulesTests(SynchronousTestCase):
    def test_settings_become_rules(self) -> None:
        rules = rules_of(
            ChatSettings(
                opt_in=False,
                rooms=("A",),
                impersonation="mark",
                moderators=("Mona@Example.org",),
                limits=ChatLimits(length=1, frame=2, rate=3.0, burst=4, edit_seconds=5),
                filter=ChatFilter(deny=("x",), mask=("y",)),
                retention_days=6,
            )
        )
        self.assertEqual(rules.moderators, {"mona@example.org"})
        self.assertEqual((rules.deny, rules.mask), (("x",), ("y",)))
        self.assertEqual((rules.length, rules.frame, rules.rate, rules.burst), (1, 2, 3.0, 4))
        self.assertEqual((rules.edit_seconds, rules.retention_days), (5, 6))
        self.assertEqual((rules.opt_in, rules.rooms, rules.impersonation), (False, ("A",), "mark"))

    def test_switched_off(self) -> None:
        self.assertFalse(rules_of(ChatSettings(enabled=False)).enabled)


class DoorTests(TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.write()
        settings = self.load().settings
        make_data_dir(settings)
        self.assembly = Assembly(reactor, settings, None, self.load, EventLog())
        self.giestack = self.assembly.giestack
        self.giestack.startService()
        self.addCleanup(self.giestack.stopService)

    def write(self, **chat: Any) -> None:
        here = ["tcp:0:interface=127.0.0.1"]
        wanted = {
            "galaxy": {
                "id_secret": "a-secret",
                "database_connection": "sqlite:///galaxy.sqlite",
                "url": "https://galaxy.example.org/",
            },
            "proxy": {"listen": here},
            "admin": {"listen": here},
            "chat": {"listen": here, "rooms": ["Help"], **chat},
            "log": {"access": "off"},
        }
        (self.folder / "giestack.yml").write_text(json.dumps(wanted))

    def load(self) -> Loaded:
        return load(self.folder / "giestack.yml", {}, self.folder)

    async def get(self, door: int, path: str, **fields: str) -> tuple[int, Headers, bytes]:
        """Ask one of the doors: 0 is the chat's own, 1 the proxy's, 2 the admin's."""
        doors = [part for part in self.giestack if isinstance(part, Door)]
        doors += [part for part in self.giestack if hasattr(part, "ports") and part not in doors]
        host: Any = doors[door].ports[0].getHost()
        agent = Agent(reactor, pool=HTTPConnectionPool(reactor, persistent=False))
        headers = Headers({name.replace("_", "-"): [value] for name, value in fields.items()})
        response: Any = await agent.request(
            b"GET", f"http://127.0.0.1:{host.port}{path}".encode(), headers
        )
        return response.code, response.headers, await readBody(response)

    async def until_ready(self) -> None:
        chatting = self.assembly._chatting
        assert chatting is not None
        while not chatting.chat.ready:
            await deferLater(reactor, 0.01)

    async def test_the_same_at_both_doors(self) -> None:
        for door, root in ((0, ""), (1, "/giestack/chat")):
            code, headers, body = await self.get(door, f"{root}/?username=x")
            self.assertEqual(code, 200)
            self.assertEqual(headers.getRawHeaders("access-control-allow-origin"), ["*"])
            self.assertIn(b"<html", body)
            self.assertEqual((await self.get(door, f"{root}/widget.js"))[0], 200)
            self.assertEqual((await self.get(door, f"{root}/ws"))[0], 426)
            self.assertEqual((await self.get(door, f"{root}/whoami"))[0], 401)
        self.assertEqual((await self.get(0, "/giestack/"))[0], 404)
        self.assertEqual((await self.get(0, "/anything"))[0], 404)

    async def test_a_foreign_page_is_refused(self) -> None:
        # D5: any page could open the connection with its visitor's cookie.
        for door, path in ((0, "/ws"), (1, "/giestack/chat/ws")):
            code, _, _ = await self.get(
                door,
                path,
                Connection="Upgrade",
                Upgrade="websocket",
                Sec_WebSocket_Version="13",
                Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==",
                Sec_WebSocket_Protocol="giechat.v1.json",
                Origin="https://evil.example.com",
            )
            self.assertEqual(code, 403)

    async def test_it_is_measured(self) -> None:
        await self.until_ready()
        _, _, body = await self.get(2, "/metrics")
        self.assertIn(b"giestack_chat_ready 1.0", body)
        self.assertIn(b"giestack_chat_sockets 0.0", body)

    async def test_it_is_ready_when_its_store_is(self) -> None:
        await self.until_ready()
        _, _, body = await self.get(2, "/ready")
        self.assertIn(b'"chat"', body)
        chatting = self.assembly._chatting
        assert chatting is not None
        [ask] = chatting.questions().values()
        self.assertEqual(list(await ask()), [])
        await chatting.chat.stop()
        self.assertEqual(list(await ask()), ["its store is not open yet"])

    async def test_switched_off_and_on(self) -> None:
        await self.until_ready()
        self.write(enabled=False)
        await self.assembly.reconfigure(self.load().settings)
        self.assertEqual((await self.get(0, "/widget.js"))[0], 200)
        chatting = self.assembly._chatting
        assert chatting is not None
        self.assertFalse(chatting.chat._around.rules.enabled)

    async def test_other_rules_without_a_restart(self) -> None:
        await self.until_ready()
        self.write(rooms=["Help", "More"], limits={"length": 7})
        await self.assembly.reconfigure(self.load().settings)
        chatting = self.assembly._chatting
        assert chatting is not None
        self.assertEqual(chatting.chat._around.rules.length, 7)
        self.write(database="sqlite:///other.sqlite")
        with self.assertRaises(SettingsError) as caught:
            await self.assembly.reconfigure(self.load().settings)
        self.assertEqual([one.path for one in caught.exception.problems], ["chat.database"])
