"""The command line; tests/real starts it for real."""

import io
import os
import signal
import socket
import sys
from pathlib import Path

from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.python.usage import UsageError
from twisted.scripts.twistd import ServerOptions  # type: ignore[attr-defined]
from twisted.trial.unittest import SynchronousTestCase

from giestack.tap import Options, makeService


def keep_sighup(test: SynchronousTestCase) -> None:
    """Let SIGHUP mean after the test what it meant before."""
    test.addCleanup(signal.signal, signal.SIGHUP, signal.getsignal(signal.SIGHUP))


class PluginTests(SynchronousTestCase):
    def test_twistd_knows_it(self) -> None:
        [found] = [one for one in getPlugins(IServiceMaker) if one.tapname == "giestack"]
        self.assertIs(found.options, Options)
        self.assertIs(found.makeService, makeService)


class OptionsTests(SynchronousTestCase):
    def overrides(self, *arguments: str) -> dict[str, object]:
        options = Options()
        options.parseOptions(list(arguments))
        return options.overrides()

    def test_nothing_said_nothing_meant(self) -> None:
        self.assertEqual(self.overrides(), {})

    def test_the_options_of_the_old_proxies(self) -> None:
        found = self.overrides(
            "--ip=::1", "--port=8001", "--sessions=/maps/it.sqlite", "--cookie=mine", "--verbose",
            "--proxyPathPrefix=/it/ep", "--pollingInterval=2500", "--forwardIP=10.0.0.1",
            "--forwardPort=8002", "--reverseProxy",
        )  # fmt: skip
        self.assertEqual(
            found,
            {
                "proxy.listen": ["tcp:8001:interface=\\:\\:1"],
                "proxy.session_maps": ["/maps/it.sqlite"],
                "galaxy.cookie_name": "mine",
                "log.level": "debug",
                "proxy.interactivetools_prefix": "/it/ep",
                "proxy.polling_interval": "2.5",
                "proxy.forward.ip": "10.0.0.1",
                "proxy.forward.port": "8002",
                "proxy.forward.reverse_proxy": True,
            },
        )

    def test_their_defaults(self) -> None:
        self.assertEqual(
            self.overrides("--port=9"), {"proxy.listen": ["tcp:9:interface=localhost"]}
        )
        self.assertEqual(
            self.overrides("--ip=127.0.0.1"), {"proxy.listen": ["tcp:8000:interface=127.0.0.1"]}
        )

    def test_paths_are_those_of_the_command_line(self) -> None:
        found = self.overrides("--galaxy-config=config/galaxy.yml", "--sessions=it.sqlite")
        self.assertEqual(found["galaxy.config_file"], str(Path("config/galaxy.yml").absolute()))
        self.assertEqual(found["proxy.session_maps"], [str(Path("it.sqlite").absolute())])
        found = self.overrides("--sessions=postgresql://x@y/z")
        self.assertEqual(found["proxy.session_maps"], ["postgresql://x@y/z"])

    def test_never_polling(self) -> None:
        self.assertEqual(self.overrides("--pollingInterval=0"), {"proxy.polling_interval": "86400"})

    def test_unknown_options_are_refused(self) -> None:
        self.assertRaises(UsageError, self.overrides, "--ipp=1")

    def test_unknown_options_end_twistd(self) -> None:
        said = io.StringIO()
        self.patch(sys, "stderr", said)
        config = ServerOptions()
        stop = self.assertRaises(
            SystemExit, config.parseOptions, ["-n", "giestack", "--ipp=1", "--config=x"]
        )
        self.assertEqual(stop.code, 2)
        self.assertIn("giestack: option --ipp not recognized", said.getvalue())
        self.assertIn("[--config FILE | --demo | --galaxy-config FILE]", said.getvalue())


class MakeServiceTests(SynchronousTestCase):
    """What goes wrong is one line, and the end."""

    def setUp(self) -> None:
        keep_sighup(self)

    def fails(self, *arguments: str) -> str:
        options = Options()
        options.parseOptions(list(arguments))
        error = self.assertRaises(SystemExit, makeService, options)
        self.assertNotIn("Traceback", str(error.code))
        return str(error.code)

    def config(self, text: str) -> str:
        path = Path(self.mktemp())
        path.write_text(text)
        return f"--config={path}"

    def test_a_configuration_that_is_not_there(self) -> None:
        self.assertIn("nowhere.yml", self.fails("--config=/nowhere.yml"))

    def test_every_problem_on_a_line(self) -> None:
        lines = self.fails(self.config("proxy: {limits: {hed: 1}}\nlog: {level: loud}")).split("\n")
        self.assertEqual(len(lines), 2)
        self.assertTrue(all(line.startswith("giestack: ") for line in lines))

    def test_a_port_that_is_taken(self) -> None:
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        number = taken.getsockname()[1]
        folder = self.mktemp()
        text = (
            "galaxy: {id_secret: a-secret-for-tests, database_connection: 'sqlite:///g.sqlite', "
            "url: 'http://g.example.org/'}\n"
            f"proxy: {{listen: ['tcp:{number}:interface=127.0.0.1']}}\n"
            f"admin: {{listen: []}}\ndata_dir: {Path(folder).absolute()}\n"
        )
        self.assertIn(f"tcp:{number}", self.fails(self.config(text)))


class SignalTests(SynchronousTestCase):
    """SIGHUP from the beginning; the others are in tests/real."""

    def test_sighup_while_giestack_is_built_ends_nothing(self) -> None:
        keep_sighup(self)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        options = Options()
        options.parseOptions(["--config=/nowhere.yml"])
        self.assertRaises(SystemExit, makeService, options)
        self.assertTrue(callable(signal.getsignal(signal.SIGHUP)))
        os.kill(os.getpid(), signal.SIGHUP)
