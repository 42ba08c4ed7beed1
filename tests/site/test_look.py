"""How own pages look."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import giestack.site
from giestack.site.links import Links
from giestack.site.look import TEMPLATES, Look
from tests.site.conversation import ADMIN, ALICE, GUEST, Galaxy, Said, ask, pages_of
from tests.site.fake_chat import FILES, FakeChat
from tests.site.fake_spawning import FakeSpawning, session

STYLE = Path(giestack.site.__file__).with_name("templates") / "style.css"


def luminance(colour: str) -> float:
    """Relative luminance as in WCAG 2.2."""
    full = "".join(c * 2 for c in colour) if len(colour) == 3 else colour
    parts = [int(full[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def allowed(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def colours() -> tuple[dict[str, str], dict[str, str]]:
    """The colours by day and by night, by name."""
    day: dict[str, str] = {}
    night: dict[str, str] = {}
    for name in ("style.css", "sessions.css"):
        found = re.findall(r":root\{([^}]*)\}", STYLE.with_name(name).read_text())
        for into, block in zip((day, night), found, strict=True):
            into |= dict(re.findall(r"--([a-z-]+):#([0-9a-f]+)", block))
    return day, day | night


class ContrastTests(SynchronousTestCase):
    def test_text_is_readable_by_day_and_by_night(self) -> None:
        for found in colours():
            for text, back in (
                ("text", "back"),
                ("text", "card"),
                ("text", "wait-back"),
                ("soft", "back"),
                ("soft", "card"),
                ("link", "back"),
                ("link", "card"),
                ("link", "wait-back"),
                ("on", "button"),
                ("good", "good-back"),
                ("good", "back"),
                ("wait", "wait-back"),
                ("wait", "card"),
                ("wait", "back"),
                ("bad", "bad-back"),
                ("bad", "card"),
            ):
                measured = contrast(found[text], found[back])
                self.assertGreaterEqual(measured, 4.5, f"{text} on {back}")

    def test_the_edge_of_a_field_is_seen(self) -> None:
        for found in colours():
            for back in ("back", "card"):
                self.assertGreaterEqual(contrast(found["edge"], found[back]), 3.0, back)


class PolicyTests(SynchronousTestCase):
    """What the browser lets a page do."""

    def policies(self, said: Said) -> dict[str, str]:
        lines = (said.header("content-security-policy") or "").split("; ")
        return {name: rest for name, _, rest in (line.partition(" ") for line in lines)}

    def test_a_page_may_run_its_own_script_and_nothing_else(self) -> None:
        site = pages_of(Galaxy(), spawning=FakeSpawning(session()))
        for path, visitor, scripts in (
            (b"", ALICE, 1),
            (b"sessions/s1", ALICE, 1),
            (b"sessions/s1/logs", ALICE, 1),
            (b"admin", ADMIN, 1),
            (b"launch?profile=jupyter", ALICE, 0),
            (b"nowhere", ALICE, 0),
            (b"admin", ALICE, 0),
        ):
            said = ask(site, b"/giestack/" + path, visitor)
            policies = self.policies(said)
            self.assertEqual(policies["default-src"], "'none'")
            self.assertEqual(policies["form-action"], "'self'")
            (style,) = re.findall(r"<style>(.*?)</style>", said.text, re.S)
            self.assertEqual(policies["style-src"], allowed(style))
            found = re.findall(r"<script type=\"module\">(.*?)</script>", said.text, re.S)
            self.assertEqual(said.text.count("<script"), scripts, path)
            self.assertEqual(len(found), scripts)
            if scripts:
                self.assertEqual(policies["script-src"], allowed(found[0]))
                self.assertEqual(policies["connect-src"], "'self'")
            else:
                self.assertNotIn("script-src", policies)
                self.assertNotIn("connect-src", policies)

    def test_the_bubble_of_the_chat(self) -> None:
        chat = FakeChat()
        site = pages_of(
            Galaxy(),
            Links(galaxy_url="https://usegalaxy.example.org/", chat=True),
            spawning=FakeSpawning(session()),
            chat=chat,
            files=FILES,
        )
        nonces = set()
        for path, visitor, hashes in (
            (b"", ALICE, 1),
            (b"sessions/s1", ALICE, 1),
            (b"sessions/s1/logs", ALICE, 1),
            (b"admin", ADMIN, 1),
            (b"launch?profile=jupyter", ALICE, 0),
        ):
            said = ask(site, b"/giestack/" + path, visitor)
            policies = self.policies(said)
            (nonce,) = re.findall(
                r'<script src="/giestack/chat/widget.js" nonce="([^"]+)" defer></script>', said.text
            )
            nonces.add(nonce)
            *own, by_nonce, loaded = policies["script-src"].split(" ")
            self.assertEqual((by_nonce, loaded), (f"'nonce-{nonce}'", "'strict-dynamic'"))
            self.assertEqual(len(own), hashes, path)
            self.assertEqual(policies["connect-src"], "'self' https://usegalaxy.example.org")
            self.assertNotIn("'self'", policies["style-src"])
        self.assertEqual(len(nonces), 5)

    def test_strangers_have_no_bubble(self) -> None:
        site = pages_of(Galaxy(), Links(chat=True), chat=FakeChat(), files=FILES)
        self.assertIn("widget.js", ask(site, b"/giestack/", ALICE).text)
        self.assertNotIn("widget.js", ask(site, b"/giestack/", GUEST).text)

    def test_refusals_have_no_bubble(self) -> None:
        """They are shown on the hosts of interactive tools, too."""
        site = pages_of(Galaxy(), Links(chat=True), chat=FakeChat(), files=FILES)
        said = ask(site, b"/giestack/nowhere", ALICE)
        self.assertNotIn("<script", said.text)
        self.assertNotIn("script-src", self.policies(said))

    def test_nothing_on_a_page_needs_more(self) -> None:
        for name in (*TEMPLATES, "page.html", "parts.html"):
            source = STYLE.with_name(name).read_text()
            self.assertNotRegex(source, r"\s(?:style|on[a-z]+)=", name)
            self.assertNotRegex(source, r"(?:src|href)=\"(?:https?:)?//", name)
        for name in {script for script in TEMPLATES.values() if script}:
            source = STYLE.with_name(name).read_text()
            self.assertNotRegex(
                source, r"innerHTML|outerHTML|insertAdjacent|eval\(|https?://", name
            )
            self.assertNotIn("</", source)


class AnswerTests(SynchronousTestCase):
    def test_values_are_escaped_in_every_template(self) -> None:
        look = Look(None)
        for name in TEMPLATES:
            source = STYLE.with_name(name).read_text()
            self.assertNotIn("|safe", source.replace(" ", ""))
            self.assertNotIn("autoescape", source)
        page = look.page(
            200,
            "demo.html",
            users=(),
            visitor=None,
            username="<b>",
            token='"><b>',
            next="",
            path="/",
            start="/",
        )
        self.assertNotIn(b"<b>", page.body)

    def test_json_is_ascii(self) -> None:
        answer = Look(None).json(200, {"a": "é</script>"})
        self.assertTrue(answer.body.isascii())
        self.assertEqual(json.loads(answer.body), {"a": "é</script>"})

    def test_a_redirection_is_not_kept(self) -> None:
        answer = Look(None).redirect(303, "/a")
        self.assertEqual(answer.status, 303)
        self.assertIn((b"Location", b"/a"), answer.headers)
        self.assertIn((b"Cache-Control", b"no-store"), answer.headers)
