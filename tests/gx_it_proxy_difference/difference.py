"""What differs between two proxies that were sent the same."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime

from tests.gx_it_proxy_difference.asking import Got
from tests.gx_it_proxy_difference.cases import Case
from tests.neighbours.witness import Arrived, Fields, values

_OF_A_PROXY = (0, 502, 504)
"""Statuses that no backend of these cases answers with."""


@dataclass(frozen=True)
class Seen:
    """One proxy with one case.

    :ivar arrived: what the backend was asked; None where it was not.
    """

    arrived: Arrived | None
    got: Got

    @property
    def own(self) -> bool:
        """Whether the proxy itself has answered."""
        return self.arrived is None or self.got.status in _OF_A_PROXY


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same.

    :ivar what: ``request`` or ``answer`` and which part; ``verdict`` where not both have passed
        on request and answer. Fields go by their names in lower case.
    :ivar gx: how it is with gx-it-proxy.
    :ivar ours: how it is with giestack.
    """

    what: str
    gx: object
    ours: object


def verdict(seen: Seen) -> tuple[bool, bool, int]:
    """Whether the backend was reached, whether the proxy has answered itself, and its status."""
    return seen.arrived is not None, seen.own, seen.got.status


def differences(gx: Seen, ours: Seen) -> Iterator[Difference]:
    """Compare the two, part by part."""
    if gx.arrived is not None and ours.arrived is not None:
        yield from _requests(gx.arrived, ours.arrived)
    if gx.own or ours.own:
        # The words of a refusal are each proxy's own.
        yield from _part("verdict", verdict(gx), verdict(ours))
    else:
        yield from _answers(gx.got, ours.got)


def _requests(gx: Arrived, ours: Arrived) -> Iterator[Difference]:
    for part in ("method", "target", "version", "framing", "body"):
        yield from _part(f"request {part}", getattr(gx, part), getattr(ours, part))
    yield from _fields("request", gx.fields, ours.fields)


def _answers(gx: Got, ours: Got) -> Iterator[Difference]:
    for part in ("interim", "status", "reason", "framing", "body", "end", "back"):
        yield from _part(f"answer {part}", getattr(gx, part), getattr(ours, part))
    yield from _fields("answer", gx.fields, ours.fields)


def _part(what: str, gx: object, ours: object) -> Iterator[Difference]:
    if gx != ours:
        yield Difference(what, gx, ours)


def _fields(side: str, gx: Fields, ours: Fields) -> Iterator[Difference]:
    names = {name.lower() for name, _ in (*gx, *ours)}
    for name in sorted(names):
        what = f"{side} field {name.decode('latin-1')}"
        theirs, own = values(gx, name), values(ours, name)
        if name == b"date" and _at_once(theirs, own):
            continue
        yield from _part(what, theirs, own)
    both = {name.lower() for name, _ in gx} & {name.lower() for name, _ in ours}
    yield from _part(f"{side} names", _spelled(gx, both), _spelled(ours, both))
    yield from _part(f"{side} order", _order(gx, both), _order(ours, both))


def _at_once(gx: list[bytes], ours: list[bytes]) -> bool:
    """Whether both have a date, and their clocks have only gone on between."""
    if len(gx) != 1 or len(ours) != 1:
        return False
    first, second = (parsedate_to_datetime(one.decode()) for one in (gx[0], ours[0]))
    return abs(second - first) < timedelta(minutes=2)


def _spelled(fields: Fields, of: set[bytes]) -> set[bytes]:
    return {name for name, _ in fields if name.lower() in of}


def _order(fields: Fields, of: set[bytes]) -> list[bytes]:
    return list(dict.fromkeys(name.lower() for name, _ in fields if name.lower() in of))


def told(case: Case, difference: Difference) -> str:
    """A difference in words, for a person."""
    return (
        f"{case.theme}: {difference.what}\n    gx-it-proxy: {difference.gx!r:.400}\n"
        f"    giestack:    {difference.ours!r:.400}\n    sent: {case.wire[:600]!r}\n"
        f"    answered: {case.answer.wire[:300]!r}, then {case.answer.then}"
    )
