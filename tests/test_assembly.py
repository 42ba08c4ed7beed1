"""What the configuration makes of giestack's parts."""

from pathlib import Path
from typing import Any

from twisted.internet import reactor as global_reactor  # noqa: TID251 - building needs one
from twisted.trial.unittest import SynchronousTestCase

from giestack.assembly import assemble
from giestack.settings.files import load
from giestack.settings.schema import Settings

reactor: Any = global_reactor

MINIMUM = """
galaxy:
  id_secret: a-secret-for-tests
  database_connection: sqlite:///galaxy.sqlite
  url: https://galaxy.example.org/galaxy
"""


class AssemblyTests(SynchronousTestCase):
    def settings(self, text: str = "") -> Settings:
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        file = folder / "giestack.yml"
        file.write_text(MINIMUM + text)
        return load(file, {}, folder).settings

    def test_everything_is_there_and_nothing_runs(self) -> None:
        settings = self.settings("proxy: {session_maps: [map.sqlite]}")
        giestack = assemble(reactor, settings)
        self.assertFalse(giestack.running)
        names = [type(part).__name__ for part in giestack]
        # The proxy's door opens last, and so it closes first.
        self.assertEqual(names[-2:], ["Listeners", "Door"])

    def test_without_a_host_database(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        settings = load(None, {}, folder, {"proxy.interactivetools_auth": "token"}).settings
        self.assertEqual([type(part).__name__ for part in assemble(reactor, settings)][-1], "Door")
