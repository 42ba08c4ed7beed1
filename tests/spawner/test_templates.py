"""Templates: words in braces, filled in once."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.settings.spawner_schema import Profile
from giestack.spawner.engine import Launch
from giestack.spawner.owner import Owner
from giestack.spawner.templates import (
    NAMES,
    OF_OWNER,
    fill,
    is_of_owner,
    names_in,
    unknown_names,
    values_of,
)

ALICE = Owner("galaxy", 12, "f2db41e1fa331b3e", "alice", "alice@example.org")
LAUNCH = Launch(
    session_id="0a1b",
    owner=ALICE,
    profile=Profile(name="jupyter"),
    name="mine",
    options={"rows": 7, "debug": True, "quiet": False, "greeting": "hello"},
    base_url="/giestack/session/0a1b/",
    galaxy_url="https://galaxy.example.org/",
)


class ValuesTests(SynchronousTestCase):
    def test_every_name_stands_for_something(self) -> None:
        values = values_of(LAUNCH, port=8888, socket="/run/s")
        self.assertEqual(
            values,
            {
                "user": "galaxy-12",
                "username": "alice",
                "user_id": "f2db41e1fa331b3e",
                "email": "alice@example.org",
                "session_id": "0a1b",
                "base_url": "/giestack/session/0a1b/",
                "base_path": "/giestack/session/0a1b",
                "galaxy_url": "https://galaxy.example.org/",
                "port": "8888",
                "socket": "/run/s",
                "options.rows": "7",
                "options.debug": "true",
                "options.quiet": "false",
                "options.greeting": "hello",
            },
        )
        self.assertEqual({name for name in values if "." not in name}, NAMES)

    def test_where_it_does_not_listen(self) -> None:
        values = values_of(LAUNCH)
        self.assertEqual((values["port"], values["socket"]), ("", ""))

    def test_no_username(self) -> None:
        values = values_of(replace(LAUNCH, owner=replace(ALICE, username=None)))
        self.assertEqual(values["username"], "galaxy-12")


class FillTests(SynchronousTestCase):
    def test_filled(self) -> None:
        values = values_of(LAUNCH, socket="/run/s")
        for text, expected in (
            ("--sock={socket}", "--sock=/run/s"),
            ("{user}{user}-{options.rows}", "galaxy-12galaxy-12-7"),
            ("home-{user}", "home-galaxy-12"),
            ("{port}", ""),
            ("", ""),
        ):
            self.assertEqual(fill(text, values), expected)

    def test_other_braces_are_text(self) -> None:
        for text in (
            *("${HOME}", "{}", "{ user }", "{USER}", "{user", "user}", "{user!r}", "{user.email}"),
            *("{options}", "{options.}", "{options.none}", "{other}", "{{", "{0}", "{__class__}"),
        ):
            self.assertEqual(fill(text, values_of(LAUNCH)), text)

    def test_an_inner_pair_counts(self) -> None:
        self.assertEqual(fill("{{user}}", values_of(LAUNCH)), "{galaxy-12}")

    def test_hostile_values_are_just_text(self) -> None:
        for email in ('a"$(id)"@x', "{user}@x", "{options.greeting}", r"\1\g<0>@x", "a\nb", "a b"):
            values = values_of(replace(LAUNCH, owner=replace(ALICE, email=email)))
            self.assertEqual(fill("<{email}|{user}>", values), f"<{email}|galaxy-12>")

    @settings(deadline=None)
    @given(
        st.lists(st.sampled_from([*sorted(NAMES), "options.greeting"])),
        st.text() | st.sampled_from(["{user}", "{email}", "{", "user}", "{options.greeting}"]),
    )
    def test_a_value_is_never_filled_again(self, names: list[str], value: str) -> None:
        values = dict.fromkeys([*NAMES, "options.greeting"], value)
        text = "+".join(f"{{{name}}}" for name in names)
        self.assertEqual(fill(text, values), "+".join(value for _ in names))

    @settings(deadline=None)
    @given(st.text())
    def test_a_text_without_names_stays(self, text: str) -> None:
        if not names_in(text):
            self.assertEqual(fill(text, values_of(LAUNCH)), text)


class NamesTests(SynchronousTestCase):
    def test_names(self) -> None:
        self.assertEqual(
            names_in("{socket} ${HOME} {options.a1_b} {other} {port}"),
            ["socket", "options.a1_b", "port"],
        )

    def test_unknown_options(self) -> None:
        options = frozenset(("rows",))
        text = "{options.rows} {options.row} {user} {users} {option.rows} {options}"
        self.assertEqual(unknown_names(text, options), ["options.row"])
        self.assertEqual(unknown_names(text, frozenset()), ["options.rows", "options.row"])

    def test_what_hangs_on_an_owner(self) -> None:
        for name in (*OF_OWNER, "options.rows"):
            self.assertTrue(is_of_owner(f"a {{{name}}}"), name)
        for name in (*sorted(NAMES - OF_OWNER), "other", "users"):
            self.assertFalse(is_of_owner(f"a {{{name}}} user"), name)
