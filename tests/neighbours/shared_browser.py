"""One real Chromium for the tests of a module, one after the other: starting it takes seconds."""

import functools
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from playwright.sync_api import Browser

from tests.neighbours.chromium import chromium
from tests.neighbours.elsewhere import Elsewhere

LINGER = 2.0
"""Seconds for which the browser waits for another test, before it ends."""

_Job = tuple[Callable[[Browser], None], "Future[None]"]


class SharedBrowser:
    """Runs what it is given with a browser, in a thread of its own: Playwright stays in one.

    ``where`` returns the network that the browser is in, if that is not the machine's;
    ``arguments`` and ``whole`` are as for `chromium`.
    """

    def __init__(
        self,
        where: Callable[[], Elsewhere] | None = None,
        arguments: Sequence[str] = (),
        whole: bool = False,
    ) -> None:
        self._where = where
        self._arguments = arguments
        self._whole = whole
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._running = False

    def run(self, job: Callable[[Browser], None]) -> None:
        """Do the job, and raise what it raises."""
        done: Future[None] = Future()
        with self._lock:
            self._jobs.put((job, done))
            if not self._running:
                self._running = True
                threading.Thread(target=self._work).start()
        done.result()

    def _work(self) -> None:
        try:
            where = self._where and self._where()
            with chromium(where, self._arguments, self._whole) as browser:
                while self._goes_on(browser):
                    pass
        except BaseException as error:
            # It did not start, or end: who waits for it is told.
            with self._lock:
                self._running = False
                while not self._jobs.empty():
                    self._jobs.get()[1].set_exception(error)

    def _goes_on(self, browser: Browser) -> bool:
        try:
            job, done = self._jobs.get(timeout=LINGER)
        except queue.Empty:
            with self._lock:
                self._running = not self._jobs.empty()
                return self._running
        try:
            job(browser)
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(None)
        return True

    def lend(self, test_method: Callable[[Any], None]) -> Callable[[Any], None]:
        """Run a test with the browser as its ``browser``."""

        @functools.wraps(test_method)
        def run(test: Any) -> None:
            def job(browser: Browser) -> None:
                test.browser = browser
                test_method(test)

            self.run(job)

        return run


in_the_browser = SharedBrowser().lend
