"""Sorts of differences: what they are about, and why they are."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.gx_it_proxy_difference.cases import Case
from tests.gx_it_proxy_difference.difference import Difference

Holds = Callable[[Case, Any, Any], bool]

HOPS = ("connection", "keep-alive", "proxy-connection", "proxy-authorization", "te", "x-hop")
"""Fields of the cases that are between two hops only."""


@dataclass(frozen=True)
class Sort:
    """One sort of difference.

    :ivar reason: what an attacker could do, or the rule that gx-it-proxy breaks.
    :ivar what: the parts that it is about; see `Difference.what`.
    :ivar holds: whether it is just this, given the case, gx-it-proxy's and giestack's side.
    """

    name: str
    reason: str
    what: frozenset[str]
    holds: Holds

    def explains(self, case: Case, difference: Difference) -> bool:
        """Whether a difference is of this sort."""
        return difference.what in self.what and self.holds(case, difference.gx, difference.ours)


class Sorts(list[Sort]):
    """A list of them; called with a reason and parts, it takes a function in as one."""

    def __call__(self, reason: str, *what: str) -> Callable[[Holds], Holds]:
        def take(holds: Holds) -> Holds:
            self.append(Sort(holds.__name__.replace("_", " "), reason, frozenset(what), holds))
            return holds

        return take
