"""giestack in the place of Gravity's gx-it-proxy: beside what the real Gravity makes."""

import configparser
import os
import shlex
import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.proxy_command import command_of
from tests.neighbours.galaxy import new_folder
from tests.neighbours.gravity import Gravity, installed, options_of
from tests.neighbours.program import PATIENCE

ETC = Path(__file__).parents[2] / "etc"
SAMPLES = ETC / "gravity"
UNIT = (SAMPLES / "giestack-proxy.service").read_text()
GRAVITYS = "galaxy-gx-it-proxy.service"
DROP_IN = "galaxy-gx-it-proxy.service.d/giestack.conf"
EVERYTHING = {
    "ip": "127.0.0.1",
    "port": 4003,
    "sessions": "database/other.sqlite",
    "verbose": False,
    "forward_ip": "10.0.0.7",
    "forward_port": 4004,
    "reverse_proxy": True,
    "umask": "077",
    "start_timeout": 11,
    "stop_timeout": 12,
    "memory_limit": 2,
    "memory_high": 1,
    "environment": {"GALAXY_CONFIG_OVERRIDE_SESSION_DURATION": "60"},
}


PROGRAMS = ("npx", "giestack-proxy")
_MADE: dict[tuple[str, str], str] = {}


def made(test, process_manager, told):
    """What Gravity makes for these keys of ``gx_it_proxy``; once, for it takes its time."""
    key = (process_manager, repr(told))
    if key not in _MADE:
        _MADE[key] = Gravity(test).update(process_manager, told)
    return _MADE[key]


def arguments(command):
    """What stands behind the name of the program, or of the package, in a command line."""
    words = shlex.split(command)
    program = next(n for n, word in enumerate(words) if word.rpartition("/")[2] in PROGRAMS)
    return words[program + (2 if words[program].endswith("npx") else 1) :]


def verified(folder, name):
    """What systemd has to say of a unit in a folder, with its drop-ins there."""
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(folder / name)],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    lines = (done.stdout + done.stderr).splitlines()
    return done.returncode, [line for line in lines if str(folder) in line]


class UnitTests(SynchronousTestCase):
    def test_our_unit_has_all_that_gravity_can_write(self):
        theirs, ours = options_of(made(self, "systemd", EVERYTHING)), options_of(UNIT)
        self.assertEqual(theirs["MemoryMax"], ["2G"])
        # cgroup v1's, which systemd ignores since 2021.
        self.assertEqual(theirs.keys() - ours.keys(), {"BlockIOAccounting"})

    def test_our_unit_is_as_gravitys_where_nothing_is_told(self):
        theirs, ours = options_of(made(self, "systemd", {})), options_of(UNIT)
        for name in (
            *("Type", "Restart", "TimeoutStartSec", "TimeoutStopSec", "After", "PartOf"),
            *("WantedBy", "MemoryAccounting", "CPUAccounting"),
        ):
            self.assertEqual(ours[name], theirs[name], name)
        options = arguments(theirs["ExecStart"][0])
        self.assertIn("--proxyPathPrefix", options)
        ours_told = arguments(ours["ExecStart"][0])
        self.assertEqual(ours_told, ["--galaxy-config", "config/galaxy.yml", *options])

    def test_what_gravity_tells_gx_it_proxy_is_understood(self):
        for told in ({}, EVERYTHING):
            unit = options_of(made(self, "systemd", told))
            options = arguments(unit["ExecStart"][0])
            ip, port, given = command_of(options, {}, new_folder(self))
            expected = ("127.0.0.1", 4003) if told else ("localhost", 4002)
            self.assertEqual((ip, port), expected)
            self.assertEqual("--reverseProxy" in given, bool(told))
            self.assertEqual("--forwardIP=10.0.0.7" in given, bool(told))

    def test_the_drop_in(self):
        """systemd starts giestack; all that Gravity says of limits and times stays."""
        unit = made(self, "systemd", EVERYTHING)
        sample = (SAMPLES / DROP_IN).read_text()
        default = options_of(made(self, "systemd", {}))["ExecStart"][0]
        empty, command = options_of(sample)["ExecStart"]
        self.assertEqual(empty, "")
        self.assertEqual(arguments(command)[2:], arguments(default))
        for name in ("UMask", "TimeoutStopSec", "MemoryMax", "Environment"):
            self.assertIn(name, options_of(unit))
            self.assertNotIn(name, options_of(sample))
        folder = new_folder(self)
        (folder / GRAVITYS).write_text(unit)
        drop_in = folder / DROP_IN
        drop_in.parent.mkdir()
        drop_in.write_text(installed(SAMPLES / DROP_IN))
        status, said = verified(folder, GRAVITYS)
        self.assertEqual((status, said), (0, []))
        # What is wrong would be said.
        drop_in.write_text("[Service]\nExecStart=/bin/true\nBogus=1\n")
        status, said = verified(folder, GRAVITYS)
        self.assertIn("Bogus", " ".join(said))

    def test_all_units_are_good(self):
        folder = new_folder(self)
        for sample in (ETC / "giestack.service", SAMPLES / "giestack-proxy.service"):
            text = installed(sample)
            for path in ("/srv/giestack", "/srv/galaxy/server"):
                text = text.replace(path, str(folder))
            (folder / sample.name).write_text(text)
            self.assertEqual(verified(folder, sample.name), (0, []))


class ProgramTests(SynchronousTestCase):
    """The same for supervisor."""

    sample = SAMPLES / "giestack-proxy.supervisor.conf"

    def read(self, text):
        parser = configparser.RawConfigParser(inline_comment_prefixes=(" ;",))
        parser.read_string(text)
        [section] = parser.sections()
        return dict(parser[section])

    def test_our_program_is_as_gravitys(self):
        theirs = self.read(made(self, "supervisor", {}))
        ours = self.read(self.sample.read_text())
        # They are for several processes of a kind.
        self.assertEqual(theirs.keys() - ours.keys(), {"numprocs_start", "process_name"})
        for name in (
            *("startsecs", "stopwaitsecs", "autostart", "autorestart", "stopasgroup"),
            *("numprocs", "redirect_stderr"),
        ):
            self.assertEqual(ours[name], theirs[name], name)
        self.assertEqual(arguments(ours["command"])[2:], arguments(theirs["command"]))

    def test_switched_off_gravity_makes_room_and_leaves_our_file_alone(self):
        gravity = Gravity(self)
        gravity.update("supervisor", {})
        ours = gravity.programs / self.sample.name
        ours.write_text(self.sample.read_text())
        self.assertEqual(gravity.update("supervisor", {"enable": False}), "")
        self.assertTrue(ours.exists())
