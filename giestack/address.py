"""Where a backend listens, as a value: TCP, TLS or a UNIX socket."""

from dataclasses import dataclass, field

DEFAULT_PORTS = {"http": 80, "https": 443}
"""Where a scheme is spoken if nothing else is said (RFC 9110 section 4.2)."""


@dataclass(frozen=True, slots=True)
class Address:
    """The place to connect to; equal addresses may share idle connections.

    Exactly one of ``path`` (a UNIX socket) and ``host``/``port`` (TCP) is set.

    :ivar host: host name or IP address, without brackets.
    :ivar port: 1 to 65535.
    :ivar path: absolute path of a UNIX socket.
    :ivar tls: whether to speak TLS (``https``) over TCP.
    :ivar ca_file: PEM file that the backend's certificate must lead to; None: the system's.
    :ivar session: the id of the session that has the port now: whatever is still connected to
        the one that had it before is none of its business. "" where a port changes no hands.
    """

    host: str = ""
    port: int = 0
    path: str = ""
    tls: bool = False
    ca_file: str | None = None
    session: str = ""
    _hash: int = field(init=False, repr=False, compare=False)

    def __hash__(self) -> int:
        # It is looked up in the pool for every request.
        return self._hash

    def __post_init__(self) -> None:
        parts = (self.host, self.port, self.path, self.tls, self.ca_file, self.session)
        object.__setattr__(self, "_hash", hash(parts))

    def authority(self) -> bytes:
        """The value of a Host field for this backend, where the client sent none."""
        if self.path:
            return b"localhost"
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{name}:{self.port}".encode()

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"{'https' if self.tls else 'http'}://{self.authority().decode()}"
