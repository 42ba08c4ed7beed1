"""What a session's program is told with every request."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.settings.spawner_schema import Profile
from giestack.spawner.engine import EngineError, Launch
from giestack.spawner.headers import filled_headers
from giestack.spawner.owner import Owner

ALICE = Owner("galaxy", 12, "f2db41e1fa331b3e", "alice", "alice@example.org")
LAUNCH = Launch(
    session_id="0a1b",
    owner=ALICE,
    profile=Profile(name="rstudio", title="RStudio"),
    name="mine",
    options={"greeting": "hello"},
    base_url="/giestack/session/0a1b/",
)


def launch(email: str = ALICE.email, /, **headers: str) -> Launch:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return replace(
        LAUNCH,
        owner=replace(ALICE, email=email),
        profile=replace(LAUNCH.profile, headers=named),
    )


class HeaderTests(SynchronousTestCase):
    def refused(self, one: Launch) -> str:
        return str(self.assertRaises(EngineError, filled_headers, one))

    def test_filled_in_in_the_order_of_the_profile(self) -> None:
        one = launch(
            X_RStudio_Root_Path="{base_path}", X_Base="{base_url}", X_Mail="<{email}>", X_Brace="{}"
        )
        self.assertEqual(
            filled_headers(one),
            (
                (b"X-RStudio-Root-Path", b"/giestack/session/0a1b"),
                (b"X-Base", b"/giestack/session/0a1b/"),
                (b"X-Mail", b"<alice@example.org>"),
                (b"X-Brace", b"{}"),
            ),
        )
        self.assertEqual(filled_headers(LAUNCH), ())

    def test_latin_letters(self) -> None:
        self.assertEqual(
            filled_headers(launch(X_Place=" Zürich\t\u00a0| ")),
            ((b"X-Place", b"Z\xfcrich\t\xa0|"),),
        )

    def test_what_a_header_cannot_hold_is_named_but_not_repeated(self) -> None:
        for email in (
            "a\r\nX-Admin: 1@x",
            "a\nb",
            "a\rb",
            "a\0b",
            "a\x7fb",
            "a\x85b",
            "Łódź@x",
            "😀",
        ):
            text = self.refused(launch(email, X_Name="{username}", X_Mail="mail {email}"))
            self.assertIn("RStudio is told {email} in the header “X-Mail”", text)
            self.assertNotIn(email, text)

    def test_a_profile_that_says_so_itself(self) -> None:
        self.assertIn("its value in the header “X-A”", self.refused(launch(X_A="a\nb")))
        for name in ("", "X A", "X:A", "X\r\nA", "É"):
            profile = replace(LAUNCH.profile, title="", headers={name: "1"})
            self.assertIn("rstudio is told", self.refused(replace(LAUNCH, profile=profile)))

    @given(st.text())
    def test_whatever_it_is_it_stays_on_its_line(self, email: str) -> None:
        try:
            [(name, value)] = filled_headers(launch(email, X_Mail="{email}"))
        except EngineError:
            return
        self.assertEqual(name, b"X-Mail")
        self.assertEqual(value.strip(b" \t").splitlines() or [b""], [value])
        self.assertNotIn(b"\0", value)
