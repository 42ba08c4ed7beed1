"""Chat's own addresses, below the own prefix and alone."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.routing.chat_paths import chat_place, in_chat_alone
from giestack.routing.places import ChatPlace, ChatWay, Nowhere, OwnPage, SpawnedSession
from giestack.routing.table import Prefixes, RouteTable

WAYS: dict[bytes, ChatWay] = {
    b"/": "public",
    b"/widget.js": "public",
    b"/static/0a1b/chat.js": "public",
    b"/static/": "public",
    b"/whoami": "personal",
    b"/api/prefs": "personal",
    b"/api/rooms/r1/events": "personal",
    b"/moderation": "page",
    b"/ws": "socket",
}


class ChatPathTests(SynchronousTestCase):
    def test_both_ways_lead_to_the_same(self) -> None:
        table = RouteTable(Prefixes())
        for path, way in WAYS.items():
            self.assertEqual(in_chat_alone(b"any.example.org", path), ChatPlace(way), path)
            self.assertEqual(table.locate(b"a", b"/giestack/chat" + path), ChatPlace(way), path)

    def test_the_root_without_a_slash(self) -> None:
        self.assertEqual(
            RouteTable(Prefixes()).locate(b"a", b"/giestack/chat"), ChatPlace("folder")
        )

    def test_paths_that_only_look_alike(self) -> None:
        table = RouteTable(Prefixes())
        self.assertEqual(table.locate(b"a", b"/giestack/chatty"), OwnPage(b"/chatty"))
        self.assertEqual(table.locate(b"a", b"/giestack/chat%2Fws"), OwnPage(b"/chat%2Fws"))
        self.assertEqual(
            table.locate(b"a", b"/giestack/session/chat/ws"), SpawnedSession("chat", b"/ws")
        )

    def test_nothing_else_is_there(self) -> None:
        for path in (b"/ws/", b"/WS", b"/static", b"/api", b"/widget.js/", b"/demo", b"//", b"x"):
            self.assertEqual(chat_place(path), Nowhere(), path)

    @given(st.binary())
    def test_any_bytes_have_an_answer(self, path: bytes) -> None:
        self.assertIsInstance(chat_place(path), (ChatPlace, Nowhere))
