"""The command ``giestack-chat``: what its command line means; tests/real starts it for real."""

import io
import os
import sys
from pathlib import Path
from typing import Any

from twisted.scripts import twistd
from twisted.trial.unittest import SynchronousTestCase

from giestack.chat_command import PLACES, Command, alone, command_of, is_giestacks, main, overrides
from giestack.ops.event_log import EVENT_LOG
from giestack.settings import unready
from giestack.settings.files import load
from giestack.settings.load import Loaded
from giestack.settings.problems import SettingsError
from giestack.settings.schema import Settings

GALAXYS = """
galaxy:
  id_secret: a-secret-for-tests
  database_connection: sqlite:////srv/galaxy/universe.sqlite
  galaxy_infrastructure_url: https://galaxy.example.org/
  interactivetools_enable: true
"""
CHATTING = f"""{GALAXYS}
  enable_communication_server: true
  communication_server_host: https://galaxy.example.org
  communication_server_port: 7071
  persistent_communication_rooms: NGS,RNA-Seq,Genome Annotation
"""
INI = """
[app:main]
id_secret = a-secret-for-tests
database_connection = sqlite:////srv/galaxy/universe.sqlite
communication_server_port = 7072
"""
OWN = "galaxy: {id_secret: a-secret-for-tests, database_connection: 'sqlite:////universe.sqlite'}\n"


class ChatCommandCase(SynchronousTestCase):
    def setUp(self) -> None:
        # The chat's parts may not all have arrived yet; its settings have.
        self.patch(unready, "NOT_YET", {})
        self.cwd = Path(self.mktemp()).absolute()
        (self.cwd / "config").mkdir(parents=True)

    def write(self, text: str, name: str = "config/galaxy.yml") -> Path:
        path = self.cwd / name
        path.write_text(text, encoding="utf-8")
        return path

    def command(self, *argv: str, **environ: str) -> Command:
        return command_of(argv, environ, self.cwd)

    def loaded(self, *argv: str, **environ: str) -> Loaded:
        """What it runs with."""
        command = self.command(*argv, **environ)
        given = overrides(command, environ, self.cwd)
        return alone(load(command.giestack_file, environ, self.cwd, given))

    def settings(self, *argv: str, **environ: str) -> Settings:
        return self.loaded(*argv, **environ).settings

    def listens(self, *argv: str) -> tuple[str, ...]:
        chat = self.settings(*argv).chat
        assert chat is not None
        return chat.listen

    def usage(self, *argv: str) -> tuple[object, str]:
        """Exit status and what was said."""
        said = io.StringIO()
        self.patch(sys, "stdout", said)
        self.patch(sys, "stderr", said)
        stop = self.assertRaises(SystemExit, self.command, *argv)
        return stop.code, said.getvalue()


class CommandLineTests(ChatCommandCase):
    def test_as_it_was_started_for_years(self) -> None:
        file = self.write(CHATTING)
        command = self.command("--port", "7070", "--host", "localhost")
        self.assertEqual(command, Command(file, False, "localhost", 7070))

    def test_galaxys_options(self) -> None:
        file = self.write(GALAXYS, "mine.yml")
        for option in ("-c", "--config-file", "--config"):
            self.assertEqual(self.command(option, "mine.yml"), Command(file))
        self.assertEqual(self.command("-c", str(file), "--config-section", "galaxy"), Command(file))

    def test_help_and_version(self) -> None:
        status, said = self.usage("--help")
        self.assertEqual(status, 0)
        for word in ("--port", "--host", "--config-file", "--data-dir", *PLACES):
            self.assertIn(word, said)
        for option in ("--version", "-V"):
            status, said = self.usage(option)
            self.assertEqual((status, said[:9]), (0, "giestack "))

    def test_wrong_ones(self) -> None:
        self.write(GALAXYS)
        for argv in (
            ("--prot=7070",),
            ("7070",),
            ("--port=http",),
            ("--port=70700",),
            ("--port=-1",),
            ("--config-section=reports",),
        ):
            status, said = self.usage(*argv)
            self.assertEqual(status, 2, argv)
            self.assertIn("usage: giestack-chat", said)


class FileTests(ChatCommandCase):
    def refused(self, *argv: str, **environ: str) -> str:
        return str(self.assertRaises(SettingsError, self.command, *argv, **environ))

    def test_where_galaxys_configuration_is_looked_for(self) -> None:
        for place in reversed(PLACES):
            file = self.write(INI if place.endswith("ini") else GALAXYS, place)
            self.assertEqual(self.command().file, file)
        other = self.write(GALAXYS, "other.yml")
        self.assertEqual(self.command(GALAXY_CONFIG_FILE="other.yml").file, other)
        named = self.write(GALAXYS, "named.yml")
        self.assertEqual(
            self.command("-c", "named.yml", GALAXY_CONFIG_FILE="other.yml").file, named
        )

    def test_nowhere(self) -> None:
        said = self.refused()
        for word in ("--config-file", "$GALAXY_CONFIG_FILE", *PLACES):
            self.assertIn(word, said)

    def test_one_that_is_not_there(self) -> None:
        self.write(GALAXYS)
        self.assertIn(
            "nowhere.yml: cannot be read: No such file", self.refused("-c", "nowhere.yml")
        )

    def test_one_that_is_no_text(self) -> None:
        (self.cwd / "binary.yml").write_bytes(b"galaxy: \xff")
        self.assertIn(
            "binary.yml: cannot be read: it is no UTF-8", self.refused("-c", "binary.yml")
        )

    def test_whose_it_is(self) -> None:
        for text in (GALAXYS, CHATTING, "", "galaxy:", "uwsgi: {}\ngalaxy: {}", "- 1", ": :", OWN):
            self.assertFalse(is_giestacks(text), text)
        for text in (
            "galaxy: {config_file: galaxy.yml}",
            "galaxy: {url: 'https://galaxy.example.org'}",
            f"{OWN}chat: {{}}",
            f"{OWN}chat:",
            "data_dir: var",
        ):
            self.assertTrue(is_giestacks(text), text)


class SettingsTests(ChatCommandCase):
    def test_of_galaxys_configuration(self) -> None:
        self.write(CHATTING)
        settings = self.settings()
        assert settings.chat is not None
        self.assertEqual(settings.chat.rooms, ("NGS", "RNA-Seq", "Genome Annotation"))
        self.assertTrue(settings.chat.enabled)
        self.assertEqual(settings.galaxy.id_secret, "a-secret-for-tests")
        self.assertEqual(settings.galaxy.url, "https://galaxy.example.org/")
        self.assertEqual(settings.data_dir, self.cwd / "var")

    def test_nothing_but_the_chat(self) -> None:
        self.write(CHATTING)
        settings = self.settings()
        self.assertEqual((settings.proxy.listen, settings.admin.listen), ((), ()))
        self.assertEqual(settings.proxy.session_maps, ())
        self.assertIsNone(settings.spawner)

    def test_where_it_listens(self) -> None:
        self.write(GALAXYS)
        self.assertEqual(self.listens(), ("tcp:7070:interface=localhost",))
        self.assertEqual(self.listens("--host=0.0.0.0"), ("tcp:7070:interface=0.0.0.0",))
        self.assertEqual(self.listens("--port=0"), ("tcp:0:interface=localhost",))
        self.assertEqual(self.listens("--host=::1", "--port=7"), ("tcp:7:interface=\\:\\:1",))

    def test_the_port_that_galaxy_tells_its_users(self) -> None:
        self.write(CHATTING)
        self.assertEqual(self.listens(), ("tcp:7071:interface=localhost",))
        self.assertEqual(self.listens("--host=0.0.0.0"), ("tcp:7071:interface=0.0.0.0",))
        self.assertEqual(self.listens("--port=7070"), ("tcp:7070:interface=localhost",))

    def test_an_ini_file(self) -> None:
        self.write(INI, "universe_wsgi.ini")
        self.assertEqual(self.listens(), ("tcp:7072:interface=localhost",))

    def test_the_environment(self) -> None:
        self.write(CHATTING)
        rooms = {"GALAXY_CONFIG_OVERRIDE_PERSISTENT_COMMUNICATION_ROOMS": "Lounge"}
        chat = self.settings(**rooms).chat
        assert chat is not None
        self.assertEqual(chat.rooms, ("Lounge",))

    def test_where_messages_are_kept(self) -> None:
        self.write(GALAXYS)
        settings = self.settings("--data-dir=kept")
        assert settings.chat is not None
        self.assertEqual(settings.data_dir, self.cwd / "kept")
        self.assertEqual(settings.chat.database, f"sqlite:///{self.cwd / 'kept' / 'chat.sqlite'}")

    def test_a_default_id_secret(self) -> None:
        self.write("galaxy: {database_connection: 'sqlite:////universe.sqlite'}")
        error = self.assertRaises(SettingsError, self.settings)
        self.assertEqual(len(error.problems), 1)
        self.assertIn("chat: does not start while galaxy.id_secret is", str(error))

    def test_nothing_to_warn_of(self) -> None:
        self.write(CHATTING)
        self.assertEqual(self.loaded().warnings, ())

    def test_galaxys_address_is_not_known(self) -> None:
        self.write(GALAXYS.replace("galaxy_infrastructure_url", "brand"))
        self.assertEqual([one.path for one in self.loaded().warnings], ["galaxy.url"])

    def test_switched_off(self) -> None:
        self.write(
            GALAXYS.replace("interactivetools_enable: true", "enable_communication_server: false")
        )
        error = self.assertRaises(SettingsError, self.loaded)
        self.assertIn("chat.enabled: is false (enable_communication_server", str(error))


class OwnFileTests(ChatCommandCase):
    """With a giestack.yml."""

    def test_it_says_where(self) -> None:
        self.write(f"{OWN}chat: {{listen: [tcp:7777, 'tcp:7778'], rooms: [Lounge]}}", "g.yml")
        self.assertEqual(self.listens("--config=g.yml"), ("tcp:7777", "tcp:7778"))
        self.assertEqual(
            self.listens("--config=g.yml", "--host=::1"), ("tcp:7777:interface=\\:\\:1",)
        )
        self.assertEqual(self.listens("--config=g.yml", "--port=9"), ("tcp:9:interface=localhost",))

    def test_a_socket_has_no_port(self) -> None:
        self.write(f"{OWN}chat: {{listen: ['unix:/run/chat.sock']}}", "g.yml")
        self.assertEqual(
            self.listens("--config=g.yml", "--host=::1"), ("tcp:7070:interface=\\:\\:1",)
        )

    def test_without_a_section_of_the_chat(self) -> None:
        self.write(f"{OWN}data_dir: kept", "g.yml")
        settings = self.settings("--config=g.yml")
        assert settings.chat is not None
        self.assertEqual(settings.chat.listen, ("tcp:7070",))
        self.assertEqual(settings.data_dir, self.cwd / "kept")
        self.assertEqual(settings.admin.listen, ())

    def test_an_admin_listener_that_it_has(self) -> None:
        self.write(f"{OWN}admin:\n", "g.yml")
        self.assertEqual(self.settings("-c", "g.yml").admin.listen, Settings().admin.listen)
        self.write(f"{OWN}admin: {{listen: ['tcp:1']}}", "g.yml")
        self.assertEqual(self.settings("-c", "g.yml").admin.listen, ("tcp:1",))

    def test_the_rest_is_not_started(self) -> None:
        self.write(
            f"{OWN}proxy: {{services: [{{path: /a, backend: 'http://127.0.0.1:1'}}],"
            " session_maps: [map.sqlite], allowed_origins: ['https://a.example.org']}\n"
            "spawner: {profiles: [{name: lab, image: lab}]}\n",
            "g.yml",
        )
        settings = self.settings("-c", "g.yml")
        self.assertEqual(settings.proxy.listen, ())
        self.assertEqual((settings.proxy.services, settings.proxy.session_maps), ((), ()))
        self.assertEqual(settings.proxy.allowed_origins, ("https://a.example.org",))
        self.assertIsNone(settings.spawner)

    def test_what_is_wrong_in_it(self) -> None:
        self.write(f"{OWN}chat: {{rom: [Lounge]}}\n", "g.yml")
        error = self.assertRaises(SettingsError, self.settings, "-c", "g.yml")
        self.assertIn("chat.rom: there is no such key", str(error))


class MainTests(ChatCommandCase):
    def setUp(self) -> None:
        super().setUp()
        self.ran: list[Any] = []
        self.patch(twistd, "runApp", self.ran.append)
        self.patch(EVENT_LOG, "twistd", None)
        self.patch(os, "environ", {})
        self.patch(sys, "stderr", io.StringIO())
        self.addCleanup(os.chdir, Path.cwd())
        os.chdir(self.cwd)

    def test_it_runs_in_the_foreground_and_writes_no_pid(self) -> None:
        self.write(CHATTING)
        self.assertEqual(main(["--host=::1"]), 0)
        [config] = self.ran
        self.assertTrue(config["nodaemon"])
        self.assertEqual(config["pidfile"], "")
        self.assertEqual(config.loadedPlugins[config.subCommand].module, "giestack.tap")
        self.assertTrue(callable(config["logger"]))

    def test_what_the_service_is_told(self) -> None:
        file = self.write(CHATTING)
        main(["--port=7"])
        options = self.ran[0].subOptions
        self.assertIsNone(options["config"])
        self.assertEqual(options["galaxy-config"], str(file))
        given = options.overrides()
        self.assertEqual(given["chat.listen"], ["tcp:7:interface=localhost"])
        loaded = load(None, {}, self.cwd, given)
        self.assertEqual(options.meant(loaded), alone(loaded))

    def test_a_giestack_file(self) -> None:
        file = self.write(f"{OWN}chat:", "g.yml")
        main(["-c", "g.yml"])
        self.assertEqual(self.ran[0].subOptions["config"], str(file))

    def test_what_is_wrong_is_a_line_each(self) -> None:
        self.write(f"{OWN}chat: {{rom: [Lounge], rooms: 3.5}}\nlog: {{level: loud}}", "g.yml")
        self.assertEqual(main(["-c", "g.yml", "--host=::1"]), 1)
        assert isinstance(sys.stderr, io.StringIO)
        lines = sys.stderr.getvalue().splitlines()
        self.assertEqual((self.ran, len(lines)), ([], 3))
        self.assertTrue(all(line.startswith("giestack-chat: ") for line in lines), lines)
