"""The far end of a double proxy: goes where a trusted near end says, and nowhere else."""

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from giestack.access import FOREIGN_ORIGIN, Policy
from giestack.address import Address
from giestack.double_proxy import AllowedTargets, BadTarget, named_target, through
from giestack.gate import DOT_SEGMENT
from giestack.origins import origin_allowed
from giestack.proxy.decision import Decide, Decision, Destination, Forward, Refuse, Request
from giestack.routing.table import has_dot_segment
from giestack.settings.schema import ProxySettings

_PREFIX = b"x-forwarded-prefix"
_REMEMBERED = 1000

BAD_TARGET = Refuse(400, "bad-target", "Where this request is to go can't be read.")
FOREIGN_PROXY = Refuse(
    403, "foreign-proxy", "This server goes where a proxy says only for the proxies it trusts."
)
FORBIDDEN_TARGET = Refuse(
    403, "forbidden-target", "This server may not reach the target of this request."
)


def far_end_of(proxy: ProxySettings, decide: Decide, policy: Policy) -> Decide:
    """Put a far end before ``decide`` where the configuration makes this giestack one."""
    allowed = proxy.forward.allowed_targets
    return FarEnd(decide, AllowedTargets(allowed), policy) if allowed else decide


class FarEnd:
    """A front door's `Decide` before another one.

    It decides about each request that names a target; the other one about all others.
    """

    log = Logger()

    def __init__(self, decide: Decide, allowed: AllowedTargets, policy: Policy) -> None:
        """
        :param allowed: the only targets that are ever connected to.
        :param policy: whose pages may open WebSockets; and where the next far end is, if this
            one is in the middle.
        """
        self._decide = decide
        self._allowed = allowed
        self._policy = policy
        self._said: set[tuple[str, str]] = set()

    def __call__(self, request: Request) -> Decision | Deferred[Decision]:
        """Decide at once where the request names a target."""
        try:
            address = named_target(request.raw)
        except BadTarget:
            return BAD_TARGET
        if address is None:
            return self._decide(request)
        target = str(address).partition("://")[2]
        if not request.seen.by_front:
            # Whoever it is names as many targets as they like.
            peer = request.seen.address.decode("latin-1")
            self._say("is not in proxy.trusted_proxies", target, request, peer)
            return FOREIGN_PROXY
        if address not in self._allowed:
            why = "may not: it is not in proxy.forward.allowed_targets"
            self._say(why, target, request, target)
            return FORBIDDEN_TARGET
        return self._forward(address, request)

    def _forward(self, address: Address, request: Request) -> Decision:
        policy = self._policy
        if has_dot_segment(request.target.partition(b"?")[0]):
            return DOT_SEGMENT
        if request.fields.websocket and not origin_allowed(request, policy.origins):
            return FOREIGN_ORIGIN
        destination = Destination(
            address,
            "entry_point",
            str(address).partition("://")[2],
            None,
            _prefix(request),
            allowed_origins=policy.origins,
            localhost_is_here=policy.reverse_proxy,
        )
        if policy.far_end is not None:
            destination = through(destination, policy.far_end)
        return Forward(destination, request.target)

    def _say(self, why: str, target: str, request: Request, once: str) -> None:
        """Say it once of ``once``: who may not go on may well ask for ever."""
        if (why, once) in self._said:
            return
        if len(self._said) >= _REMEMBERED:
            self._said.clear()
        self._said.add((why, once))
        self.log.warn(
            "double proxy: {peer} wants to reach {target} and {why}; not said again",
            peer=request.seen.address.decode("latin-1"),
            target=target,
            why=why,
        )


def _prefix(request: Request) -> bytes:
    """The path below which the visitor sees the tool, as the near end tells it."""
    told = [value.strip(b" \t") for name, value in request.raw if name.lower() == _PREFIX]
    return told[0] if len(told) == 1 and told[0].startswith(b"/") else b""
