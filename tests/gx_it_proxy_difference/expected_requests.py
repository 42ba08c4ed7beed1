"""What backends get otherwise than from gx-it-proxy."""

import re
from typing import Any

from tests.gx_it_proxy_difference.cases import GALAXY_COOKIES, PREFIX_BYTES, RSTUDIO, Case
from tests.gx_it_proxy_difference.sorts import HOPS, Sorts

OF_REQUESTS = expect = Sorts()

_FORWARDED = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port")
_CLAIMS = ("forwarded", "x-real-ip", "proxy", "remote_user", "remote-user")
# Those that giestack writes itself, or behind all others.
_WRITTEN = frozenset(
    b"host accept user-agent origin referer cookie content-type content-length transfer-encoding "
    b"expect upgrade connection x-tool-path x_tool_path x-rstudio-root-path".split()
)
_HIDDEN = tuple(cookie.partition(b"=")[0] for cookie in GALAXY_COOKIES)


def fields(*names: str) -> tuple[str, ...]:
    """Fields of requests, as `Difference.what` has them."""
    return tuple(f"request field {name}" for name in names)


@expect("security: the container could be its visitor in Galaxy", *fields("cookie"))
def session_cookies_stay_here(case: Case, gx: Any, ours: Any) -> bool:
    sent = b"; ".join(case.values(b"cookie"))
    pairs = [pair for pair in sent.split(b"; ") if pair.partition(b"=")[0] not in _HIDDEN]
    kept = b"; ".join(pairs)
    return gx == [sent] and sent != kept and ours == ([kept] if kept else [])


@expect(
    "RFC 7239 section 1: a backend must be told who asks, and by what address", *fields(*_FORWARDED)
)
def forwarded_fields_are_told(case: Case, gx: Any, ours: Any) -> bool:
    return len(ours) == 1 and ours != gx


@expect("RFC 7239 section 1: so for the path that visitors see", *fields("x-forwarded-prefix"))
def prefixes_are_told(case: Case, gx: Any, ours: Any) -> bool:
    assert case.tool is not None
    mine = f"{case.tool.key}/{case.tool.token}".encode()
    return not case.by_host and gx == [] and ours == [PREFIX_BYTES + b"/" + mine]


@expect("security: only a front may say so", *fields(*_CLAIMS))
def claims_are_not_believed(case: Case, gx: Any, ours: Any) -> bool:
    return gx != [] and ours == []


@expect(
    "security: a client could have a tool's pages lead elsewhere",
    *fields("x-tool-path", "x_tool_path"),
)
def where_a_tool_is_is_not_the_clients_to_say(case: Case, gx: Any, ours: Any) -> bool:
    spoofed = [b"/elsewhere"], [b"/somewhere/else"]
    return gx in spoofed and (ours == [] or ours[0].startswith(PREFIX_BYTES))


@expect("RFC 9110 section 7.6.1: they are between two hops only", *fields(*HOPS))
def hop_by_hop_fields_end_here(case: Case, gx: Any, ours: Any) -> bool:
    return ours == [] and gx != []


@expect(
    "RFC 9110 section 5.3: only lists may be joined, and nothing may be lost",
    *fields("accept", "accept-language", "user-agent", "referer", "if-none-match", "x-twice"),
)
def repeated_fields_stay(case: Case, gx: Any, ours: Any) -> bool:
    joined = b", ".join(ours)
    return case.theme == "twice" and gx in ([joined], joined.split(b", ")[:1])


@expect("RFC 9110 section 5.5: values may hold any byte above ASCII", *fields("x-bytes"))
def bytes_stay_bytes(case: Case, gx: Any, ours: Any) -> bool:
    sent = case.values(b"x-bytes")
    return ours == sent and gx == [sent[0].decode("latin-1").encode()]


@expect(
    "RFC 9110 section 8.6: where nothing was told, nothing is known",
    "request framing",
    *fields("content-length"),
)
def no_length_is_made_up(case: Case, gx: Any, ours: Any) -> bool:
    told = case.values(b"content-length") + case.values(b"transfer-encoding")
    return not told and (gx, ours) in (("length", "none"), ([b"0"], []))


@expect(
    "security: the body goes on as if it were the next request (RFC 9112 section 11.2)",
    "request framing",
    "request body",
    *fields("content-length", "transfer-encoding"),
)
def bodies_of_delete_are_not_smuggled(case: Case, gx: Any, ours: Any) -> bool:
    chunked = case.values(b"transfer-encoding") == [b"chunked"]
    return (
        chunked
        and case.method in (b"DELETE", b"OPTIONS")
        and (gx in ("length", b"", [b"0"], []) and ours != gx)
    )


@expect("RFC 3986 section 3.3: empty segments mean something to tools", "request target")
def slashes_stay(case: Case, gx: Any, ours: Any) -> bool:
    path, mark, query = ours.partition(b"?")
    merged = re.sub(rb"/+", b"/", path).replace(b"http:/", b"http://")
    return path != merged and gx == merged + mark + query


@expect("RFC 3986 section 6.2.2: what is not escaped is not ours to escape", "request target")
def odd_characters_stay(case: Case, gx: Any, ours: Any) -> bool:
    return case.theme == "odd path" and ours in case.target


@expect(
    "RFC 9110 section 7.7: only tools that are told RStudio's header are RStudio",
    *fields("content-type"),
)
def only_rstudio_is_rstudio(case: Case, gx: Any, ours: Any) -> bool:
    form = b"application/x-www-form-urlencoded"
    others = case.tool is not RSTUDIO and b"rstudio" in case.target
    return others and gx == [form] and ours == [form + b"; charset=UTF-8"]


@expect("RStudio reads a form only without a character set", *fields("content-type"))
def rstudio_is_rstudio_anywhere(case: Case, gx: Any, ours: Any) -> bool:
    form = b"application/x-www-form-urlencoded"
    return case.tool is RSTUDIO and gx == [form + b"; charset=UTF-8"] and ours == [form]


@expect("RFC 9110 section 5.1: letter case means nothing, but RStudio reads it", "request names")
def names_stay_as_they_are(case: Case, gx: Any, ours: Any) -> bool:
    sent = {name for name, _ in case.fields}
    return all(name in sent or name.lower() in _WRITTEN for name in ours)


@expect("RFC 9110 section 5.3: the order of different fields means nothing", "request order")
def order_of_requests(case: Case, gx: Any, ours: Any) -> bool:
    sent = list(dict.fromkeys(name.lower() for name, _ in case.fields))
    told = (name for name in ours if not name.startswith(b"x-forwarded-"))
    mine = [name for name in told if name not in _WRITTEN]
    return mine == [name for name in sent if name in mine] + [n for n in mine if n not in sent]
