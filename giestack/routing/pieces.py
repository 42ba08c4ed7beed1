"""Long work of a thread, done in pieces: between them the reactor has its turn.

Only one thread at a time runs Python. The reactor's lets others in whenever it calls the system,
several times in each request, and each time would wait for its turn again: while a map of
thousands of rows is read, requests would take tens of times as long.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

PIECE = 500
"""Rows at a time: a millisecond of work where they are known, three where they are new."""

REST = 0.001
"""Seconds between two pieces."""

T = TypeVar("T")


def in_pieces(rows: Iterable[T], rest: Callable[[float], object] = time.sleep) -> Iterator[T]:
    """Hand out rows one by one; after each piece of them wait a moment. Not for the reactor."""
    for number, row in enumerate(rows):
        if number and number % PIECE == 0:
            rest(REST)
        yield row
