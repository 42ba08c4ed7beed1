"""How a run ends: what it has promised, and the exit status."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench.processes import Failed


@dataclass(frozen=True, slots=True)
class Promise:
    """A bar.

    :ivar text: what was measured, and what is promised.
    """

    text: str
    kept: bool


def say(text: str) -> None:
    """Show what is going on, where somebody looks."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def ended(run: Callable[[], Iterable[Promise]]) -> int:
    """Carry a run out, and print what became of its promises.

    The exit status: 0; 1 where a promise is not kept or the run can't go on; 130 after Ctrl-C.
    """
    try:
        promises = list(run())
    except Failed as failure:
        say("")
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("")
        return 130
    for promise in promises:
        print(f"{promise.text}: {'ok' if promise.kept else 'OVER'}")
    for promise in promises:
        if not promise.kept:
            print(f"bench: {promise.text}", file=sys.stderr)
    return 0 if all(promise.kept for promise in promises) else 1
