"""Connections to backends, kept between requests."""

from collections.abc import Callable
from typing import cast

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory

from giestack.address import Address
from giestack.proxy.backend import BackendConnection

IDLE_LIMIT = 60.0
"""Seconds after which an unused connection is closed."""

LEAVE_LIMIT = 5.0
"""Seconds that a closing connection has for the bytes that are still to go out."""

IDLE_PER_ADDRESS = 64
"""Unused connections kept to one backend."""

UNREACHABLE = 1000
"""Addresses that are remembered because nothing answers there."""


class Pool:
    """Idle connections by address; the most recently used one is taken first.

    :ivar opened: connections made so far.
    :ivar reused: requests carried by a connection that had carried others.
    """

    def __init__(
        self, clock: IReactorTime, endpoint_for: Callable[[Address], IStreamClientEndpoint]
    ) -> None:
        self._clock = clock
        # As of the last sweep: precise enough, and asked for with every request.
        self._now = clock.seconds()
        self._endpoint_for = endpoint_for
        self._idle: dict[Address, list[BackendConnection]] = {}
        self._leaving: set[BackendConnection] = set()
        self._unreachable: set[Address] = set()
        self.opened = 0
        self.reused = 0

    @property
    def kept(self) -> int:
        """How many idle connections there are."""
        return sum(map(len, self._idle.values()))

    def idle(self, address: Address) -> BackendConnection | None:
        """An idle connection to an address, or None."""
        waiting = self._idle.get(address)
        if not waiting:
            return None
        self.reused += 1
        return waiting.pop()

    def connect(self, address: Address) -> Deferred[BackendConnection]:
        """Open a new connection; fails with what the endpoint fails with. May be cancelled."""
        factory = Factory.forProtocol(lambda: BackendConnection(address, self))
        factory.noisy = False
        self.opened += 1
        try:
            made = self._endpoint_for(address).connect(factory)
        except (OSError, ValueError) as error:
            return fail(error)
        opening = cast("Deferred[BackendConnection]", made)
        if address in self._unreachable:
            opening.addCallback(self._reached)
        return opening

    def unreachable(self, address: Address) -> bool:
        """Take note that a connection failed; tell whether that is new."""
        if address in self._unreachable:
            return False
        if len(self._unreachable) >= UNREACHABLE:
            self._unreachable.clear()
        self._unreachable.add(address)
        return True

    def _reached(self, connection: BackendConnection) -> BackendConnection:
        self._unreachable.discard(connection.address)
        return connection

    def give_back(self, connection: BackendConnection) -> None:
        """Keep a connection for the next request."""
        waiting = self._idle.setdefault(connection.address, [])
        if len(waiting) >= IDLE_PER_ADDRESS:
            connection.close()
            return
        connection.idle_since = self._now
        waiting.append(connection)

    def forget(self, connection: BackendConnection) -> None:
        """A connection ended; it may or may not have been idle."""
        waiting = self._idle.get(connection.address)
        if waiting and connection in waiting:
            waiting.remove(connection)
        if waiting is not None and not waiting:
            del self._idle[connection.address]
        self._leaving.discard(connection)

    def leaving(self, connection: BackendConnection) -> None:
        """A connection is closing; where the backend does not read what is left, it is cut."""
        connection.idle_since = self._now
        self._leaving.add(connection)

    def sweep(self) -> None:
        """Close what has been idle for too long; call this every few seconds."""
        now = self._now = self._clock.seconds()
        for connection in [c for c in self._leaving if c.idle_since < now - LEAVE_LIMIT]:
            self._leaving.discard(connection)
            connection.close()
        too_old = now - IDLE_LIMIT
        for waiting in list(self._idle.values()):
            for connection in [c for c in waiting if c.idle_since < too_old]:
                self.forget(connection)
                connection.close()

    def close(self) -> None:
        """Close every idle connection."""
        for waiting in list(self._idle.values()):
            for connection in list(waiting):
                connection.close()
        self._idle.clear()
        for connection in list(self._leaving):
            connection.close()
