"""What clients get otherwise than from gx-it-proxy."""

from typing import Any

from tests.gx_it_proxy_difference.cases import Case
from tests.gx_it_proxy_difference.sorts import HOPS, Sorts

OF_ANSWERS = expect = Sorts()

_WHOLE_ORIGIN = (
    "strict-transport-security",
    "clear-site-data",
    "service-worker-allowed",
    "alt-svc",
)
_FRONTS = ("x-accel-redirect", "x-sendfile")
# Those that giestack writes itself, behind all others.
_WRITTEN_LAST = frozenset(b"vary date content-length transfer-encoding upgrade connection".split())


def fields(*names: str) -> tuple[str, ...]:
    """Fields of answers, as `Difference.what` has them."""
    return tuple(f"answer field {name}" for name in names)


@expect(
    "security: a page of any site could read the tool as its visitor",
    *fields(
        "access-control-allow-origin",
        "access-control-allow-credentials",
        "access-control-allow-methods",
    ),
)
def no_site_is_let_in(case: Case, gx: Any, ours: Any) -> bool:
    return gx != [] and ours == []


@expect("security: a container could set its visitor's session", *fields("set-cookie"))
def cookies_are_not_tossed(case: Case, gx: Any, ours: Any) -> bool:
    return case.theme == "tosses cookies" and len(gx) == 2 and ours == [b"good=1"]


@expect("security: they hold for all that shares the origin", *fields(*_WHOLE_ORIGIN))
def no_tool_speaks_for_all(case: Case, gx: Any, ours: Any) -> bool:
    return case.theme == "speaks for all" and ours == []


@expect("security: a front would send any file that they name", *fields(*_FRONTS))
def no_tool_gives_orders_to_fronts(case: Case, gx: Any, ours: Any) -> bool:
    return case.theme == "speaks for all" and ours == []


@expect("RFC 9110 section 7.6.1: they are between two hops only", *fields(*HOPS))
def hop_by_hop_answers_end_here(case: Case, gx: Any, ours: Any) -> bool:
    return ours in ([], [b"close"])


@expect("RFC 9110 section 5.3: only lists may be joined", *fields("x-twice"))
def repeated_answers_stay(case: Case, gx: Any, ours: Any) -> bool:
    return gx == [b", ".join(ours)]


@expect("RFC 9110 section 15.2: what comes before an answer is passed on", "answer interim")
def interim_answers_pass(case: Case, gx: Any, ours: Any) -> bool:
    return case.theme == "interim" and gx == () and len(ours) == 1


@expect("RFC 9110 section 10.1.1: whether it goes on is the backend's to say", "answer interim")
def to_go_on_is_not_made_up(case: Case, gx: Any, ours: Any) -> bool:
    return case.values(b"expect") != [] and gx == (100,) and ours == ()


@expect("RFC 9110 section 6.6.1: a proxy that has a clock says when", *fields("date"))
def refusals_of_websockets_are_dated(case: Case, gx: Any, ours: Any) -> bool:
    return case.theme == "refused websocket" and gx == [] and len(ours) == 1


@expect("RFC 9110 section 15.1: a status needs no words", "answer reason")
def no_words_are_made_up(case: Case, gx: Any, ours: Any) -> bool:
    return case.theme == "no reason" and ours == b""


@expect("RFC 9112 section 8: what was cut short must not seem to go on", "answer end")
def cut_answers_do_not_hang(case: Case, gx: Any, ours: Any) -> bool:
    return case.theme == "cut" and (gx, ours) == ("hangs", "cut")


@expect("RFC 9112 section 6.1: an answer that says chunks has chunks", "answer end", "answer body")
def refused_websockets_are_answered(case: Case, gx: Any, ours: Any) -> bool:
    return (
        case.theme == "refused websocket"
        and ours in ("whole", b"no")
        and gx in ("cut", "broken", b"")
    )


@expect("RFC 9110 section 5.1: letter case means nothing", "answer names")
def names_of_answers_stay_as_they_are(case: Case, gx: Any, ours: Any) -> bool:
    told = {line.partition(b":")[0] for line in case.answer.wire.split(b"\r\n")}
    return all(name in told or name.lower() in _WRITTEN_LAST for name in ours)


@expect("RFC 9110 section 5.3: the order of different fields means nothing", "answer order")
def order_of_answers(case: Case, gx: Any, ours: Any) -> bool:
    return [n for n in gx if n not in _WRITTEN_LAST] == [n for n in ours if n not in _WRITTEN_LAST]
