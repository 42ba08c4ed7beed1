"""How own pages look."""

import json
import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import giestack.site
from giestack.site.look import TEMPLATES, Look

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


class ContrastTests(SynchronousTestCase):
    def test_text_is_readable_by_day_and_by_night(self) -> None:
        found = re.findall(r":root\{([^}]*)\}", STYLE.read_text())
        self.assertEqual(len(found), 2)
        day, night = (dict(re.findall(r"--([a-z-]+):#([0-9a-f]+)", block)) for block in found)
        for colours in (day, day | night):
            for text, back in (
                ("text", "back"),
                ("text", "card"),
                ("text", "wait-back"),
                ("soft", "back"),
                ("soft", "card"),
                ("link", "back"),
                ("link", "card"),
                ("on", "button"),
                ("good", "good-back"),
                ("wait", "wait-back"),
            ):
                measured = contrast(colours[text], colours[back])
                self.assertGreaterEqual(measured, 4.5, f"{text} on {back}")


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
