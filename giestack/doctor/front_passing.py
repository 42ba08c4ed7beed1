"""Checks of what passes through the front: WebSockets, odd paths, events, uploads, errors."""

from collections.abc import Iterator, Sequence
from email.utils import parsedate_to_datetime

from giestack.doctor.asking import NoAnswer
from giestack.doctor.check import Check, Finding, fail, ok, warn
from giestack.doctor.deployment import Deployment
from giestack.doctor.front_door import FrontDoor, NotOurs, arrival_in

GROUP = "front"
LARGE = 2**30
"""Bytes of an upload that should be possible."""

SOON = 1.0
"""Seconds between two events, sent twice as far apart, below which they were held back."""

CLOCKS = 5.0
_UPGRADE = (
    "in nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; "
    "proxy_set_header Connection $connection_upgrade; in Apache: load mod_proxy_wstunnel, or "
    "ProxyPass … upgrade=websocket; as in etc/fronts of giestack"
)


def checks(deployment: Deployment, door: FrontDoor | None) -> Sequence[Check]:
    """All checks of what must pass; none without a front."""
    if door is None:
        return ()
    look = _Passing(deployment, door)
    return (
        Check("front.websocket", GROUP, "a WebSocket through the front", look.websocket),
        Check("front.slashes", GROUP, "whether %2F passes unchanged", look.slashes),
        Check("front.buffering", GROUP, "whether events come at once", look.buffering),
        Check("front.body", GROUP, "whether uploads may be large", look.body),
        Check("front.errors", GROUP, "whether error pages pass", look.errors),
        Check("front.clock", GROUP, "the front's clock", look.clock),
    )


class _Passing:
    def __init__(self, deployment: Deployment, door: FrontDoor) -> None:
        self._deployment = deployment
        self._door = door

    def websocket(self) -> Iterator[Finding]:
        if self._door.arrived() is None:
            return
        try:
            answer = self._door.socket(f"{self._door.prefix}/doctor/socket")
        except NoAnswer as error:
            yield fail(str(error), f"let the front pass WebSockets; {_UPGRADE}")
            return
        if answer.status != 101:
            yield fail(
                f"the front does not pass WebSockets on: Upgrade does not arrive ({answer})",
                _UPGRADE,
            )
            return
        arrival_in(answer)
        yield ok("WebSockets pass, and what is sent through them")

    def slashes(self) -> Iterator[Finding]:
        if self._door.arrived() is None:
            return
        target = f"{self._door.prefix}/doctor/seen/a%2Fb%20c/d%3Fe?f=%2F"
        try:
            here = self._door.arrival(target)
        except NotOurs as error:
            yield fail(
                f"a path with %2F in it does not arrive ({error.answer}): RStudio and Jupyter "
                "need it",
                "in Apache: AllowEncodedSlashes NoDecode, and ProxyPass … nocanon",
            )
            return
        if here.target == target:
            yield ok("paths arrive as they were sent, %2F too")
        else:
            yield fail(
                f"{target} arrives as {here.target}",
                "in nginx: proxy_pass without a path, not even a slash, behind the port; in "
                "Apache: ProxyPass … nocanon",
            )

    def buffering(self) -> Iterator[Finding]:
        if self._door.arrived() is None:
            return
        answer, gap = self._door.event_gap()
        if answer.status != 200 or b"data: last" not in answer.body:
            yield fail(
                f"an event stream does not come through ({answer})",
                "let the front pass answers that take their time (text/event-stream)",
            )
        elif gap < SOON:
            yield warn(
                "the front holds answers back until they are complete: progress and logs come late",
                "in nginx: proxy_buffering off",
            )
        else:
            yield ok("events come at once")

    def body(self) -> Iterator[Finding]:
        if self._door.arrived() is None:
            return
        answer = self._door.announced(LARGE)
        limit = self._deployment.settings.proxy.limits.body
        if answer is not None and answer.status == 413 and not 0 < limit < LARGE:
            yield warn(
                "the front refuses uploads of 1 GiB (413)",
                "in nginx: client_max_body_size 0, in Apache: LimitRequestBody 0; giestack's own "
                "limit is proxy.limits.body",
            )
        else:
            yield ok("large uploads are let in")

    def errors(self) -> Iterator[Finding]:
        if self._door.arrived() is None:
            return
        answer = self._door.answer(f"{self._door.prefix}/doctor/nothing")
        said = answer.json
        if answer.status == 404 and isinstance(said, dict) and "error" in said:
            yield ok("error pages come from giestack")
        else:
            yield warn(
                f"the front replaces giestack's error pages ({answer}): people don't learn why "
                "they are refused",
                "in nginx: proxy_intercept_errors off; in Apache: ProxyErrorOverride Off",
            )

    def clock(self) -> Iterator[Finding]:
        if self._door.arrived() is None:
            return
        before = self._deployment.now()
        told = self._door.answer(f"{self._door.prefix}/doctor/seen").headers.get("date")
        after = self._deployment.now()
        try:
            moment = parsedate_to_datetime(told or "").timestamp()
        except ValueError:
            return
        # Whole seconds.
        apart = max(before - moment - 1, moment - after)
        if apart > CLOCKS:
            yield warn(
                f"the front's clock and this machine's differ by {apart:.0f} s",
                "have both set by NTP",
            )
        else:
            yield ok("the front's clock agrees with this machine's")
