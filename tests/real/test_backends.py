"""Backends on real sockets: TLS with a CA of their own, UNIX sockets, and what can go wrong."""

from pathlib import Path
from typing import Any

import treq
from twisted.internet import reactor as global_reactor  # noqa: TID251 - real sockets
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from giestack.address import Address
from giestack.proxy.decision import Destination, Forward
from giestack.proxy.endpoints import Endpoints
from giestack.proxy.front import Front, Limits
from giestack.proxy.pool import Pool
from tests.neighbours.certificates import certificate
from tests.proxy.memory import GUARDED, Record

reactor: Any = global_reactor


class Echo(Resource):
    """Answers with the request's body, or its path."""

    isLeaf = True

    def render(self, request: Request) -> bytes:
        assert request.content is not None
        return request.content.read() or request.path


class BackendTests(TestCase):
    async def listen(self, description: str, factory: Any) -> IListeningPort:
        port: IListeningPort = await serverFromString(reactor, description).listen(factory)
        self.addCleanup(port.stopListening)
        return port

    async def front_for(self, address: Address) -> str:
        """A front door that sends everything to one address; returns its URL."""
        to = Destination(address, "service", "/", None)
        front = Front(
            reactor,
            decide=lambda request: Forward(to, request.target),
            pool=Pool(reactor, Endpoints(reactor, 5)),
            local=None,  # type: ignore[arg-type]
            refusal_page=lambda refuse, request: (b"", refuse.code.encode()),
            hold=lambda visitor, cut: lambda: None,
            watch=Record(),
            guarded=GUARDED,
            limits=Limits(),
            trusted=(),
        )
        port: Any = await self.listen("tcp:0:interface=127.0.0.1", front)
        front.start()
        self.addCleanup(front.stop)
        return f"http://127.0.0.1:{port.getHost().port}"

    async def ask(self, url: str, body: bytes | None = None) -> tuple[int, bytes]:
        agent = Agent(reactor, pool=HTTPConnectionPool(reactor, persistent=False))
        client = treq.client.HTTPClient(agent)
        response = await client.request("POST" if body else "GET", url, data=body)
        return response.code, await response.content()

    async def test_a_unix_socket(self) -> None:
        # Not in trial's own folder: a socket's path must be short.
        path = Path(self.mktemp()).parent.parent / "backend.sock"
        relative = str(path)
        await self.listen(f"unix:{relative}", Site(Echo(), reactor=reactor))
        url = await self.front_for(Address(path=str(path)))
        self.assertEqual(await self.ask(f"{url}/there"), (200, b"/there"))
        self.assertEqual(await self.ask(url, b"x" * 300_000), (200, b"x" * 300_000))

    async def tls_backend(self, folder: Path) -> tuple[int, Path]:
        ca_file, _, signer = certificate(folder, "ca")
        certificate_file, key_file, _ = certificate(folder, "backend", signer)
        description = f"ssl:0:interface=127.0.0.1:privateKey={key_file}:certKey={certificate_file}"
        port: Any = await self.listen(description, Site(Echo(), reactor=reactor))
        return port.getHost().port, ca_file

    async def test_tls_with_a_ca_of_its_own(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        port, ca_file = await self.tls_backend(folder)
        url = await self.front_for(Address("127.0.0.1", port, tls=True, ca_file=str(ca_file)))
        self.assertEqual(await self.ask(f"{url}/there"), (200, b"/there"))
        self.assertEqual(await self.ask(url, b"x" * 300_000), (200, b"x" * 300_000))

    async def test_a_certificate_of_nobody_is_not_believed(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        port, _ = await self.tls_backend(folder)
        other_ca, _, _ = certificate(folder, "other")
        for ca_file in (None, str(other_ca)):
            url = await self.front_for(Address("127.0.0.1", port, tls=True, ca_file=ca_file))
            self.assertEqual(await self.ask(url), (502, b"backend-down"))

    async def test_ca_files_that_cannot_be_used(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        port, _ = await self.tls_backend(folder)
        empty, broken = folder / "empty.pem", folder / "broken.pem"
        empty.write_bytes(b"")
        broken.write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        for ca_file in (empty, broken, folder / "missing.pem"):
            url = await self.front_for(Address("127.0.0.1", port, tls=True, ca_file=str(ca_file)))
            self.assertEqual(await self.ask(url), (502, b"backend-down"), ca_file)

    async def test_nobody_listens(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        url = await self.front_for(Address(path=str(folder / "nothing.sock")))
        self.assertEqual(await self.ask(url), (502, b"backend-down"))
