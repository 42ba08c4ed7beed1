"""What of an open WebSocket is kept."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.chat import websocket
from giestack.chat.at_rest import AT_REST, LET_GO, slim
from giestack.chat.edge import Edge
from tests.chat.web_sockets import HEAD, Host


class AtRestTests(SynchronousTestCase):
    def test_what_is_as_it_is_with_all_is_not_kept(self) -> None:
        self.assertEqual(slim({"state": 3, "wasClean": False, "data": b""}), {"state": 3})

    def test_what_differs_is_kept(self) -> None:
        busy = {"wasClean": True, "data": b"half a frame", "inside_message": True}
        self.assertEqual(slim(busy), busy)

    def test_what_the_handshake_needed_is_not_kept(self) -> None:
        self.assertEqual(slim({"http_headers": {"cookie": "secret"}, "_wskey": "key"}), {})

    def test_the_class_knows_what_its_connections_do_not(self) -> None:
        socket = Edge(Clock(), lambda visitor, outlet: None, lambda visitor, cut: print).socket(
            None
        )
        for name, value in AT_REST.items():
            self.assertIs(getattr(socket, name), value)

    def test_it_is_what_autobahn_makes(self) -> None:
        # Another version of Autobahn may have another idea of an idle connection.
        kept: list[dict[str, object]] = []
        host = Host()

        def keep(attributes: dict[str, object]) -> dict[str, object]:
            kept.append(dict(attributes))
            return slim(attributes)

        self.patch(websocket, "slim", keep)
        host.connect(head=HEAD)
        [made] = kept
        # Each connection would have counters of its own.
        made.pop("trafficStats")
        same = {name for name in AT_REST if made.get(name, self) == AT_REST[name]}
        self.assertGreater(len(same), 20)
        self.assertEqual({name for name in AT_REST if name in made} - same - LET_GO, set())
