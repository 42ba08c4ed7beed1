"""What is asked of an engine."""

import json
from urllib.parse import unquote

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface import implementer
from zope.interface.verify import verifyObject

from giestack.docker.request import Request, filtered, produced, segment


class KeptTests(SynchronousTestCase):
    def test_by_the_method(self) -> None:
        for method, wanted in (
            ("GET", "repeated"),
            ("PUT", "repeated"),
            ("DELETE", "repeated"),
            ("POST", "avoided"),
        ):
            request = Request(kind="x", method=method, path="/", body=b"x")
            self.assertEqual(request.about_kept, wanted)

    def test_as_it_is_said(self) -> None:
        request = Request(kind="x", method="POST", path="/", body={}, kept="told")
        self.assertEqual(request.about_kept, "told")

    def test_what_produces_a_body_can_do_so_once(self) -> None:
        request = Request(kind="x", method="PUT", path="/", body=Never(), kept="repeated")
        self.assertEqual(request.about_kept, "avoided")


class TextTests(SynchronousTestCase):
    def test_filters_are_json_in_one_value(self) -> None:
        found = filtered({"label": ["a=b", "c"], "name": []})
        self.assertEqual(list(found), ["filters"])
        self.assertEqual(json.loads(found["filters"]), {"label": ["a=b", "c"]})

    def test_no_filters_at_all(self) -> None:
        self.assertEqual(filtered({"label": ()}), {})

    def test_a_name_stays_within_its_segment(self) -> None:
        for name in ("plain", "../../info", "a?b#c", "ü ☃", "%2e"):
            self.assertNotRegex(segment(name), "[/?# ]")
            self.assertEqual(unquote(segment(name)), name)


@implementer(IBodyProducer)
class Never:
    """Produces nothing until it is told to stop."""

    length = UNKNOWN_LENGTH

    def __init__(self) -> None:
        self.stopped = 0
        self.producing: Deferred[None] = Deferred()

    def startProducing(self, consumer: object) -> "Deferred[None]":
        return self.producing

    def stopProducing(self) -> None:
        self.stopped += 1

    def pauseProducing(self) -> None:
        """There is nothing."""

    def resumeProducing(self) -> None:
        """There is nothing."""


class BodyTests(SynchronousTestCase):
    def test_bytes(self) -> None:
        body, transport = produced(b"abc"), StringTransport()
        verifyObject(IBodyProducer, body)
        self.assertEqual(body.length, 3)
        self.successResultOf(body.startProducing(transport))
        for call in (body.pauseProducing, body.resumeProducing, body.stop, body.stopProducing):
            call()
        self.assertEqual(transport.value(), b"abc")

    def test_one_that_is_at_work_is_stopped_once(self) -> None:
        inner = Never()
        body = produced(inner)
        body.stop()
        self.assertEqual(inner.stopped, 0)
        producing = body.startProducing(StringTransport())
        producing.cancel()
        self.failureResultOf(producing, CancelledError)
        body.stop()
        body.stop()
        self.assertEqual(inner.stopped, 1)

    def test_one_that_has_failed_is_left_alone(self) -> None:
        inner = Never()
        body = produced(inner)
        producing = body.startProducing(StringTransport())
        inner.producing.errback(Failure(OSError()))
        self.failureResultOf(producing, OSError)
        body.stop()
        self.assertEqual(inner.stopped, 0)
