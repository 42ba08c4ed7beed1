"""The addresses of interactive tools, as Galaxy hands them out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from giestack.proxy.seen import Seen

_DOMAIN = "ep.interactivetool"
_LONG = "interactivetoolentrypoint."
# Encoded ids as they are: the keys of Galaxy 23.1 and before.
_old_key = re.compile(r"(?:[0-9a-f]{16}){1,2}").fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolPlaces:
    """Where visitors find their tools.

    :ivar prefix: below which tools stand that need no host of their own.
    :ivar domains: below which tools have hosts, the present form first; none, or ``"*"``:
        ``ep.interactivetool.`` before the name that the visitor uses, Galaxy's own default.
    """

    prefix: str = "/interactivetool/ep"
    domains: Sequence[str] = ()

    def url(self, key: str, token: str, entry_url: str, requires_domain: bool, seen: Seen) -> str:
        """Return the address of one entry point.

        As with Galaxy 26.1 it is a whole URL for a tool with a host of its own, and else an
        absolute path, which is right on every host that leads here. ``entry_url`` is where
        the tool wants visitors to begin.
        """
        rest = entry_url.lstrip("/")
        if not requires_domain:
            return f"{self.prefix}/{key}/{token}/{rest}"
        domain = self._domain(key) or f"{_DOMAIN}.{seen.host_name.decode('latin-1')}"
        return f"{seen.scheme.decode()}://{key}-{token}.{domain}{_port(seen)}/{rest}"

    def _domain(self, key: str) -> str | None:
        """The domain as the Galaxy writes it that has made this key."""
        domains = [name for name in self.domains if name != "*"]
        if _old_key(key):
            domains.sort(key=lambda name: not name.startswith(_LONG))
        return domains[0] if domains else None


def _port(seen: Seen) -> str:
    """The port as the visitor's own address has it: the tools' hosts lead to the same front."""
    name, colon, port = seen.host.rpartition(b":")
    return f":{port.decode()}" if colon and name and port.isdigit() else ""
