"""Several giestacks on one session map behind one front, and the night in which one is killed."""

import signal

from twisted.trial.unittest import SynchronousTestCase

from tests.neighbours.backend import Conversation, Mirror
from tests.neighbours.fronts import HOST, HAProxy
from tests.neighbours.galaxy import ALICE, BOB, PLAIN, Galaxy, cookie, path_of
from tests.neighbours.giestack import COOKIE, Giestack
from tests.neighbours.postgres import postgres
from tests.neighbours.postgres_map import TRIGGER, PostgresGalaxyMap, row
from tests.neighbours.program import CleanUp, eventually

SERVERS = """option httpchk GET /health
    option redispatch
    retries 3
    retry-on all-retryable-errors
    default-server check inter 200ms fall 2 rise 1 observe layer4 on-error mark-down error-limit 1
    server a 127.0.0.1:{a.port} port {a.admin_port}
    server b 127.0.0.1:{b.port} port {b.admin_port}"""


ADMITTED = 'giestack_requests_total{kind="entry_point",status="200"}'


class Balancer(HAProxy):
    """HAProxy's sample with two giestacks."""

    def __init__(self, test: CleanUp, both: list[Giestack], galaxy_port: int) -> None:
        self.both = both
        super().__init__(test, both[0].port, galaxy_port)

    def giestack(self) -> dict[str, str]:
        a, b = self.both
        return {"server giestack 127.0.0.1:8800": SERVERS.format(a=a, b=b)}


class SeveralTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.galaxy = Galaxy(self)
        self.map = PostgresGalaxyMap(self, postgres())
        self.map.save()
        self.map.execute(TRIGGER)
        self.both = [self.giestack(), self.giestack()]
        for one in self.both:
            one.until_it_answers("/", 404)
        self.front = Balancer(self, self.both, Mirror(self).port)
        self.path = path_of(PLAIN)

    def giestack(self) -> Giestack:
        proxy = {"session_maps": [self.map.url], "interactivetools_prefix": "/interactivetool/ep"}
        return Giestack(self, self.galaxy, {"proxy": proxy}, wait=False)

    def publish(self, port: int) -> None:
        _, _, _, key, token = self.path.split("/")
        self.map.save(row(key, port, token))

    def status(self, case: str = ALICE) -> int:
        """That of one request through the front, over a connection of its own."""
        connection = self.front.connect()
        self.addCleanup(connection.close)
        conversation = Conversation(connection)
        conversation.send(
            f"GET {self.path}/ HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n"
            f"Cookie: {COOKIE}={cookie(case)}\r\n\r\n".encode()
        )
        head = conversation.head()
        return int(head.split()[1])

    def test_one_is_killed(self) -> None:
        self.publish(Mirror(self).port)
        # Both hear of it, whichever of them the front asks.
        for one in self.both:
            one.until_it_answers(f"{self.path}/", 200, cookie=cookie(ALICE))
        eventually(lambda: self.status() == 200, "an answer through the front")
        for _ in range(8):
            self.assertEqual((self.status(), self.status(BOB)), (200, 403))
        for one in self.both:
            self.assertGreater(one.metrics()[ADMITTED], 1)
        self.both[0].program.send(signal.SIGKILL)
        self.both[0].program.wait()
        for _ in range(20):
            self.assertEqual(self.status(), 200)
        self.publish(Mirror(self).port)
        self.assertEqual(self.status(), 200)
