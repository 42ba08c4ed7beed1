"""What a line of the access log looks like, and what never stands in one."""

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.ops.access_line import LineFormat, quoted, stamp, word
from giestack.ops.masking import Masking
from giestack.ops.traffic import LONGEST_TARGET, Traffic
from giestack.visitor import Identity
from tests.ops.test_traffic import ALICE, make_exchange

# The combined log format, as log analysers read it.
COMBINED = re.compile(
    r'(?P<addr>\S+) - (?P<user>\S+) \[(?P<time>[^\]]+)\] "(?P<request>[^"]*)" (?P<status>\d{3}) '
    r'(?P<bytes>\d+) "(?P<referer>[^"]*)" "(?P<agent>[^"]*)"'
    r" route=(?P<route>\S+) upstream=(?P<upstream>[\d.]+|-) total=(?P<total>[\d.]+)\n"
)
# 2026-11-21 08:33:03 UTC
NOW = 1795249983.0
EP = "/interactivetool/ep"
mask = Masking(EP, ("ep.interactivetool.galaxy.example.org",))


class LineTestCase(SynchronousTestCase):
    """Makes lines."""

    def setUp(self):
        self.clock = Clock()
        self.clock.advance(1000)
        self.form = LineFormat(mask)

    def line(self, target=b"/", **given):
        traffic = Traffic(self.clock)
        traffic.finished(make_exchange(self.clock, target, **given), b"198.51.100.1")
        return self.form(traffic.take()[0], NOW - 1000)

    def parts(self, target=b"/", **given):
        match = COMBINED.fullmatch(self.line(target, **given))
        assert match is not None
        return match.groupdict()


class LineTests(LineTestCase):
    """What stands where."""

    def test_whole(self):
        self.assertEqual(
            self.line(
                b"/a?b=1",
                lasted=0.0041,
                asked=1000.0,
                answered=1000.0031,
                sent=42,
                route="entry-point/3r3t",
                visitor=ALICE,
                fields=[(b"Referer", b"https://r/"), (b"User-Agent", b"Mozilla/5.0 (X11)")],
            ),
            '192.0.2.17 - alice [21/Nov/2026:08:33:03 +0000] "GET /a?b=1 HTTP/1.1" 200 42 '
            '"https://r/" "Mozilla/5.0 (X11)" route=entry-point/3r3t upstream=0.003 total=0.004\n',
        )

    def test_what_is_not_known(self):
        self.assertEqual(
            self.line(seen=False, status=0, method=b"-"),
            '198.51.100.1 - - [21/Nov/2026:08:33:03 +0000] "- / HTTP/1.1" 000 0 "-" "-" '
            "route=- upstream=- total=0.000\n",
        )

    def test_no_answer_of_the_backend(self):
        self.assertEqual(self.parts(asked=999.0, answered=0.0)["upstream"], "-")

    def test_times_are_never_negative(self):
        parts = self.parts(lasted=-5.0, asked=10.0, answered=5.0)
        self.assertEqual((parts["upstream"], parts["total"]), ("0.000", "0.000"))

    def test_each_line_has_its_own_time(self):
        self.assertIn("08:33:03", self.line())
        self.clock.advance(0.9)
        self.assertIn("08:33:03", self.line())
        self.clock.advance(0.1)
        self.assertIn("08:33:04", self.line())
        self.clock.advance(24 * 3600)
        self.assertIn("22/Nov/2026:08:33:04", self.line())

    def test_a_name_cannot_make_a_second_line(self):
        for name in (
            'al"ice',
            "al ice",
            "a\nb",
            "a\r\nb - -",
            "a\x00b",
            "a\\b",
            "ä",
            "a\ud800",
            "-",
        ):
            user = Identity("galaxy", 1, "x", name, "a@example.org", False, 7, "s3ss10n")
            parts = self.parts(visitor=user)
            self.assertNotIn("\n", parts["user"])
        self.assertEqual(self.parts(visitor=user)["user"], "-")

    def test_a_user_without_a_name(self):
        for name in (None, ""):
            user = Identity("galaxy", 1, "x", name, "a@example.org", False, 7, "s3ss10n")
            self.assertEqual(self.parts(visitor=user)["user"], "-")

    def test_an_address_that_a_front_claims(self):
        exchange = make_exchange(self.clock)
        object.__setattr__(exchange.request.seen, "address", b'1.2.3.4" \x1b[2J' + b"x" * 1000)
        traffic = Traffic(self.clock)
        traffic.finished(exchange, b"")
        match = COMBINED.fullmatch(self.form(traffic.take()[0], 0.0))
        assert match is not None
        self.assertTrue(match["addr"].startswith("1.2.3.4\\x22\\x20\\x1B[2Jxxx"))
        self.assertLess(len(match["addr"]), 300)

    def test_long_texts_say_that_they_were_cut(self):
        request = self.parts(b"/" + b"a" * 5000)["request"]
        self.assertTrue(request.endswith("aaa... HTTP/1.1"))
        self.assertLess(len(request), LONGEST_TARGET)

    def test_a_token_that_was_cut_in_two(self):
        host = b"3r3tktmrlsiv6-18tuwrng1ezzl.ep.interactivetool.galaxy.example.org"
        for cut in range(len(host)):
            padding = LONGEST_TARGET - cut - len(b"/?next=//")
            line = self.line(b"/?next=" + b"a" * padding + b"//" + host)
            self.assertNotIn("18tu", line)

    @given(
        target=st.binary(max_size=40),
        route=st.text(max_size=20),
        name=st.text(max_size=20),
        fields=st.binary(max_size=40).map(lambda b: re.sub(rb"[\x00-\x1f\x7f]", b"", b)),
    )
    def test_anything_is_one_line(self, target, route, name, fields):
        user = Identity("galaxy", 1, "x", name, "a@example.org", False, 7, "s3ss10n")
        line = self.line(
            target,
            route=route,
            visitor=user,
            fields=[(b"Referer", fields), (b"User-Agent", fields)],
        )
        self.assertRegex(line, COMBINED)
        self.assertEqual(line.count("\n"), 1)
        self.assertTrue(line.isascii())
        self.assertEqual(line.partition('"')[2].partition('"')[0].count(" "), 2)


class SecretTests(LineTestCase):
    """Secrets of a request that do not show up in its line."""

    def test_secrets(self):
        secret = b"18tuwrng1ezzl"
        tool = b"/interactivetool/ep/3r3tktmrlsiv6/" + secret
        host = b"3r3tktmrlsiv6-" + secret + b".ep.interactivetool.galaxy.example.org"
        cookie = b"galaxysession=" + secret
        for target in (
            tool + b"/lab",
            b"/?next=https%3A%2F%2F" + host,
            b"/?TOKEN=" + secret,
            b"/?%61pi_key=" + secret,
            b"/?" + cookie,
            b"http://alice:" + secret + b"@galaxy.example.org/",
        ):
            line = self.line(
                target,
                visitor=Identity(
                    "galaxy", 1, "x", "alice", "a@example.org", False, 7, secret.decode()
                ),
                fields=[
                    (b"Cookie", cookie),
                    (b"Authorization", b"Bearer " + secret),
                    (b"Referer", b"https://" + host + tool + b"?ticket=" + secret),
                    (b"User-Agent", b"Mozilla/5.0 " + cookie + b" (+https://" + host + b")"),
                ],
            )
            self.assertIn("alice", line)
            self.assertIn("3r3tktmrlsiv6", line)
            self.assertNotIn(secret.decode(), line)


class WordTests(SynchronousTestCase):
    def test_escapes(self):
        self.assertEqual(quoted(b'a "b" \\ \n\x7f\xe4'), "a \\x22b\\x22 \\x5C \\x0A\\x7F\\xE4")
        self.assertEqual(word(b"a b"), "a\\x20b")
        self.assertEqual(word(b""), "-")

    def test_stamp(self):
        self.assertEqual(stamp(0), "01/Jan/1970:00:00:00 +0000")
        self.assertEqual(stamp(int(NOW)), "21/Nov/2026:08:33:03 +0000")
