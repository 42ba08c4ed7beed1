"""The links at the head of the pages."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.site.links import Links
from giestack.site.navigation import navigation
from tests.site.conversation import ADMIN, ALICE, GUEST


def titles(visitor, here="/giestack/", *, spawning=True, **links):
    return [link.title for link in navigation(Links(**links), visitor, here, spawning=spawning)]


class NavigationTests(SynchronousTestCase):
    def test_all_sessions_are_for_administrators(self) -> None:
        self.assertEqual(titles(ALICE), ["My sessions"])
        self.assertEqual(titles(ADMIN), ["My sessions", "All sessions"])
        self.assertEqual(titles(GUEST), ["My sessions"])

    def test_without_a_spawner_there_are_none(self) -> None:
        self.assertEqual(titles(ADMIN, spawning=False), [])

    def test_galaxy_or_the_demo(self) -> None:
        url = "https://galaxy.example.org/"
        self.assertEqual(titles(ALICE, galaxy_url=url), ["My sessions", "Galaxy"])
        self.assertEqual(
            titles(ALICE, galaxy_url=url, demo=True), ["My sessions", "Become another user"]
        )

    def test_the_chat(self) -> None:
        self.assertEqual(titles(ALICE, chat=True), ["My sessions", "Chat"])
        self.assertEqual(titles(ALICE, chat=True, spawning=False), ["My tools", "Chat"])
        self.assertEqual(titles(ALICE, chat=True, prefix="", spawning=False), [])

    def test_moderation_is_for_moderators(self) -> None:
        moderates = ADMIN.__eq__
        self.assertEqual(
            titles(ADMIN, chat=True, moderates=moderates),
            ["My sessions", "All sessions", "Chat", "Moderation"],
        )
        for visitor in (ALICE, GUEST):
            found = titles(visitor, chat=True, moderates=moderates)
            self.assertEqual(found, ["My sessions", "Chat"])

    def test_the_page_itself_is_marked(self) -> None:
        found = navigation(Links(), ADMIN, "/giestack/admin", spawning=True)
        self.assertEqual([link.here for link in found], [False, True])
