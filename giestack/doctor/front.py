"""Checks of the front, from outside: what does it make of a visitor's request?"""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from giestack.doctor.asking import NoAnswer
from giestack.doctor.check import Check, Finding, fail, ok, warn
from giestack.doctor.deployment import Deployment
from giestack.doctor.front_door import SPOOFED, Arrival, FrontDoor, NotOurs
from giestack.settings.places import is_loopback

GROUP = "front"
_HOST = (
    "in nginx: proxy_set_header Host $http_host; in Apache: ProxyPreserveHost On; other fronts "
    "have an option to keep Host"
)


def checks(deployment: Deployment, door: FrontDoor | None) -> Sequence[Check]:
    """All checks of what every front needs; without a front one that says so."""
    if door is None:
        return (Check("front.reached", GROUP, "the front", lambda: _not_asked(deployment)),)
    look = _Front(deployment, door)
    return (
        Check("front.reached", GROUP, "giestack through the front", look.reached),
        Check("front.galaxy", GROUP, "Galaxy's host and the front's", look.galaxy),
        Check("front.encrypted", GROUP, "whether visitors come by https", look.encrypted),
        Check("front.host", GROUP, "whether Host is kept", look.host),
        Check("front.scheme", GROUP, "whether the scheme is told", look.scheme),
        Check("front.cookies", GROUP, "whether cookies pass", look.cookies),
        Check("front.address", GROUP, "whether the visitor's address is told", look.address),
    )


def _not_asked(deployment: Deployment) -> Iterator[Finding]:
    if deployment.front is None:
        yield warn(
            "the front is not looked at",
            "name the address that visitors use: giestack doctor --url https://…",
        )
    else:
        yield warn(
            "through the front nobody can tell whether it is this giestack that answers",
            "set secret in giestack.yml, or in Galaxy's file an id_secret that is not its default",
        )


class _Front:
    def __init__(self, deployment: Deployment, door: FrontDoor) -> None:
        self._deployment = deployment
        self._door = door

    def reached(self) -> Iterator[Finding]:
        door = self._door
        try:
            door.here()
        except NotOurs as error:
            said = error.answer.json
            if isinstance(said, dict) and {"error", "message"} <= said.keys():
                yield fail(
                    "a giestack answers through the front that does not know this configuration's "
                    "secret",
                    "ask with the configuration that it runs with, restart it after changes, and "
                    "see that the clocks of both machines agree within two minutes",
                )
                return
            yield fail(
                f"{door.authority}{door.prefix}/ does not lead to giestack: {error.answer}",
                f"send {door.prefix}/ to giestack's proxy.listen, with nothing taken off the path",
            )
        except NoAnswer as error:
            yield fail(
                f"the front does not answer: {error}",
                "see that it runs, that --url is right, and that no firewall is in between",
            )
        else:
            yield ok(f"{door.authority}{door.prefix}/ leads to this giestack")

    def galaxy(self) -> Iterator[Finding]:
        url, front = self._deployment.settings.galaxy.url, self._deployment.front
        if url is None or front is None:
            return
        host = urlsplit(url).hostname
        if host == front.host:
            yield ok("the front and Galaxy have the same host, so Galaxy's cookie reaches both")
        else:
            yield warn(
                f"Galaxy is at {host}, and --url at {front.host}: browsers don't send Galaxy's "
                "cookie there",
                "put giestack behind Galaxy's own host, or ask with --url of that host",
            )

    def encrypted(self) -> Iterator[Finding]:
        front = self._deployment.front
        if front is None:
            return
        if front.scheme == "https":
            yield ok("visitors come by https")
        elif not is_loopback(front.host):
            yield warn(
                "visitors come by http: whoever listens on the way gets their session",
                "let the front speak https, and send http there",
            )

    def host(self) -> Iterator[Finding]:
        here = self._door.arrived()
        if here is None:
            return
        door = self._door
        name = urlsplit(f"//{door.authority}").hostname
        if here.host == door.authority:
            yield ok(f"Host is kept: {here.host}")
        elif here.host == name:
            yield warn(
                f"Host arrives without its port, as {here.host}: links lead to the wrong one",
                "in nginx: proxy_set_header Host $http_host, and not $host",
            )
        else:
            yield fail(
                f"Host arrives as {here.host}, and was {door.authority}: WebSockets are refused "
                "(foreign-origin), and tools with a host of their own are not found",
                _HOST,
            )

    def scheme(self) -> Iterator[Finding]:
        here, front = self._door.arrived(), self._deployment.front
        if here is None or front is None:
            return
        remedy = (
            "in nginx: proxy_set_header X-Forwarded-Proto $scheme; in Apache: RequestHeader "
            "set X-Forwarded-Proto expr=%{REQUEST_SCHEME}"
        )
        if here.scheme != front.scheme:
            yield fail(f"visitors come by {front.scheme}, and giestack sees {here.scheme}", remedy)
        elif here.by_front and "proto" not in here.told and not self._is_direct(here):
            yield warn(
                f"the front does not tell the scheme; {here.scheme} is taken from galaxy.url",
                remedy,
            )
        else:
            yield ok(f"the scheme is known: {here.scheme}")

    def cookies(self) -> Iterator[Finding]:
        here = self._door.arrived()
        if here is None:
            return
        if here.cookies >= 2:
            yield ok("cookies pass")
        else:
            yield fail(
                f"of two cookies {here.cookies} arrive: nobody can be recognised",
                "let the front pass the field Cookie unchanged, also where it caches",
            )

    def address(self) -> Iterator[Finding]:
        here = self._door.arrived()
        if here is None:
            return
        tells = here.told & {"for", "real_ip"}
        if not here.by_front:
            if here.hops > 1 or here.told - {"for"}:
                yield fail(
                    f"the front at {here.peer} tells visitors' addresses, and is not believed: all "
                    "of them seem to come from there",
                    f"add {here.peer} to proxy.trusted_proxies",
                )
            else:
                yield ok(f"you come from {here.address}, without a front that is known")
        elif here.address == SPOOFED and here.hops == 1 and not self._is_direct(here):
            yield fail(
                "the front passes X-Forwarded-For on as visitors write it: they can claim any "
                "address",
                "in nginx: proxy_set_header X-Forwarded-For $remote_addr",
            )
        elif not tells and not self._is_direct(here):
            yield warn(
                f"the front does not tell visitors' addresses: all seem to come from {here.peer}",
                "in nginx: proxy_set_header X-Forwarded-For $remote_addr",
            )
        elif self._is_direct(here):
            yield ok("there is no front in between: this is giestack's own listener")
        else:
            yield ok("visitors' addresses are told by a front that is trusted")

    def _is_direct(self, here: Arrival) -> bool:
        """Whether it may be giestack's own listener: nothing was added on the way."""
        front = self._deployment.front
        assert front is not None
        if here.told != {"for"} or here.hops != 1:
            return False
        ports = {
            one.partition(":")[2].partition(":")[0]
            for one in self._deployment.settings.proxy.listen
        }
        return str(front.port) in ports
