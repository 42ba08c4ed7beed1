"""A longer run: ``python -m tests.gx_it_proxy_difference [--requests 5000] [--seed 1]``."""

import sys
from argparse import ArgumentParser
from collections.abc import Callable

from tests.gx_it_proxy_difference.beside import Beside, by_chance
from tests.gx_it_proxy_difference.difference import told
from tests.gx_it_proxy_difference.expected import EXPECTED

_SHOWN = 20


class _Ends:
    """Carries out at the end what a test case would."""

    def __init__(self) -> None:
        self._ends: list[Callable[[], object]] = []

    def addCleanup(self, function: Callable[[], object]) -> None:
        self._ends.append(function)

    def end(self) -> None:
        while self._ends:
            self._ends.pop()()


def main() -> int:
    parser = ArgumentParser(prog="python -m tests.gx_it_proxy_difference", description=__doc__)
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    ends = _Ends()
    try:
        outcome = Beside(ends).run(by_chance(options.seed, options.requests))
    finally:
        ends.end()
    for one in EXPECTED:
        print(f"{outcome.explained[one.name]:7} {one.name} ({one.reason})")
    for case, difference in outcome.unexplained[:_SHOWN]:
        print(told(case, difference))
    count = len(outcome.unexplained)
    print(f"{outcome.cases} requests, {count} differences that are not meant")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
