"""The chat's addresses: which there are, and for whom."""

from twisted.trial.unittest import SynchronousTestCase

from tests.site.chat_conversation import ChatHouse
from tests.site.conversation import ALICE, Galaxy, ask, pages_of


class TreeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = ChatHouse()

    def test_the_same_below_the_prefix_and_alone(self) -> None:
        for alone in (False, True):
            for target, status in (
                ("/", 200),
                ("/?username=alice&persistent_communication_rooms=a,b", 200),
                ("/widget.js", 200),
                ("/static/0123456789abcdef/view/start.js", 200),
                ("/whoami", 200),
                ("/api/rooms/r1/events", 200),
                ("/ws", 426),
                ("/moderation", 403),
                ("/api/", 404),
                ("/api/rooms/r1", 404),
                ("/api/rooms/r1/else", 404),
                ("/api/rooms/r1/events/else", 404),
                ("/whoami/else", 404),
                ("/page.html", 404),
                ("/else", 404),
            ):
                said = self.house.ask(target, alone=alone)
                self.assertEqual(said.status, status, target)

    def test_the_folder_without_its_slash(self) -> None:
        said = self.house.ask("")
        self.assertEqual((said.status, said.header("location")), (301, "/giestack/chat/"))

    def test_where_there_is_no_chat(self) -> None:
        site = pages_of(Galaxy())
        for target in (b"/giestack/chat", b"/giestack/chat/", b"/giestack/chat/widget.js"):
            self.assertEqual(ask(site, target, ALICE).status, 404)
        self.assertEqual(ask(site, b"/giestack/api/v1/admin/chat/audit", ALICE).status, 404)

    def test_a_plain_request_where_websockets_are_spoken(self) -> None:
        said = self.house.ask("/ws", None)
        self.assertEqual((said.status, said.json["error"]), (426, "upgrade-required"))
