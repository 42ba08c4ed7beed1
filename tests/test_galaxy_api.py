"""Asking Galaxy's API, over sockets: a Galaxy that does as it should, and ones that don't."""

import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet import reactor as global_reactor  # noqa: TID251 - real sockets
from twisted.internet import ssl
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from giestack.galaxy_api import PATIENCE, GalaxyApi, outcome_of
from giestack.proxy.ask import Answer, Ask
from giestack.proxy.endpoints import Endpoints
from giestack.settings.schema import GalaxySettings
from giestack.visitor import Anonymous, Identity
from tests.neighbours.certificates import certificate

reactor: Any = global_reactor

ALICE = Identity("galaxy", 12, "f2db", "alice", "alice@example.org", False, 1, "key-of-alice")
GUEST = Anonymous(5, "key-of-guest")
JSON = {"Content-Type": "application/json"}


class FakeGalaxy(Resource):
    """Answers everything as a test has it, and remembers what it was asked.

    ``answers`` are (status, body, header fields), by the last segment of the path or for all.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.answers: dict[str, tuple[int, bytes, dict[str, str]]] = {}
        self.answer = (200, b"null", JSON)
        self.silent = False
        self.heard: Deferred[None] = Deferred()

    def render(self, request: Request) -> Any:
        fields = {
            name.decode().lower(): b", ".join(values).decode()
            for name, values in request.requestHeaders.getAllRawHeaders()
        }
        path = request.uri.decode()
        self.asked.append((request.method.decode(), path, fields))
        if self.silent:
            self.heard.callback(None)
            return NOT_DONE_YET
        status, body, more = self.answers.get(path.rpartition("/")[2], self.answer)
        request.setResponseCode(status)
        for name, value in more.items():
            request.setHeader(name, value)
        return body


class GalaxyApiTests(TestCase):
    def setUp(self) -> None:
        self.fake = FakeGalaxy()
        self.clock: Any = reactor
        self.words: list[str] = []
        hear: Any = self.note
        globalLogPublisher.addObserver(hear)
        self.addCleanup(globalLogPublisher.removeObserver, hear)
        port = reactor.listenTCP(0, Site(self.fake), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.port = port.getHost().port
        self.settings = GalaxySettings(url=f"http://127.0.0.1:{self.port}/galaxy/")

    def note(self, event: Any) -> None:
        if event.get("log_namespace") == "giestack.galaxy_api.GalaxyApi":
            self.words.append(event["log_format"].format(**event))

    def api(self) -> GalaxyApi:
        ask = Ask(self.clock, Endpoints(reactor, 5.0))
        return GalaxyApi(
            ask, lambda key: f"cookie-of-{key}", lambda key: (key, f"old{key}"), self.settings
        )

    async def stop(self, visitor: Identity | Anonymous = ALICE) -> str:
        return await self.api().stop("k1", visitor)

    async def test_what_galaxy_is_asked(self) -> None:
        self.assertEqual(await self.stop(), "stopping")
        [(method, path, fields)] = self.fake.asked
        self.assertEqual((method, path), ("DELETE", "/galaxy/api/entry_points/k1"))
        self.assertEqual(
            fields,
            {
                "host": f"127.0.0.1:{self.port}",
                "accept": "*/*",
                "connection": "close",
                "cookie": "galaxysession=cookie-of-key-of-alice",
            },
        )
        self.assertEqual(self.words, [])

    async def test_an_anonymous_visitors_session_is_as_good(self) -> None:
        self.settings = replace(self.settings, cookie_name="othersession")
        self.assertEqual(await self.stop(GUEST), "stopping")
        self.assertEqual(self.fake.asked[0][2]["cookie"], "othersession=cookie-of-key-of-guest")

    async def test_galaxy_may_spell_the_id_another_way(self) -> None:
        self.fake.answers["k1"] = (400, b'{"err_msg": "no id"}', JSON)
        self.assertEqual(await self.stop(), "stopping")
        self.assertEqual([path[-6:] for _, path, _ in self.fake.asked], ["nts/k1", "/oldk1"])

    async def test_a_tool_that_galaxy_does_not_have(self) -> None:
        self.fake.answer = (400, b'{"err_msg": "no id"}', JSON)
        self.assertEqual(await self.stop(), "gone")
        self.assertEqual(len(self.fake.asked), 2)
        self.fake.answer = (404, b'{"err_msg": "not found"}', JSON)
        self.assertEqual(await self.stop(), "gone")
        self.assertEqual((len(self.fake.asked), self.words), (3, []))

    async def test_a_galaxy_that_fails(self) -> None:
        for answer, outcome, said in (
            ((500, b'{"err_msg": "x"}', JSON), "failed", "it says 500 Internal Server Error"),
            ((200, b"<html>welcome</html>", {}), "failed", "it says 200 OK"),
            ((200, b"[" * 60_000, JSON), "failed", "it says 200 OK"),
            ((200, b"1" * 70_000, JSON), "failed", "it says 200 OK"),
            ((404, b"<html>nginx</html>", {}), "failed", "it says 404 Not Found"),
            ((503, b"<html>nginx</html>", {}), "unavailable", "it says 503"),
            ((403, b'{"err_msg": "not yours"}', JSON), "not-owner", "it says 403 Forbidden"),
            ((401, b"", {}), "login", "it says 401 Unauthorized"),
        ):
            self.words.clear()
            self.fake.answer = answer
            self.assertEqual(await self.stop(), outcome, answer[:1])
            [words] = self.words
            self.assertIn(said, words)
            self.assertNotIn("cookie-of", words)

    async def test_a_redirection_is_followed_nowhere(self) -> None:
        here = f"http://127.0.0.1:{self.port}/login"
        self.fake.answer = (302, b"", {"Location": here})
        self.assertEqual(await self.stop(), "login")
        self.assertEqual(len(self.fake.asked), 1)

    async def test_a_galaxy_that_is_silent(self) -> None:
        self.clock = Clock()
        self.fake.silent = True
        stopping = Deferred.fromCoroutine(self.stop())
        await self.fake.heard
        self.clock.advance(PATIENCE - 1)
        self.assertNoResult(stopping)
        self.clock.advance(1)
        self.assertEqual(self.successResultOf(stopping), "unavailable")
        self.assertIn("does not answer in time", self.words[0])

    async def test_a_galaxy_that_is_away(self) -> None:
        self.settings = GalaxySettings(url="http://127.0.0.1:1/")
        self.assertEqual(await self.stop(), "unavailable")
        self.assertIn("nothing listens at its address", self.words[0])

    async def test_the_address_of_galaxys_own_jobs_where_no_other_is_known(self) -> None:
        here = f"http://localhost:{self.port}/"
        self.settings = GalaxySettings(galaxy_infrastructure_url=here)
        self.assertEqual(await self.stop(), "stopping")
        self.settings = GalaxySettings(url="http://127.0.0.1:1/", galaxy_infrastructure_url=here)
        self.assertEqual(await self.stop(), "unavailable")
        self.assertEqual(len(self.fake.asked), 1)

    async def test_a_site_whose_front_logs_people_in(self) -> None:
        front, galaxy = "http://127.0.0.1:1/", f"http://localhost:{self.port}/"
        for own, outcome in (
            (galaxy, "stopping"),
            ("http://galaxy.example.org/", "unavailable"),
            (None, "unavailable"),
        ):
            self.settings = GalaxySettings(
                url=front, galaxy_infrastructure_url=own, use_remote_user=True
            )
            self.assertEqual(await self.stop(), outcome, own)
            self.assertEqual(self.api().url, own if outcome == "stopping" else front)
        own = "https://galaxy.example.org/"
        self.settings = replace(self.settings, galaxy_infrastructure_url=own)
        self.assertEqual(self.api().url, own)

    async def test_no_address_at_all(self) -> None:
        self.settings = GalaxySettings()
        self.assertEqual(await self.stop(), "unavailable")
        self.assertIn("galaxy.url is not set", self.words[0])

    async def test_another_address_while_it_runs(self) -> None:
        settings, self.settings = self.settings, GalaxySettings()
        api = self.api()
        api.configure(settings)
        self.assertEqual(await api.stop("k1", ALICE), "stopping")

    async def test_tls_by_a_ca_of_ones_own(self) -> None:
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        ca, _, signer = certificate(folder, "ca")
        cert, key, _ = certificate(folder, "galaxy", signer)
        context = ssl.DefaultOpenSSLContextFactory(str(key), str(cert))
        port = reactor.listenSSL(0, Site(self.fake), context, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        url = f"https://localhost:{port.getHost().port}/"
        self.settings = GalaxySettings(url=url)
        self.assertEqual(await self.stop(), "unavailable")
        self.assertIn("does not lead to an authority of this system", self.words[0])
        self.assertEqual(self.fake.asked, [])
        self.settings = GalaxySettings(url=url, ca_file=ca)
        self.assertEqual(await self.stop(), "stopping")
        self.settings = GalaxySettings(url=url, ca_file=folder / "nothing.pem")
        self.assertEqual(await self.stop(), "unavailable")


class OutcomeTests(SynchronousTestCase):
    def test_every_answer_means_something(self) -> None:
        body = json.dumps({"err_msg": "x"}).encode()
        expected = {200: "stopping", 400: "gone", 403: "not-owner", 404: "gone", 401: "login"}
        expected |= dict.fromkeys((502, 503, 504, 0), "unavailable")
        expected |= dict.fromkeys(range(300, 400), "login")
        for status in (0, *range(200, 600)):
            found = outcome_of(Answer(status, "", body, True))
            self.assertEqual(found, expected.get(status, "failed"), status)

    def test_a_part_of_an_answer_is_none(self) -> None:
        self.assertEqual(outcome_of(Answer(200, "OK", b"1", False)), "failed")
