"""Parts that are not there yet are refused by that word."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.settings import unready
from giestack.settings.kinds import keys_of
from giestack.settings.schema import Settings

from .world import EverythingThere, problems

HOST = "galaxy: {database_connection: 'postgresql://h/g', id_secret: abcd}\n"


class TableTests(SynchronousTestCase):
    def test_every_entry_is_a_key(self) -> None:
        for path in unready.NOT_YET:
            value: object = Settings()
            for name in path.split("."):
                self.assertIn(name, keys_of(type(value)), path)
                value = getattr(value, name)

    def test_texts_say_that_it_is_not_yet(self) -> None:
        for text in (*unready.NOT_YET.values(), *unready.NO_MAPS_YET.values()):
            self.assertRegex(text, "^no .* yet(; remove the (section|key))?$")


class RefusalTests(EverythingThere):
    def setUp(self) -> None:
        self.patch(
            unready,
            "NOT_YET",
            {
                "chat": "no chat yet; remove the section",
                "proxy.forward": "no double proxy yet; remove the section",
                "proxy.interactivetools_domains": "no domains yet; remove the key",
            },
        )
        self.patch(unready, "NO_MAPS_YET", {"postgresql": "no PostgreSQL session maps yet"})

    def test_sections(self) -> None:
        refused = "chat: this version of giestack has no chat yet; remove the section (line 2)"
        self.assertEqual(problems(HOST + "chat:"), [refused])
        self.assertEqual(problems(HOST + "chat: {opt_in: false}"), [refused])
        self.assertEqual(problems(HOST), [])

    def test_keys(self) -> None:
        (problem,) = problems("proxy:\n  forward: {ip: 10.0.0.1, port: 80}")
        self.assertIn("proxy.forward: this version of giestack has no double proxy yet", problem)
        self.assertIn("(line 2)", problem)
        self.assertEqual(problems("proxy: {forward: {reverse_proxy: false, ip: }}"), [])

    def test_what_follows_from_other_keys_is_nobodys_wish(self) -> None:
        self.assertEqual(problems("galaxy: {url: 'https://g.example'}"), [])
        (problem,) = problems(
            "galaxy: {url: 'https://g.example'}\nproxy: {interactivetools_domains: [x.example]}"
        )
        self.assertIn("no domains yet", problem)

    def test_maps(self) -> None:
        (problem,) = problems("proxy: {session_maps: [a.sqlite, 'postgresql://u:s3cret@h/m']}")
        self.assertTrue(
            problem.startswith("proxy.session_maps[1]: this version of giestack has no")
        )
        self.assertNotIn("s3cret", problem)

    def test_inside_is_checked_all_the_same(self) -> None:
        found = problems(HOST + "chat: {opt_in: 7}")
        self.assertEqual(len(found), 2)
        self.assertTrue(any(one.startswith("chat.opt_in: must be true") for one in found))

    def test_missing_part(self) -> None:
        self.assertEqual(unready.missing_part("chat"), "no chat yet; remove the section")
        self.assertEqual(unready.missing_part("chat.rooms"), "no chat yet; remove the section")
        self.assertIsNone(unready.missing_part("chats"))
        self.assertIsNone(unready.missing_part("proxy"))
        self.assertIsNone(unready.missing_map("sqlite"))
