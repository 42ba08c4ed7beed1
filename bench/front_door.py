"""A front door without Galaxy: everybody may go to one backend."""

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from giestack.address import Address
from giestack.proxy.backend import BackendConnection
from giestack.proxy.decision import Decision, Destination, Forward, Local, Refuse, Request
from giestack.proxy.endpoints import Endpoints
from giestack.proxy.exchange import Exchange
from giestack.proxy.front import Front, Limits
from giestack.proxy.head import GuardedNames
from giestack.proxy.pool import Pool
from giestack.visitor import Anonymous, Identity


class _Unwatched:
    def finished(self, exchange: Exchange, peer: bytes) -> None:
        pass


def front_door(reactor: IReactorTime, backend: int) -> Front:
    """The factory, started; ``backend`` is a port of the loopback address."""
    to = Destination(
        Address("127.0.0.1", backend),
        "service",
        "fuzz",
        None,
        headers=((b"REMOTE_USER", b"alice@example.org"),),
    )

    def decide(request: Request) -> Decision:
        return Forward(to, request.target)

    def page(refuse: Refuse, request: Request) -> tuple[bytes, bytes]:
        return b"Content-Type: text/plain\r\n", refuse.message.encode()

    def hold(
        visitor: Identity | Anonymous | None, cut: Callable[[str], None]
    ) -> Callable[[], None]:
        return lambda: None

    front = Front(
        reactor,
        decide=decide,
        pool=Pool(reactor, Endpoints(reactor, 5)),
        local=_nothing_local,
        refusal_page=page,
        hold=hold,
        watch=_Unwatched(),
        guarded=GuardedNames(
            hidden_cookies=frozenset((b"galaxysession", b"galaxytoolrunnersession", b"giestack")),
            identity_headers=frozenset((b"remote-user",)),
            remote_user_header=b"remote-user",
        ),
        limits=Limits(head_timeout=2, idle_timeout=3, response_timeout=5),
        trusted=frozenset(),
    )
    front.start()
    return front


def _nothing_local(decision: Local, request: Request) -> BackendConnection:
    raise NotImplementedError("there are no own pages here")
