"""A clock for code that works in threads: nothing happens but what the test lets happen."""

from queue import Empty, Queue
from typing import Any

from twisted.internet.task import Clock

_LONGEST_WAIT = 20


class ThreadedClock(Clock):
    """A clock to which threads may hand calls, as to a reactor.

    :ivar handed: how many they have handed to it.
    """

    def __init__(self):
        super().__init__()
        self.handed = 0
        self._calls: Queue[Any] = Queue()

    def callFromThread(self, callable, *args, **kwargs):
        """Keep a call until the test lets it happen."""
        self.handed += 1
        self._calls.put((callable, args, kwargs))

    def let_happen(self):
        """Wait for the next call of a thread and make it here."""
        try:
            callable, args, kwargs = self._calls.get(timeout=_LONGEST_WAIT)
        except Empty:
            raise AssertionError("no thread has called") from None
        callable(*args, **kwargs)

    def result_of(self, test, deferred):
        """Turn until a Deferred has fired, and return its result."""
        self.advance(0)
        while not deferred.called:
            self.let_happen()
            self.advance(0)
        return test.successResultOf(deferred)

    def failure_of(self, test, deferred, *kinds):
        """Turn until a Deferred has fired, and return why it failed."""
        failure = self.result_of(test, deferred.addErrback(lambda failure: [failure]))
        test.assertIsInstance(failure, list)
        test.assertIsInstance(failure[0].value, kinds)
        return failure[0].value
