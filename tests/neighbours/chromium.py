"""A real Chromium, Debian's own, driven by Playwright.

It is the one without a window, which is a third of the work for a machine.
"""

import functools
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from tests.neighbours.elsewhere import Elsewhere
from tests.neighbours.program import PATIENCE

SCREENSHOTS = "GIESTACK_TEST_SCREENSHOTS"
"""The environment variable that names a folder for screenshots."""

_AXE = resources.files("axe_playwright_python").joinpath("axe.min.js")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def in_a_thread(test_method: Callable[[Any], None]) -> Callable[[Any], None]:
    """Run a test in a thread of its own.

    Playwright switches greenlets; what traces the main thread would lose its place.
    """

    @functools.wraps(test_method)
    def run(test: Any) -> None:
        failures: list[BaseException] = []

        def body() -> None:
            try:
                test_method(test)
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
        if failures:
            raise failures[0]

    return run


@contextmanager
def chromium(
    where: Elsewhere | None = None, arguments: Sequence[str] = (), whole: bool = False
) -> Iterator[Browser]:
    """Start a browser, perhaps in another network; it ends with the block.

    ``arguments`` stand on its command line besides. ``whole``: all of Chromium, which keeps no
    cookies of third parties for visitors as these.
    """
    program = shutil.which("chromium")
    if not whole:
        program = shutil.which("chromium-headless-shell") or program
    if program is None:
        raise RuntimeError("There is no Chromium (Debian: apt install chromium-headless-shell)")
    if where is not None:
        program = where.program(program)
    given = [*_ARGUMENTS, *arguments, *(["--headless=new"] if whole else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=given)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visitor(browser: Browser, **options: Any) -> Iterator[BrowserContext]:
    """Somebody with a browser profile of their own; ``options`` as for a Playwright context."""
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE * 1000)
    try:
        yield context
    finally:
        context.close()


class Complaints:
    """What a page's console and scripts complain about.

    :ivar texts: errors and warnings so far.
    """

    def __init__(self, page: Page) -> None:
        self.texts: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.texts.append(f"pageerror: {error}"))

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.texts.append(f"{message.type}: {message.text} ({message.location})")


def foreign_requests(context: BrowserContext, origin: str) -> list[str]:
    """Return a list to which each URL is added that a page asks for elsewhere than at a site."""
    found: list[str] = []

    def look(request: Request) -> None:
        if not request.url.startswith((origin, "data:", "blob:")):
            found.append(request.url)

    context.on("request", look)
    return found


def violations(page: Page, *ignored: str) -> list[dict[str, Any]]:
    """What axe finds on a page that keeps people from using it; without the rules ``ignored``."""
    # Not a script of the page, so that its Content-Security-Policy says nothing to it.
    page.evaluate(_AXE.read_text("utf-8"))
    rules = {rule: {"enabled": False} for rule in ignored}
    options = {"rules": rules, "resultTypes": ["violations"]}
    found: list[dict[str, Any]] = page.evaluate("options => axe.run(options)", options)[
        "violations"
    ]
    return found


def fits(page: Page) -> bool:
    """Whether nobody has to scroll sideways."""
    found: bool = page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
    return found


LOOKS: tuple[tuple[str, dict[str, Any]], ...] = tuple(
    (f"{width}-{scheme}", {"viewport": viewport, "color_scheme": scheme})
    for width, viewport in (
        ("wide", {"width": 1280, "height": 800}),
        ("phone", {"width": 390, "height": 844}),
    )
    for scheme in ("light", "dark")
)
"""Screens to look at pages on, by name."""


def screenshot(page: Page, name: str, otherwise: Path) -> None:
    """Keep what the page shows, in the folder that `SCREENSHOTS` names, or in ``otherwise``."""
    folder = Path(os.environ.get(SCREENSHOTS) or otherwise)
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png")
