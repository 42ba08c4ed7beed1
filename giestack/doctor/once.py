"""Things that several checks want to know, found out once."""

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """What a function returns, or raises; it is called by the first who asks, others wait."""

    def __init__(self, find: Callable[[], T]) -> None:
        self._find = find
        self._lock = Lock()
        self._found: list[T] = []
        self._error: Exception | None = None

    def __call__(self) -> T:
        with self._lock:
            if self._error is None and not self._found:
                try:
                    self._found.append(self._find())
                except Exception as error:
                    self._error = error
            if self._error is not None:
                raise self._error
            return self._found[0]
