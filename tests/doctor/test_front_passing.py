"""Checks of what passes through the front."""

import socket

from giestack.doctor import front_door as door_module
from giestack.doctor.asking import Answer
from giestack.doctor.check import Finding
from giestack.doctor.front_door import front_door
from giestack.doctor.front_passing import checks
from tests.doctor import fronts
from tests.doctor.deployments import NOW, deployment, found
from tests.doctor.servers import Asked, Change, FakeGiestack, Server, read_head
from tests.doctor.test_front import TEXT, FrontCase

ALL = (
    "front.websocket",
    "front.slashes",
    "front.buffering",
    "front.body",
    "front.errors",
    "front.clock",
)


class PassingCase(FrontCase):
    now = NOW

    def look(self, id: str, change: Change, text: str = TEXT, **giestack: object) -> list[Finding]:
        port = Server(self, FakeGiestack(change)).port
        one = deployment(text, front=f"http://127.0.0.1:{port}", now=lambda: self.now)
        return found(checks(one, front_door(one)), id)


class PassingTests(PassingCase):
    def test_nothing_of_what_does_not_arrive(self) -> None:
        for id in ALL:
            self.assertEqual(self.look(id, fronts.leads_elsewhere), [])
        self.assertEqual(checks(deployment(TEXT), None), ())

    def test_websockets(self) -> None:
        self.says("ok", self.look("front.websocket", fronts.keeps_all))
        self.says("fail", self.look("front.websocket", fronts.loses_upgrade), "does not arrive")

    def test_a_websocket_that_is_cut(self) -> None:
        fake = FakeGiestack(fronts.keeps_all)

        def serve(made: socket.socket) -> None:
            head = read_head(made)
            if b"/socket" in head:
                made.sendall(b"HTTP/1.1 101 S\r\n\r\n")
            else:
                asked = Asked(head)
                fronts.keeps_all(asked)
                made.sendall(fake._answer(asked))

        one = deployment(TEXT, front=f"http://127.0.0.1:{Server(self, serve).port}")
        self.says("fail", found(checks(one, front_door(one)), "front.websocket"))

    def test_slashes(self) -> None:
        self.says("ok", self.look("front.slashes", fronts.keeps_all))
        self.says("fail", self.look("front.slashes", fronts.decodes_slashes), "arrives as")
        self.says("fail", self.look("front.slashes", fronts.refuses_slashes), "Apache")

    def test_uploads(self) -> None:
        self.says("ok", self.look("front.body", fronts.keeps_all))
        self.says("warn", self.look("front.body", fronts.refuses_uploads), "413")
        limited = f"{TEXT}\nproxy: {{limits: {{body: 100M}}}}"
        self.says("ok", self.look("front.body", fronts.refuses_uploads, limited))

    def test_error_pages(self) -> None:
        self.says("ok", self.look("front.errors", fronts.keeps_all))
        self.says("warn", self.look("front.errors", fronts.has_pages_of_its_own), "replaces")

    def test_clocks(self) -> None:
        self.says("ok", self.look("front.clock", fronts.keeps_all))
        self.now = NOW + 60
        self.says("warn", self.look("front.clock", fronts.keeps_all), "59 s")


class BufferingTests(PassingCase):
    def gap(self, answer: Answer, gap: float) -> list[Finding]:
        self.patch(door_module, "event_gap", lambda *args: (answer, gap))
        return self.look("front.buffering", fronts.keeps_all)

    def test_at_once(self) -> None:
        body = b"data: first\n\ndata: last\n\n"
        self.says("ok", self.gap(Answer(200, {}, body), 2.0))

    def test_held_back(self) -> None:
        self.says("warn", self.look("front.buffering", fronts.keeps_all), "complete")

    def test_cut(self) -> None:
        for answer in (Answer(502, {}, b""), Answer(200, {}, b"data: first\n\n")):
            self.says("fail", self.gap(answer, 0.0), "does not come through")
