"""One address of the own pages, and all that can go wrong with it."""

import tempfile
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from giestack.database import DatabaseBusy
from giestack.proxy.decision import Refuse
from giestack.site.asked import LONGEST_FORM, Answer, Asked
from giestack.site.endpoint import Endpoint, Handler, OwnSite, RefusalError
from giestack.site.links import Links
from giestack.site.refusals import RefusalPages
from tests.site.conversation import ALICE, Said, ask, seen_as


class Endpoints(SynchronousTestCase):
    def setUp(self) -> None:
        self.asked: list[Asked] = []
        self.clock = Clock()
        self.refusals = RefusalPages(Links(), self.clock)

    async def fine(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        return self.refusals.look.json(200, "fine")

    def site(
        self, handlers: Mapping[bytes, Handler], origins: frozenset[bytes] | None = None
    ) -> OwnSite:
        root = Endpoint({}, self.refusals.answer)
        root.putChild(b"one", Endpoint(handlers, self.refusals.answer, origins))
        return OwnSite(root, self.clock)


class AnswerTests(Endpoints):
    def test_what_is_asked_arrives(self) -> None:
        site = self.site({b"POST": self.fine})
        seen = seen_as(b"h:1", b"https")
        said = ask(site, b"/one?a=%2F", ALICE, b"POST", [(b"X-A", b"b")], b"body", seen)
        self.assertEqual(said.json, "fine")
        (asked,) = self.asked
        self.assertEqual((asked.method, asked.target), (b"POST", b"/one?a=%2F"))
        self.assertIs(asked.visitor, ALICE)
        self.assertIs(asked.seen, seen)
        self.assertTrue(asked.accepts_html)
        self.assertEqual(asked.single(b"x-a"), b"b")
        self.assertEqual(asked.body, b"body")

    def test_who_the_visitor_is_comes_from_nowhere_else(self) -> None:
        ask(self.site({b"GET": self.fine}), b"/one", None, headers=[(b"visitor", b"alice")])
        self.assertIsNone(self.asked[0].visitor)

    def test_the_whole_answer_comes_and_nothing_about_the_server(self) -> None:
        said = ask(self.site({b"GET": self.fine}), b"/one")
        self.assertTrue(said.complete)
        self.assertFalse(said.lost)
        self.assertEqual(said.header("content-length"), str(len(said.body)))
        self.assertIsNone(said.header("server"))

    def test_head_is_get_without_the_body(self) -> None:
        said = ask(self.site({b"GET": self.fine}), b"/one", method=b"HEAD")
        self.assertEqual((said.status, said.body), (200, b""))
        self.assertTrue(said.complete)
        self.assertEqual(said.header("content-length"), str(len(b'"fine"\n')))

    def test_a_large_body_is_not_read_to_its_end(self) -> None:
        ask(self.site({b"POST": self.fine}), b"/one", method=b"POST", body=b"x" * 200_000)
        self.assertEqual(len(self.asked[0].body), LONGEST_FORM + 1)

    def test_of_a_large_body_nothing_goes_to_the_disk_and_little_stays(self) -> None:
        """Anybody may send one."""

        def refuse(*args: object) -> None:
            raise OSError(28, "No space left on device")

        self.patch(tempfile, "TemporaryFile", refuse)
        for chunked in (False, True):
            transport = StringTransport()
            transport.visitor, transport.seen = ALICE, seen_as()  # type: ignore[attr-defined]
            channel: Any = self.site({b"POST": self.fine}).buildProtocol(None)
            channel.makeConnection(transport)
            length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 1000000"
            channel.dataReceived(b"POST /one HTTP/1.1\r\nHost: h\r\n%b\r\n\r\n" % length)
            (request,) = channel.requests
            piece = b"186a0\r\n%b\r\n" % (b"x" * 100_000) if chunked else b"x" * 100_000
            for _ in range(10):
                self.assertLessEqual(request.content.tell(), LONGEST_FORM + 1)
                channel.dataReceived(piece)
            channel.dataReceived(b"0\r\n\r\n" if chunked else b"")
            self.assertIn(b"200 OK", transport.value())
            self.assertEqual(len(self.asked.pop().body), LONGEST_FORM + 1)

    def test_a_head_as_large_as_the_front_door_lets_in(self) -> None:
        fields = [(b"X-%d" % n, b"x" * 20_000) for n in range(3)]
        self.assertEqual(ask(self.site({b"GET": self.fine}), b"/one", headers=fields).status, 200)

    def test_over_a_connection_that_stays(self) -> None:
        transport = StringTransport()
        transport.visitor, transport.seen = ALICE, seen_as()  # type: ignore[attr-defined]
        channel = self.site({b"GET": self.fine}).buildProtocol(None)
        channel.makeConnection(transport)
        for _ in range(2):
            channel.dataReceived(b"GET /one HTTP/1.1\r\nHost: h\r\n\r\n")
            self.assertTrue(transport.value().endswith(b'\r\n\r\n"fine"\n'))
            transport.clear()
        self.assertEqual([asked.visitor for asked in self.asked], [ALICE, ALICE])

    def test_nothing_is_left_behind(self) -> None:
        ask(self.site({b"GET": self.fine}), b"/one")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_an_unknown_address(self) -> None:
        for target in (b"/two", b"/one/", b"/one/more", b"/one/a/b"):
            said = ask(self.site({b"GET": self.fine}), target, html=False)
            self.assertEqual((said.status, said.json["error"]), (404, "no-such-route"), target)

    def test_an_answer_that_takes_time(self) -> None:
        waiting: Deferred[Answer] = Deferred()

        async def later(asked: Asked) -> Answer:
            return await waiting

        said = ask(self.site({b"GET": later}), b"/one")
        self.assertFalse(said.complete)
        waiting.callback(self.refusals.look.json(200, 1))
        self.assertTrue(said.complete)
        self.assertEqual(said.json, 1)


class FailureTests(Endpoints):
    def failing(self, error: Exception) -> Said:
        async def fail(asked: Asked) -> Answer:
            raise error

        return ask(self.site({b"GET": fail}), b"/one", html=False)

    def test_a_refusal(self) -> None:
        said = self.failing(RefusalError(Refuse(413, "too-large", "Too large.")))
        self.assertEqual(said.status, 413)
        self.assertEqual(said.json, {"error": "too-large", "message": "Too large."})

    def test_a_database_that_does_not_answer(self) -> None:
        said = self.failing(DatabaseBusy("password in here"))
        self.assertEqual((said.status, said.json["error"]), (503, "identity-unavailable"))
        self.assertEqual(said.header("retry-after"), "5")
        self.assertNotIn("password", said.text)

    def test_an_error_is_logged_and_not_shown(self) -> None:
        said = self.failing(ZeroDivisionError("secret"))
        self.assertEqual((said.status, said.json["error"]), (500, "internal-error"))
        self.assertNotIn("secret", said.text)
        self.assertNotIn("Zero", said.text)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_an_answer_that_cannot_be_sent_is_logged(self) -> None:
        async def impossible(asked: Asked) -> Answer:
            return Answer(200, ((b"bad name", b"x"),))

        said = ask(self.site({b"GET": impossible}), b"/one")
        self.assertFalse(said.complete)
        # Nobody waits for it.
        self.assertTrue(said.lost)
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_a_client_that_goes_ends_the_work_for_it(self) -> None:
        cancelled: list[object] = []
        waiting: Deferred[Answer] = Deferred(cancelled.append)

        async def later(asked: Asked) -> Answer:
            return await waiting

        said = ask(self.site({b"GET": later}), b"/one")
        said.hang_up()
        self.assertEqual(cancelled, [waiting])
        self.assertEqual(said.body, b"")
        self.assertEqual(self.flushLoggedErrors(), [])


class MethodTests(Endpoints):
    def test_a_method_that_is_not_known(self) -> None:
        for method in (b"DELETE", b"OPTIONS", b"BREW"):
            site = self.site({b"GET": self.fine, b"POST": self.fine})
            said = ask(site, b"/one", method=method, html=False)
            self.assertEqual((said.status, said.json["error"]), (405, "method-not-allowed"))
            self.assertEqual(said.header("allow"), "GET, HEAD, POST")
        self.assertEqual(self.asked, [])


class WriteTests(Endpoints):
    """Who may change something by a cookie alone."""

    def status(
        self, *headers: tuple[bytes, bytes], method: bytes = b"DELETE", host: bytes = b"h.example"
    ) -> int:
        site = self.site(
            {b"GET": self.fine, b"DELETE": self.fine}, frozenset({b"https://galaxy.example"})
        )
        said = ask(site, b"/one", ALICE, method, headers, seen=seen_as(host), html=False)
        self.assertEqual(bool(self.asked), said.status == 200)
        self.asked.clear()
        return said.status

    def test_reading_is_free(self) -> None:
        self.assertEqual(self.status(method=b"GET"), 200)
        self.assertEqual(self.status(method=b"HEAD"), 200)

    def test_nothing_that_any_page_could_not_send_too(self) -> None:
        self.assertEqual(self.status(), 403)

    def test_our_own_header(self) -> None:
        self.assertEqual(self.status((b"X-Giestack", b"1")), 200)
        self.assertEqual(self.status((b"x-giestack", b"0")), 403)
        self.assertEqual(self.status((b"X-Giestack", b"1"), (b"X-Giestack", b"1")), 403)

    def test_the_origin_of_our_own_host(self) -> None:
        for host, origin in (
            (b"h.example", b"http://h.example"),
            (b"h.example:8800", b"http://h.example:8800"),
            (b"h.example", b"https://H.example"),
            (b"h.example", b"https://h.example:8443"),
        ):
            self.assertEqual(self.status((b"Origin", origin), host=host), 200, origin)

    def test_a_page_that_somebody_on_the_way_has_written(self) -> None:
        seen = seen_as(b"h.example", scheme=b"https")
        site = self.site({b"DELETE": self.fine}, frozenset())
        for origin, status in ((b"http://h.example", 403), (b"https://h.example", 200)):
            headers = [(b"Origin", origin)]
            said = ask(site, b"/one", ALICE, b"DELETE", headers, seen=seen, html=False)
            self.assertEqual(said.status, status, origin)

    def test_an_allowed_origin(self) -> None:
        self.assertEqual(self.status((b"Origin", b"https://galaxy.example")), 200)

    def test_any_other_origin(self) -> None:
        for host, origin in (
            (b"h.example", b"https://evil.example"),
            (b"h.example", b"null"),
            (b"h.example", b""),
            (b"h.example", b"http://"),
            (b"h.example", b"ftp://h.example"),
            (b"h.example:8800", b"http://h.example:9900"),
            (b"h.example:8800", b"http://h.example"),
            (b"h.example", b"http://galaxy.example"),
            (b"", b"http://:1"),
        ):
            headers = [(b"Origin", origin), (b"Host", b"h.example")]
            self.assertEqual(self.status(*headers, host=host), 403, origin)
        twice = (b"Origin", b"https://galaxy.example")
        self.assertEqual(self.status(twice, twice), 403)
