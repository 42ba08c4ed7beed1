"""The command ``giestack-proxy``: what its command line means; tests/real starts it for real."""

import io
import os
import sys
from pathlib import Path
from typing import Any

from twisted.scripts import twistd
from twisted.trial.unittest import SynchronousTestCase

from giestack import proxy_command
from giestack.ops.event_log import EVENT_LOG
from giestack.proxy_command import (
    PLACES,
    can_listen,
    command_of,
    main,
    proxy_alone,
)
from giestack.settings.files import load
from giestack.settings.load import Loaded
from giestack.settings.schema import Settings

GALAXYS = """
galaxy:
  id_secret: a-secret-for-tests
  database_connection: sqlite:////srv/galaxy/universe.sqlite
  galaxy_infrastructure_url: https://galaxy.example.org/
  interactivetools_enable: true
  enable_communication_server: true
  communication_server_port: 7070
gravity:
  gx_it_proxy: {port: 4002, ip: 0.0.0.0}
"""


class ProxyCommandCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.cwd = Path(self.mktemp()).absolute()
        (self.cwd / "config").mkdir(parents=True)
        self.patch(os, "environ", {})
        self.addCleanup(os.chdir, Path.cwd())
        os.chdir(self.cwd)

    def write(self, text: str = GALAXYS, name: str = PLACES[0]) -> Path:
        path = self.cwd / name
        path.write_text(text, encoding="utf-8")
        return path

    def options(self, *argv: str, **environ: str) -> list[str]:
        return list(command_of(argv, environ, self.cwd)[2])

    def ends(self, *argv: str) -> tuple[object, str]:
        """Exit status and what was said."""
        said = io.StringIO()
        self.patch(sys, "stdout", said)
        self.patch(sys, "stderr", said)
        stop = self.assertRaises(SystemExit, main, argv)
        return stop.code, said.getvalue()


class CommandLineTests(ProxyCommandCase):
    def test_their_defaults(self) -> None:
        self.assertEqual(command_of((), {}, self.cwd), ("localhost", 8000, []))

    def test_as_gravity_starts_gx_it_proxy(self) -> None:
        argv = (
            "--ip 127.0.0.1 --port 4002 --sessions database/interactivetools_map.sqlite --verbose "
            "--forwardIP 10.0.0.7 --forwardPort 4003 --reverseProxy "
            "--proxyPathPrefix /interactivetool/ep"
        )
        ip, port, options = command_of(argv.split(), {}, self.cwd)
        self.assertEqual((ip, port), ("127.0.0.1", 4002))
        self.assertEqual(
            options,
            [
                "--reverseProxy",
                "--verbose",
                "--sessions=database/interactivetools_map.sqlite",
                "--proxyPathPrefix=/interactivetool/ep",
                "--forwardIP=10.0.0.7",
                "--forwardPort=4003",
            ],
        )

    def test_as_galaxy_starts_main_js(self) -> None:
        argv = (
            "--sessions=/d/session_map.sqlite --ip 0.0.0.0 --port=8800 --reverseProxy --verbose "
            "--cookie galaxysession"
        )
        ip, port, options = command_of(argv.split(), {}, self.cwd)
        self.assertEqual((ip, port), ("0.0.0.0", 8800))
        self.assertIn("--sessions=/d/session_map.sqlite", options)
        self.assertIn("--cookie=galaxysession", options)

    def test_what_is_put_right(self) -> None:
        self.assertEqual(self.options("--proxyPathPrefix=/it/ep/"), ["--proxyPathPrefix=/it/ep"])
        self.assertEqual(self.options("--pollingInterval=0"), ["--pollingInterval=0"])
        self.assertEqual(self.options("--sessions="), [])

    def test_where_galaxys_configuration_is_looked_for(self) -> None:
        self.assertEqual(PLACES, ("config/galaxy.yml", "config/galaxy.ini", "galaxy.ini"))
        for place in reversed(PLACES):
            self.write(name=place)
            self.assertEqual(self.options(), [f"--galaxy-config={place}"])
        self.assertEqual(self.options(GALAXY_CONFIG_FILE="o.yml"), ["--galaxy-config=o.yml"])
        found = self.options("--galaxy-config=mine.yml", GALAXY_CONFIG_FILE="o.yml")
        self.assertEqual(found, ["--galaxy-config=mine.yml"])

    def test_a_configuration_that_is_out_of_reach_is_not_taken_for_none(self) -> None:
        place = self.cwd / PLACES[0]
        place.symlink_to("/not/mounted/galaxy.yml")
        self.assertEqual(self.options(), [f"--galaxy-config={PLACES[0]}"])
        status, said = self.ends("--port=1")
        self.assertIn("config/galaxy.yml: No such file or directory", f"{status}{said}")
        place.unlink()
        place.mkdir()
        self.assertEqual(self.options(), [f"--galaxy-config={PLACES[0]}"])
        place.rmdir()
        place.parent.rmdir()
        for target in ("/not/mounted", "config"):
            place.parent.symlink_to(target)
            self.assertEqual(self.options(), [f"--galaxy-config={PLACES[0]}"])
            place.parent.unlink()
        place.parent.write_text("no folder")
        self.assertEqual(self.options(), [])

    def test_a_database_without_a_configuration(self) -> None:
        name = "GALAXY_CONFIG_OVERRIDE_DATABASE_CONNECTION"
        self.patch(os, "environ", {name: "postgresql://galaxy:hidden@db/galaxy"})
        status, said = self.ends("--sessions=m.sqlite")
        self.assertEqual(status, 2)
        self.assertIn(f"{name} is set, but there is no configuration of Galaxy", said)
        self.assertNotIn("hidden", said)
        self.write()
        self.assertEqual(self.options(**os.environ), [f"--galaxy-config={PLACES[0]}"])

    def test_help_and_version(self) -> None:
        for option in ("-h", "--help"):
            status, said = self.ends(option)
            self.assertEqual(status, 0)
            for word in (
                *("--ip", "--port", "--sessions", "--cookie", "--verbose", "--proxyPathPrefix"),
                *("--forwardIP", "--forwardPort", "--reverseProxy", "--pollingInterval"),
                *("--galaxy-config", "8000", "localhost", *PLACES),
            ):
                self.assertIn(word, said)
        for option in ("-V", "--version"):
            status, said = self.ends(option)
            self.assertEqual((status, said[:9]), (0, "giestack "))

    def test_wrong_ones(self) -> None:
        for argv in (
            ("--foo",),
            ("extra",),
            ("--port",),
            ("--port=http",),
            ("--port=0",),
            ("--port=65536",),
            ("--port=-1",),
            ("--ip=a b",),
            ("--verb",),
            ("--sess=x.sqlite",),
            ("--config=giestack.yml",),
            ("--pollingInterval=-1",),
            ("--pollingInterval=soon",),
            ("--forwardIP=10.0.0.1",),
            ("--forwardPort=80",),
            ("--forwardIP=10.0.0.1", "--forwardPort=x"),
            ("--proxyPathPrefix=interactivetool",),
            ("--proxyPathPrefix=/a/../b",),
            ("--sessions=mysql://h/m",),
            ("--cookie=a=b",),
        ):
            # What runs is never reached.
            self.patch(twistd, "runApp", lambda config: config.subOptions.overrides())
            status, said = self.ends(*argv)
            self.assertEqual(status, 2, (argv, said))
            self.assertIn("usage: giestack-proxy", said)
            self.assertNotIn("Traceback", said)

    def test_a_bad_value_is_told_by_its_option(self) -> None:
        self.patch(twistd, "runApp", lambda config: config.subOptions.overrides())
        for option, value in (
            ("--proxyPathPrefix", "interactivetool"),
            ("--sessions", "mysql://h/m"),
            ("--cookie", "a=b"),
            ("--port", "http"),
        ):
            self.assertIn(f"argument {option}: ", self.ends(f"{option}={value}")[1])


class SettingsTests(ProxyCommandCase):
    def loaded(self, *argv: str, ipv6: bool = True) -> Loaded:
        """What it runs with."""
        ran: list[Any] = []
        self.patch(twistd, "runApp", ran.append)
        self.patch(EVENT_LOG, "twistd", None)
        self.patch(proxy_command, "can_listen", lambda _: ipv6)
        self.assertEqual(main(argv), 0)
        options = ran[0].subOptions
        self.assertFalse(options.own_files)
        self.assertEqual((ran[0]["nodaemon"], ran[0]["pidfile"]), (True, ""))
        loaded: Loaded = options.meant(load(None, {}, self.cwd, options.overrides()))
        return loaded

    def settings(self, *argv: str) -> Settings:
        return self.loaded(*argv).settings

    def said(self, *argv: str) -> list[str]:
        return [str(one) for one in self.loaded(*argv).warnings]

    def test_without_galaxy(self) -> None:
        settings = self.settings("--sessions=map.sqlite")
        self.assertEqual(settings.proxy.interactivetools_auth, "token")
        self.assertEqual(
            [one.path for one in settings.proxy.session_maps], [self.cwd / "map.sqlite"]
        )
        tools, old = self.said("--sessions=map.sqlite")
        for line in (tools, old):
            self.assertTrue(
                line.startswith("no configuration of Galaxy (looked at --galaxy-"), line
            )
        self.assertIn("open to whoever knows their URL", tools)
        self.assertIn("whoever sends the cookie that the map names", old)

    def test_with_galaxy(self) -> None:
        self.write()
        settings = self.settings()
        self.assertEqual(settings.proxy.interactivetools_auth, "owner")
        self.assertEqual(settings.galaxy.url, "https://galaxy.example.org/")
        [found] = settings.proxy.session_maps
        self.assertEqual(found.path, self.cwd / "database" / "interactivetools_map.sqlite")
        self.assertEqual(self.said(), [])
        [found] = self.settings("--sessions=other.sqlite").proxy.session_maps
        self.assertEqual(found.path, self.cwd / "other.sqlite")

    def test_galaxys_address_is_not_known(self) -> None:
        self.write(GALAXYS.replace("galaxy_infrastructure_url", "brand"))
        [line] = self.said()
        self.assertTrue(line.startswith("galaxy.url: is not known: only interactive tools by"))

    def test_nothing_to_go_by_is_no_open_relay(self) -> None:
        for argv in ((), ("--forwardIP=10.0.0.7", "--forwardPort=80")):
            settings = self.settings(*argv)
            self.assertEqual(settings.proxy.forward.allowed_targets, ())
            said = self.said(*argv)
            self.assertEqual(len(said), 3)
            self.assertIn("proxy.forward.allowed_targets", said[-1])

    def test_one_port_and_no_file(self) -> None:
        self.write()
        settings = self.settings("--ip=127.0.0.1", "--port=4002")
        self.assertEqual(settings.proxy.listen, ("tcp:4002:interface=127.0.0.1",))
        self.assertEqual((settings.admin.listen, settings.chat, settings.spawner), ((), None, None))
        self.assertEqual((settings.log.access, settings.log.audit), ("off", "off"))
        log = self.settings("--verbose").log
        self.assertEqual((log.access, log.audit, log.level), ("stdout", "off", "debug"))

    def test_the_go_proxys_api_keeps_a_file_and_so_is_not_here(self) -> None:
        golang = "dynamic_proxy: golang\n  dynamic_proxy_golang_api_key: 0123456789abcdef\ngravity:"
        self.write(GALAXYS.replace("gravity:", f"  {golang}"))
        self.assertIsNone(self.settings().proxy.go_api.api_key)
        [line] = [line for line in self.said() if line.startswith("proxy.go_api: ")]
        self.assertNotIn("0123456789abcdef", line)

    def test_localhost_has_two_addresses(self) -> None:
        both = ("tcp:8000:interface=127.0.0.1", "tcp:8000:interface=\\:\\:1")
        self.assertEqual(self.settings().proxy.listen, both)
        self.assertEqual(self.settings("--ip=localhost").proxy.listen, both)

    def test_a_machine_without_ipv6(self) -> None:
        listen = self.loaded("--port=7", ipv6=False).settings.proxy.listen
        self.assertEqual(listen, ("tcp:7:interface=127.0.0.1",))
        self.assertFalse(can_listen("2001:db8::1"))

    def test_other_addresses(self) -> None:
        for ip, interface in (("0.0.0.0", "0.0.0.0"), ("::1", "\\:\\:1"), ("::", "\\:\\:")):
            listen = self.settings(f"--ip={ip}").proxy.listen
            self.assertEqual(listen, (f"tcp:8000:interface={interface}",))

    def test_a_double_proxy(self) -> None:
        forward = self.settings("--forwardIP=::1", "--forwardPort=80", "--reverseProxy")
        self.assertEqual(
            (
                forward.proxy.forward.ip,
                forward.proxy.forward.port,
                forward.proxy.forward.reverse_proxy,
            ),
            ("::1", 80, True),
        )

    def test_polling(self) -> None:
        for text, seconds in (("2500", 2.5), ("0", 86400)):
            polling = self.settings(f"--pollingInterval={text}").proxy.polling_interval
            self.assertEqual(polling, seconds)

    def test_what_is_wrong_in_galaxys_file_is_no_mistake_of_the_command_line(self) -> None:
        self.write("galaxy: [1]")
        ran: list[Any] = []
        self.patch(twistd, "runApp", ran.append)
        self.patch(EVENT_LOG, "twistd", None)
        self.assertEqual(main(["--sessions=map.sqlite"]), 0)
        self.assertIn("galaxy.config_file", ran[0].subOptions.overrides())

    def test_warnings_of_what_is_not_there_are_left_out(self) -> None:
        loaded = load(None, {}, self.cwd, {"proxy.session_maps": ["a.sqlite"]})
        paths = [one.path for one in loaded.warnings]
        self.assertIn("proxy.interactivetools_auth", paths)
        self.assertEqual({one.path for one in proxy_alone(loaded).warnings}, {""})
