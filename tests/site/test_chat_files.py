"""The chat's page and its files."""

import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.site.asked import Asked
from giestack.site.chat_files import ChatPage, WidgetFiles
from tests.site.chat_conversation import ChatHouse
from tests.site.conversation import seen_as

STATIC = "/static/0123456789abcdef"


def policies(line: str | None) -> dict[str, list[str]]:
    found = [one.split(" ") for one in (line or "").split("; ")]
    return {name: sources for name, *sources in found}


class PageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = ChatHouse()

    def test_anybody_may_ask_for_it_from_anywhere(self) -> None:
        """The masthead of Galaxy up to 20.09 does, without credentials."""
        for headers in ((), [(b"Origin", b"https://other.example.org")]):
            said = self.house.ask("/", None, headers=headers, alone=True, html=True)
            self.assertEqual(said.status, 200)
            self.assertEqual(said.header("access-control-allow-origin"), "*")
            self.assertIsNone(said.header("access-control-allow-credentials"))
            self.assertEqual(said.header("content-type"), "text/html; charset=utf-8")

    def test_it_may_run_what_its_one_script_loads(self) -> None:
        said, again = self.house.ask("/", None), self.house.ask("/", None)
        allowed = policies(said.header("content-security-policy"))
        (nonce,) = re.findall(r'<script nonce="([^"]+)" src="widget.js" defer>', said.text)
        self.assertEqual(allowed["script-src"], [f"'nonce-{nonce}'", "'strict-dynamic'"])
        self.assertNotEqual(
            policies(again.header("content-security-policy"))["script-src"],
            allowed["script-src"],
        )
        self.assertEqual(allowed["default-src"], ["'none'"])
        self.assertEqual(allowed["connect-src"], ["'self'", "https://usegalaxy.example.org"])
        style = b64encode(sha256(b"p{}").digest()).decode()
        self.assertEqual(allowed["style-src"], [f"'sha256-{style}'"])

    def test_galaxy_may_show_it_in_a_frame(self) -> None:
        allowed = policies(self.house.ask("/", None).header("content-security-policy"))
        self.assertEqual(allowed["frame-ancestors"], ["'self'", "https://usegalaxy.example.org"])

    def test_without_a_galaxy_and_without_a_script(self) -> None:
        files = WidgetFiles("1", {"page.html": b"<p>nothing</p>"})
        asked = Asked(b"GET", b"/", True, seen_as())
        answer = self.successResultOf(_awaited(ChatPage(files, None), asked))
        allowed = policies(dict(answer.headers)[b"Content-Security-Policy"].decode())
        self.assertEqual(allowed["frame-ancestors"], ["'self'"])
        self.assertEqual(allowed["connect-src"], ["'self'"])
        self.assertEqual(allowed["style-src"], ["'none'"])
        self.assertEqual(answer.body, b"<p>nothing</p>")


class LoaderTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = ChatHouse()

    def test_any_page_may_name_it(self) -> None:
        said = self.house.ask("/widget.js", None, headers=[(b"Origin", b"https://x.example")])
        self.assertEqual(said.body, b"console.log('loader');")
        self.assertEqual(said.header("content-type"), "text/javascript; charset=utf-8")
        self.assertEqual(said.header("access-control-allow-origin"), "*")
        self.assertEqual(said.header("cross-origin-resource-policy"), "cross-origin")
        self.assertEqual(said.header("cache-control"), "no-cache")

    def test_who_has_it_does_not_get_it_again(self) -> None:
        tag = (self.house.ask("/widget.js", None).header("etag") or "").encode()
        for named in (tag, b"W/" + tag, b'"other", ' + tag):
            said = self.house.ask("/widget.js", None, headers=[(b"If-None-Match", named)])
            self.assertEqual((said.status, said.body), (304, b""))
            self.assertEqual(said.header("etag"), tag.decode())
            self.assertIsNone(said.header("content-length"))
            self.assertTrue(said.complete)
        said = self.house.ask("/widget.js", None, headers=[(b"If-None-Match", b'"other"')])
        self.assertEqual(said.status, 200)


class StaticTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = ChatHouse()

    def test_files_are_kept_for_ever(self) -> None:
        for path, content_type, body in (
            ("view/start.js", "text/javascript; charset=utf-8", b"export const start = 1;"),
            ("view/chat.css", "text/css; charset=utf-8", b"p{}"),
            ("locale/de.json", "application/json", b"{}"),
            ("view/bell.svg", "image/svg+xml", b"<svg/>"),
        ):
            said = self.house.ask(f"{STATIC}/{path}", None)
            self.assertEqual((said.status, said.body), (200, body))
            self.assertEqual(said.header("content-type"), content_type)
            self.assertEqual(said.header("access-control-allow-origin"), "*")
            self.assertEqual(said.header("x-content-type-options"), "nosniff")
            self.assertEqual(said.header("cache-control"), "public, max-age=31536000, immutable")

    def test_a_worker_may_do_its_work_and_a_picture_nothing(self) -> None:
        script = self.house.ask(f"{STATIC}/view/start.js", None)
        self.assertIsNone(script.header("content-security-policy"))
        picture = self.house.ask(f"{STATIC}/view/bell.svg", None)
        self.assertIn("sandbox", picture.header("content-security-policy") or "")

    def test_nothing_else_is_there(self) -> None:
        for path in (
            "/static",
            "/static/",
            STATIC,
            f"{STATIC}/",
            f"{STATIC}/view",
            f"{STATIC}/view/",
            f"{STATIC}/view/start.js/",
            f"{STATIC}//view/start.js",
            f"{STATIC}/view%2Fstart.js",
            f"{STATIC}/view/../view/start.js",
            f"{STATIC}/view/%2e%2e/view/start.js",
            f"{STATIC}/..%2f..%2fwire.py",
            f"{STATIC}/%00",
            f"{STATIC}/widget.js",
            f"{STATIC}/page.html",
            "/static/0000000000000000/view/start.js",
            "/static/view/start.js",
        ):
            self.assertEqual(self.house.ask(path, None).status, 404, path)

    def test_only_reading(self) -> None:
        said = self.house.ask(f"{STATIC}/view/start.js", None, "POST", body=b"x")
        self.assertEqual((said.status, said.header("allow")), (405, "GET, HEAD"))


class ReadTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        (self.folder / "view" / "__tests__").mkdir(parents=True)
        for name, text in (
            ("widget.js", "1"),
            ("page.html", "2"),
            ("view/start.js", "3"),
            ("view/other.html", "no"),
            ("view/__tests__/x.js", "no"),
            (".hidden.js", "no"),
            ("README.rst", "no"),
            ("view/package.json", "no"),
        ):
            (self.folder / name).write_text(text)

    def test_what_is_served(self) -> None:
        found = WidgetFiles.read(self.folder)
        self.assertEqual(set(found.files), {"widget.js", "page.html", "view/start.js"})
        self.assertEqual((found.loader, found.page), (b"1", b"2"))

    def test_the_version_is_that_of_all_files(self) -> None:
        versions = {WidgetFiles.read(self.folder).version for _ in range(2)}
        (self.folder / "view" / "start.js").write_text("4")
        versions.add(WidgetFiles.read(self.folder).version)
        (self.folder / "view" / "start.js").rename(self.folder / "view" / "begin.js")
        versions.add(WidgetFiles.read(self.folder).version)
        self.assertEqual(len(versions), 3)

    def test_the_package_has_them(self) -> None:
        found = WidgetFiles.read()
        self.assertIn(b"<script ", found.page)
        self.assertTrue(found.loader)
        self.assertLessEqual({"de", "en"}, set(found.languages))
        self.assertRegex(found.version, r"\A[0-9a-f]{16}\Z")


def _awaited(page, asked):
    from twisted.internet.defer import Deferred

    return Deferred.fromCoroutine(page(asked))
