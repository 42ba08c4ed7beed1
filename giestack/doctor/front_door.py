"""The front as a visitor has it: requests through it that giestack recognises."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from giestack.doctor.asking import Answer, Place, announced, ask, event_gap, open_socket
from giestack.doctor.check import CannotTell
from giestack.doctor.deployment import Deployment, place_of_url
from giestack.doctor.once import Once
from giestack.probe import COOKIE, SUBPROTOCOL

SPOOFED = "192.0.2.99"
"""An address for documentation (RFC 5737): a visitor claims to have it."""


class NotOurs(CannotTell):
    """Something else than this giestack has answered.

    :ivar answer: what it said.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer} from something else than this giestack")
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a request arrived; see `giestack.site.doctor`.

    :ivar told: what of address, scheme and host the front has told.
    """

    method: str
    target: str
    scheme: str
    host: str
    address: str
    peer: str
    by_front: bool
    told: frozenset[str]
    hops: int
    cookies: int
    upgrade: bool

    @property
    def host_name(self) -> str:
        """Host without the port."""
        return (urlsplit(f"//{self.host}").hostname or "").rstrip(".")


def arrival_in(answer: Answer) -> Arrival:
    """What an answer says; raises `NotOurs` where it is not giestack's own."""
    said: Any = answer.json
    if not isinstance(said, Mapping) or said.get("giestack") != "seen":
        raise NotOurs(answer)
    try:
        return Arrival(
            str(said["method"]),
            str(said["target"]),
            str(said["scheme"]),
            str(said["host"]),
            str(said["address"]),
            str(said["peer"]),
            bool(said["by_front"]),
            frozenset(map(str, said["told"])),
            int(said["hops"]),
            int(said["cookies"]),
            bool(said["upgrade"]),
        )
    except (KeyError, TypeError, ValueError):
        raise NotOurs(answer) from None


class FrontDoor:
    """Asks through the front, or through giestack's own listener.

    :ivar place: where it is.
    :ivar authority: host and port as visitors write them.
    :ivar here: how an ordinary request arrives, asked once.
    """

    def __init__(self, deployment: Deployment, place: Place, authority: str) -> None:
        self.place = place
        self.authority = authority
        self.prefix = deployment.settings.proxy.prefix
        self._deployment = deployment
        self.here = Once(lambda: self.arrival(f"{self.prefix}/doctor/seen"))

    def arrived(self) -> Arrival | None:
        """The same, None where it does not arrive: that is told once, by another check."""
        try:
            return self.here()
        except CannotTell:
            return None

    def arrival(
        self, target: str, *, host: str = "", more: Mapping[str, str] | None = None
    ) -> Arrival:
        """How a request for this path arrives.

        :param host: another one than the front's own; the connection goes to the front.
        :raises NoAnswer, NotOurs: it does not arrive.
        """
        return arrival_in(self.answer(target, host=host, more=more))

    def answer(
        self, target: str, *, host: str = "", more: Mapping[str, str] | None = None
    ) -> Answer:
        """What is answered to a request with a pass and two cookies."""
        place = replace(self.place, name=host) if host else self.place
        return ask(place, target, self._headers(host, more))

    def socket(self, target: str) -> Answer:
        """What is answered to a WebSocket's handshake, or its first message."""
        more = {"Sec-WebSocket-Protocol": SUBPROTOCOL.decode()}
        return open_socket(self.place, target, self._headers("", more))

    def event_gap(self) -> tuple[Answer, float]:
        """An event stream, and the seconds between its two events as they came."""
        return event_gap(self.place, f"{self.prefix}/doctor/events", self._headers("", {}))

    def announced(self, size: int) -> Answer | None:
        """What is said to a large body that is announced; None: nothing within a while."""
        return announced(self.place, f"{self.prefix}/doctor/seen", self._headers("", {}), size)

    def _headers(self, host: str, more: Mapping[str, str] | None) -> Mapping[str, str]:
        cookie = self._deployment.settings.galaxy.cookie_name
        return {
            "Host": host or self.authority,
            "User-Agent": "giestack-doctor",
            "Accept": "application/json",
            "Cookie": f"{COOKIE.decode()}=1; {cookie}=none",
            "X-Forwarded-For": SPOOFED,
            **self._deployment.pass_header(),
            **(more or {}),
        }


def front_door(deployment: Deployment) -> FrontDoor | None:
    """The front that the doctor was told of; None: none, or nobody could recognise giestack."""
    url = deployment.front
    if url is None or deployment.key is None:
        return None
    authority = urlsplit(url.origin).netloc
    return FrontDoor(deployment, place_of_url(url.origin), authority)
