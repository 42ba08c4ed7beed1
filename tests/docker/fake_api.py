"""How the fake Docker engine takes requests: routes, faults, connections."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from twisted.internet.defer import maybeDeferred
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from tests.docker.fake_http import STREAMED, Answer, Call, Fault, Refused, cut, later, refusal, send

if TYPE_CHECKING:
    from tests.docker.fake_docker import FakeDocker

NAME = "(?P<name>[^/]+)"
LONG = "(?P<name>.+)"


class Api(Resource):
    """All of the API, at any path."""

    isLeaf = True

    def __init__(self, engine: "FakeDocker") -> None:
        super().__init__()
        self._engine = engine
        self._routes = _routes(engine)

    def render(self, request: Request) -> int:
        self._take(request)
        return NOT_DONE_YET

    def _take(self, request: Request) -> None:
        try:
            call, function = self._call(request)
        except Refused as error:
            send(request, refusal(error))
            return
        self._engine.calls.append(call)
        fault = self._engine.faults.take(call.kind)
        if fault is None:
            self._do(call, function, lambda answer: send(request, answer))
        else:
            self._fail(call, function, fault)

    def _call(self, request: Request) -> tuple[Call, Callable[[Call], Any]]:
        path, _, query = request.uri.decode().partition("?")
        versioned = re.match(r"/v(\d+\.\d+)(/.*)", path)
        version, path = versioned.groups() if versioned else ("", path)
        if version and _number(version) > _number(self._engine.version):
            raise Refused(
                400,
                f"client version {version} is too new. Maximum supported API version is "
                f"{self._engine.version}",
            )
        method = request.method.decode()
        for wanted, pattern, kind, function in self._routes:
            found = re.fullmatch(pattern, path)
            if wanted == method and found:
                arguments = {name: unquote(each) for name, each in found.groupdict().items()}
                pairs = parse_qsl(query, keep_blank_values=True)
                headers = {
                    name.decode().lower(): values[-1].decode()
                    for name, values in request.requestHeaders.getAllRawHeaders()
                }
                body = request.content.read() if request.content is not None else b""
                call = Call(
                    kind,
                    method,
                    version,
                    path,
                    arguments,
                    dict(pairs),
                    pairs,
                    body,
                    headers,
                    request,
                    self._engine.chunk,
                )
                return call, function
        raise Refused(404, "page not found")

    def _do(
        self, call: Call, function: Callable[[Call], Any], sent: Callable[[Answer], None]
    ) -> None:
        def failed(failure: Failure) -> Answer:
            if isinstance(failure.value, Refused):
                return refusal(failure.value)
            if isinstance(failure.value, ValueError | KeyError | TypeError):
                return Answer(400, {"message": f"{failure.value!r}"})
            failure.printTraceback()
            return Answer(500, {"message": repr(failure.value)})

        def answered(answer: Answer) -> None:
            if answer is not STREAMED:
                sent(answer)

        maybeDeferred(function, call).addErrback(failed).addCallback(answered)

    def _fail(self, call: Call, function: Callable[[Call], Any], fault: Fault) -> None:
        request = call.request
        match fault.how:
            case "answer":
                send(request, Answer(fault.status, {"message": fault.message}))
            case "cut":
                cut(request)
            case "cut after":
                self._do(call, function, lambda answer: cut(request))
                if call.kind in ("events", "image pull", "container logs"):
                    self._engine.later(0, lambda: cut(request))
            case "hang after":
                self._do(call, function, lambda answer: None)
            case "malformed":
                self._do(call, function, lambda answer: send(request, answer, malformed=True))
            case "late":

                def act() -> None:
                    self._do(call, function, lambda answer: send(request, answer))

                later(self._engine.reactor, fault.seconds, act, call)
            case "done late":

                def slowly(answer: Answer) -> None:
                    later(self._engine.reactor, fault.seconds, lambda: send(request, answer), call)

                self._do(call, function, slowly)


class Connections(Site):
    """Knows its connections."""

    def __init__(self, resource: Resource, reactor: Any) -> None:
        super().__init__(resource, reactor=reactor, timeout=None)
        self.protocols: set[Any] = set()

    def buildProtocol(self, addr: Any) -> Any:
        protocol = super().buildProtocol(addr)
        channel = protocol._channel
        lost = channel.connectionLost

        def connection_lost(reason: Failure) -> None:
            self.protocols.discard(channel)
            lost(reason)

        channel.connectionLost = connection_lost
        self.protocols.add(channel)
        return protocol

    def cut(self) -> None:
        """Cut all connections."""
        for channel in list(self.protocols):
            if channel.transport is not None:
                channel.transport.abortConnection()

    def log(self, request: Any) -> None:
        """Not a word."""


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _routes(engine: "FakeDocker") -> list[tuple[str, str, str, Callable[[Call], Any]]]:
    containers, running, images = engine.containers, engine.running, engine.images
    networks, volumes, execs = engine.networks, engine.volumes, engine.execs
    one = f"/containers/{NAME}"
    return [
        ("GET", "/_ping", "ping", engine.ping),
        ("GET", "/info", "info", engine.info),
        ("GET", "/version", "version", engine.about),
        ("GET", "/events", "events", engine.events.listen),
        ("POST", "/containers/create", "container create", containers.create),
        ("GET", "/containers/json", "container list", containers.list_),
        ("GET", f"{one}/json", "container inspect", containers.inspect),
        ("POST", f"{one}/start", "container start", running.start),
        ("POST", f"{one}/stop", "container stop", running.stop),
        ("POST", f"{one}/kill", "container kill", running.kill),
        ("POST", f"{one}/pause", "container pause", running.pause),
        ("POST", f"{one}/unpause", "container unpause", running.unpause),
        ("POST", f"{one}/wait", "container wait", running.wait),
        ("POST", f"{one}/rename", "container rename", containers.rename),
        ("POST", f"{one}/update", "container update", containers.update),
        ("GET", f"{one}/logs", "container logs", running.logs),
        ("GET", f"{one}/stats", "container stats", running.stats),
        ("PUT", f"{one}/archive", "container put archive", engine.files.put),
        ("GET", f"{one}/archive", "container get archive", engine.files.get),
        ("POST", f"{one}/exec", "exec create", execs.create),
        ("DELETE", one, "container remove", containers.remove),
        ("POST", f"/exec/{NAME}/start", "exec start", execs.start),
        ("GET", f"/exec/{NAME}/json", "exec inspect", execs.inspect),
        ("GET", "/images/json", "image list", images.list_),
        ("POST", "/images/create", "image pull", images.create),
        ("POST", "/images/load", "image load", images.load),
        ("GET", "/images/get", "image save", images.save),
        ("GET", f"/images/{LONG}/get", "image save", images.save),
        ("GET", f"/images/{LONG}/json", "image inspect", images.inspect),
        ("POST", f"/images/{LONG}/tag", "image tag", images.tag),
        ("DELETE", f"/images/{LONG}", "image remove", images.remove),
        ("POST", "/commit", "image commit", images.commit),
        ("GET", "/networks", "network list", networks.list_),
        ("POST", "/networks/create", "network create", networks.create),
        ("GET", f"/networks/{NAME}", "network inspect", networks.inspect),
        ("DELETE", f"/networks/{NAME}", "network remove", networks.remove),
        ("POST", f"/networks/{NAME}/connect", "network connect", networks.connect),
        ("POST", f"/networks/{NAME}/disconnect", "network disconnect", networks.disconnect),
        ("GET", "/volumes", "volume list", volumes.list_),
        ("POST", "/volumes/create", "volume create", volumes.create),
        ("GET", f"/volumes/{NAME}", "volume inspect", volumes.inspect),
        ("DELETE", f"/volumes/{NAME}", "volume remove", volumes.remove),
    ]
