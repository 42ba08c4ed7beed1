"""giestack's own log: what twistd would write, from a level up, without noise, reopened at need."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO, cast

from twisted.logger import (
    FilteringLogObserver,
    ILogFilterPredicate,
    ILogObserver,
    LegacyLogObserverWrapper,
    LogEvent,
    LogLevel,
    PredicateResult,
    textFileLogObserver,
)
from twisted.python.syslog import SyslogObserver
from zope.interface import implementer

# Says at level info whenever it connects anywhere.
_NOISY = ("twisted.web.client.", "twisted.internet.protocol.Factory")


class EventLog:
    """A factory of twistd's log observer, as ``twistd --logger`` takes one.

    :ivar level: the least level that is written; may be changed at any time.
    :ivar twistd: twistd's own options, which say where to log to.
    """

    def __init__(self) -> None:
        self.level: Any = LogLevel.info
        self.twistd: Mapping[str, Any] = {}
        self._file: LogFile | None = None

    def __call__(self) -> ILogObserver:
        """Make the observer; OSError where the log file can't be opened."""
        observer: ILogObserver = FilteringLogObserver(self._target(), [Wanted(lambda: self.level)])
        return observer

    def reopen(self) -> None:
        """Go on in a new file of the same name, after logrotate has moved the old one away."""
        if self._file is not None:
            self._file.reopen()

    def _target(self) -> ILogObserver:
        if self.twistd.get("syslog"):
            emit = SyslogObserver(self.twistd.get("prefix") or "giestack").emit
            to_syslog: ILogObserver = LegacyLogObserverWrapper(cast(Any, emit))
            return to_syslog
        name = self.twistd.get("logfile")
        if name == "-" or (self.twistd.get("nodaemon") and not name):
            return textFileLogObserver(sys.stdout)
        self._file = LogFile(Path(name or "twistd.log").absolute())
        return textFileLogObserver(cast(TextIO, self._file))


@implementer(ILogFilterPredicate)
class Wanted:
    """Lets events from a level up through, but no noise; ``level`` says which one it is now."""

    def __init__(self, level: Callable[[], Any]) -> None:
        self._level = level

    def __call__(self, event: LogEvent) -> Any:
        level = event.get("log_level", LogLevel.info)
        namespace = event.get("log_namespace", "")
        if level < self._level() or (level <= LogLevel.info and namespace.startswith(_NOISY)):
            return PredicateResult.no
        return PredicateResult.maybe


class LogFile:
    """A text file to append to, as far as a log observer needs one."""

    encoding = "utf-8"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO = self._open()

    def _open(self) -> TextIO:
        return self._path.open("a", encoding=self.encoding)

    def write(self, text: str) -> int:
        return self._file.write(text)

    def flush(self) -> None:
        self._file.flush()

    def reopen(self) -> None:
        """Open the file anew; where that can't be done, the old one stays open."""
        try:
            new = self._open()
        except OSError:
            return
        self._file, old = new, self._file
        old.close()


EVENT_LOG = EventLog()
"""The one of this process: twistd finds it by its name."""
