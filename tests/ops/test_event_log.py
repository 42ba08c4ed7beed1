"""giestack's own log."""

import os
import sys
from io import StringIO
from pathlib import Path

from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel
from twisted.python.syslog import SyslogObserver
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from giestack.ops.event_log import EVENT_LOG, EventLog, LogFile


class EventLogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.log = EventLog()
        self.log.twistd = {"logfile": str(self.path)}

    def observer(self) -> ILogObserver:
        observer = self.log()
        self.assertTrue(verifyObject(ILogObserver, observer))
        return observer

    def written(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def test_it_writes_from_its_level_up(self) -> None:
        self.log.level = LogLevel.warn
        log = Logger("giestack.test", observer=self.observer())
        log.info("quiet {word}", word="word")
        log.warn("loud {word}", word="wörd")
        self.assertNotIn("quiet", self.written())
        self.assertIn("loud wörd", self.written())

    def test_another_level_while_it_writes(self) -> None:
        log = Logger("giestack.test", observer=self.observer())
        log.debug("quiet")
        self.log.level = LogLevel.debug
        log.debug("loud")
        self.assertNotIn("quiet", self.written())
        self.assertIn("loud", self.written())

    def test_noise_is_left_out(self) -> None:
        observer = self.observer()
        Logger("twisted.web.client._HTTP11ClientFactory", observer=observer).info("Starting")
        Logger("twisted.web.client._HTTP11ClientFactory", observer=observer).warn("Broken")
        self.assertNotIn("Starting", self.written())
        self.assertIn("Broken", self.written())

    def test_events_without_a_level_are_information(self) -> None:
        event: LogEvent = {"log_format": "bare", "log_time": 0.0}
        self.observer()(event)
        self.assertIn("bare", self.written())

    def test_it_goes_on_in_a_new_file(self) -> None:
        log = Logger("giestack.test", observer=self.observer())
        log.info("one")
        moved = self.path.rename(f"{self.path}.1")
        self.log.reopen()
        log.info("two")
        self.assertIn("one", moved.read_text())
        self.assertIn("two", self.written())
        self.assertNotIn("one", self.written())

    def test_it_stays_in_the_old_file_where_no_new_one_can_be_had(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        file = LogFile(folder / "log")
        moved = folder.rename(f"{folder}.moved")
        file.reopen()
        file.write("still here")
        file.flush()
        self.assertEqual((moved / "log").read_text(), "still here")

    def test_in_the_foreground_it_goes_to_standard_output(self) -> None:
        for options in ({"nodaemon": True}, {"nodaemon": True, "logfile": "-"}):
            out = StringIO()
            self.patch(sys, "stdout", out)
            self.log.twistd = options
            Logger("giestack.test", observer=self.observer()).info("hello")
            self.assertIn("hello", out.getvalue())
            self.log.reopen()

    def test_a_daemon_has_a_file_of_its_own(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        here = Path.cwd()
        self.addCleanup(os.chdir, here)
        os.chdir(folder)
        self.log.twistd = {"nodaemon": False}
        Logger("giestack.test", observer=self.observer()).info("hello")
        self.assertIn("hello", Path("twistd.log").read_text())

    def test_syslog(self) -> None:
        lines: list[str] = []
        self.patch(SyslogObserver, "openlog", staticmethod(lambda *options: None))
        self.patch(
            SyslogObserver, "syslog", staticmethod(lambda priority, text: lines.append(text))
        )
        self.log.twistd = {"syslog": True, "prefix": "giestack"}
        Logger("giestack.test", observer=self.observer()).info("hello")
        self.assertIn("hello", "".join(lines))

    def test_twistd_finds_it_by_its_name(self) -> None:
        self.assertIsInstance(EVENT_LOG, EventLog)
