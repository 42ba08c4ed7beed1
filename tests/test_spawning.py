"""What the configuration makes of the spawner, with the real engine of local processes."""

import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor as global_reactor  # noqa: TID251 - processes need one
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from giestack.assembly import threads_of
from giestack.galaxy import NoHost
from giestack.proxy.ask import Ask
from giestack.proxy.endpoints import Endpoints
from giestack.settings.files import load
from giestack.settings.schema import Settings
from giestack.spawner.view import Moment
from giestack.spawning import make_spawner
from tests.spawner.world import ALICE

reactor: Any = global_reactor

SERVER = """
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path.startswith(sys.argv[2]) else 500)
        self.send_header("Content-Length", "0")
        self.end_headers()
print("serving", flush=True)
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class SpawningTests(TestCase):
    def settings(self) -> Settings:
        folder = Path(self.mktemp()).absolute()
        (folder / "var").mkdir(parents=True, mode=0o700)
        (folder / "server.py").write_text(SERVER, encoding="utf-8")
        command = [sys.executable, str(folder / "server.py"), "{port}", "{base_url}"]
        profile = {"name": "web", "port": 0, "command": command}
        given: dict[str, object] = {
            "galaxy.id_secret": "a-secret-for-tests",
            "galaxy.database_connection": "sqlite:///galaxy.sqlite",
            "galaxy.url": "https://galaxy.example.org/",
            "spawner.engines": [{"name": "here", "docker_host": "process:"}],
            "spawner.profiles": [profile],
        }
        return load(None, {}, folder, given).settings

    async def test_a_real_program_from_click_to_end(self) -> None:
        noted: list[str] = []
        settings = self.settings()
        spawner = make_spawner(
            reactor,
            settings,
            threads_of(reactor),
            Ask(reactor, Endpoints(reactor, 5.0)),
            lambda event, who, **fields: noted.append(event),
            NoHost().api_key,
            {},
        )
        assert settings.spawner is not None
        spawner.configure(settings.spawner, settings.galaxy.url or "")
        await spawner.open()
        try:
            view, _ = spawner.request(ALICE, "web", None, {})
            ready: Deferred[None] = Deferred()

            def changed(moment: Moment) -> None:
                self.assertNotEqual(moment.state, "failed", moment)
                if moment.state == "ready" and not ready.called:
                    ready.callback(None)

            gone: Deferred[None] = Deferred()
            spawner.subscribe(view.id, changed, lambda: gone.callback(None))
            await ready
            self.assertIn("serving", await spawner.logs(view.id, 100))
            [(_, ask)] = spawner.questions().items()
            self.assertEqual(list(await ask()), [])
            spawner.stop(view.id, ALICE)
            await gone
        finally:
            await Deferred.fromCoroutine(spawner.close())
        self.assertEqual(noted, ["started", "ready", "stopped"])
        self.assertFalse((settings.data_dir / "run" / view.id).exists())
        self.assertTrue((settings.data_dir / "homes" / "galaxy-1").is_dir())
