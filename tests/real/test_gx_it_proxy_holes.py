"""The holes of gx-it-proxy: each is shown in the real one, and that giestack has it shut.

Where gx-it-proxy has it shut one day, its half of the test says so.
"""

import atexit
from functools import cache

from twisted.trial.unittest import SynchronousTestCase

from tests.neighbours.backend import WEBSOCKET, conversation, request
from tests.neighbours.galaxy import ALICE, BOB, PLAIN, PREFIX, Galaxy, cookie, new_folder
from tests.neighbours.giestack import COOKIE, Giestack, ask
from tests.neighbours.gx_it_proxy import GxItProxy
from tests.neighbours.program import free_port
from tests.neighbours.proxy_command import start_proxy
from tests.neighbours.witness import OK, Answer, Witness, values

ALICES = f"{COOKIE}={cookie(ALICE)}"
EVIL = "https://evil.example"
SWITCHED = Answer(
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: {accept}\r\n\r\n",
    "echo",
)


class _Process:
    """What ends with this process, instead of a test."""

    def addCleanup(self, function):
        atexit.register(function)


@cache
def site():
    """Alice's tool, its path, and both proxies before it; for all tests."""
    process = _Process()
    tool, galaxy = Witness(process), Galaxy(process)
    path = galaxy.publish(PLAIN, tool.port)
    gx = GxItProxy(process, galaxy.map_file)
    giestack = Giestack(process, galaxy)
    giestack.until_it_answers(path, 200, cookie=cookie(ALICE))
    gx.program.until(lambda: ask(gx.port, path).status == 200, "the map")
    return tool, path, gx, giestack


def target_of(witness):
    """What was asked for last."""
    return witness.arrived and witness.arrived.target


class HoleTests(SynchronousTestCase):
    def setUp(self):
        self.tool, self.path, self.gx, self.giestack = site()
        self.tool.answer, self.tool.arrived = OK, None

    def from_gx(self, path=None, **options):
        return ask(self.gx.port, path or self.path, **options)

    def from_giestack(self, path=None, **options):
        return self.giestack.ask(path or self.path, **options)

    def told(self, name):
        """What the tool was told in a field, since the last time."""
        arrived, self.tool.arrived = self.tool.arrived, None
        return b"; ".join(values(arrived.fields, name))

    def test_an_unknown_key_leads_to_port_80(self):
        """A page behind a firewall, or the front's own, is shown to whoever makes up a key."""
        try:
            inside = Witness(self, port=80)
        except OSError:
            # Others have it here, or it is not ours to have: its log says where it went.
            inside = None
        unknown = f"{PREFIX}/nokey/notoken/secret"
        found = self.from_gx(unknown)
        if inside is None:
            refused = "ECONNREFUSED" in self.gx.program.output and ":80" in self.gx.program.output
            self.assertTrue(refused or found.status not in (404, 502), self.gx.program.output)
        else:
            self.assertEqual((found.status, target_of(inside)), (200, b"/secret"))
            inside.arrived = None
        for user in (None, cookie(ALICE)):
            self.assertEqual(self.from_giestack(unknown, cookie=user).status, 404)
        self.assertTrue(inside is None or inside.arrived is None)

    def test_the_session_is_handed_to_the_container(self):
        """The code in it can be its visitor in Galaxy."""
        sent = {"Cookie": f"theirs=1; {ALICES}"}
        self.from_gx(headers=sent)
        self.assertEqual(self.told(b"cookie").decode(), sent["Cookie"])
        self.from_giestack(headers=sent)
        self.assertEqual(self.told(b"cookie"), b"theirs=1")

    def test_every_site_may_read_the_tool(self):
        """A page of any site asks with the visitor's cookies, and is shown the answer."""
        allow = "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"
        for asked, told in ((self.from_gx, [EVIL, "true"]), (self.from_giestack, [None, None])):
            found = asked(headers={"Cookie": ALICES, "Origin": EVIL})
            self.assertEqual((found.status, [found.headers[name] for name in allow]), (200, told))

    def test_whoever_has_the_link_is_let_in(self):
        """Somebody else, somebody who has logged out, and nobody."""
        for user, status in ((None, 401), (cookie(BOB), 403), (cookie(ALICE), 200)):
            self.assertEqual(self.from_gx(cookie=user).status, 200)
            self.assertEqual(self.from_giestack(cookie=user).status, status)

    def test_a_container_sets_the_session_of_its_visitor(self):
        """From then on the visitor works in an account of somebody else, and uploads to it."""
        tossed = b"galaxysession=evil; Path=/", b"sid=1; Domain=example.org", b"own=1"
        lines = b"".join(b"Set-Cookie: %b\r\n" % one for one in tossed)
        self.tool.answer = Answer(b"HTTP/1.1 200 OK\r\n%bContent-Length: 0\r\n\r\n" % lines)
        found = self.from_gx()
        self.assertEqual(found.headers.get_all("Set-Cookie"), [one.decode() for one in tossed])
        found = self.from_giestack(cookie=cookie(ALICE))
        self.assertEqual(found.headers.get_all("Set-Cookie"), ["own=1"])

    def test_every_site_may_open_a_websocket(self):
        """A page of any site, of another tool above all, runs what it likes in a kernel."""
        self.tool.answer = SWITCHED
        head = request(f"{self.path}/", f"Cookie: {ALICES}", f"Origin: {EVIL}", *WEBSOCKET)
        for port, status in ((self.gx.port, b"101"), (self.giestack.port, b"403")):
            client = conversation(self, port)
            client.send(head)
            self.assertEqual(client.head().split(b" ")[1], status)


class FarEndTests(SynchronousTestCase):
    def test_the_far_end_of_a_double_proxy_goes_anywhere(self):
        """Who reaches it reaches all that it can reach, whatever is said in headers."""
        inside = Witness(self)
        asked = {
            "X-Interactive-Tool-Host": "127.0.0.1",
            "X-Interactive-Tool-Port": str(inside.port),
        }
        gx = GxItProxy(self, None, ())
        self.assertEqual(ask(gx.port, "/secret", headers=asked).status, 200)
        self.assertEqual(target_of(inside), b"/secret")
        inside.arrived = None
        port = free_port()
        options = ["--ip", "127.0.0.1", "--port", str(port)]
        start_proxy(self, new_folder(self), new_folder(self), options).until_it_accepts(port)
        self.assertEqual(ask(port, "/secret", headers=asked).status, 404)
        # One that is a far end, and may go elsewhere.
        forward = {"proxy": {"forward": {"allowed_targets": [f"127.0.0.1:{free_port()}"]}}}
        far = Giestack(self, Galaxy(self), forward)
        self.assertEqual(far.ask("/secret", headers=asked).status, 403)
        self.assertIsNone(inside.arrived)
