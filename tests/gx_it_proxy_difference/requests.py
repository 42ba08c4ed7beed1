"""Sorts of requests, by name: what clients send."""

from dataclasses import replace

from tests.gx_it_proxy_difference.cases import (
    DEAD,
    GALAXY_COOKIES,
    HOST,
    IN_HEADER,
    OLD,
    PLAIN,
    PREFIX_BYTES,
    RSTUDIO,
    Case,
    Draw,
    Theme,
    cookies,
)
from tests.neighbours.witness import Answer

_ODD_METHODS = (b"PROPFIND", b"REPORT", b"MKCOL", b"LOCK", b"PATCH", b"PUT", b"POST", b"TRACE")
_ODD_PATHS = (
    b'/a"b', b"/a<b>", b"/{a|b^c`}", b"/it's", b"/a?b={c}&d='e'", b"/a\\b", b"/@a{b}", b"/a@b'c",
)  # fmt: skip
_SLASHES = (b"//", b"/a//b", b"/lab//", b"///a?x=//", b"/proxy/http://other.example/x")
_DOTS = (b"/.", b"/..", b"/a/../b", b"/a/./b", b"/%2e%2e/x", b"/.%2E", b"/../../../etc/passwd")
_CLAIMS = (
    (b"X-Forwarded-For", b"192.0.2.7"),
    (b"X-Forwarded-Proto", b"https"),
    (b"X-Forwarded-Host", b"evil.example"),
    (b"X-Real-IP", b"192.0.2.8"),
    (b"Forwarded", b"for=192.0.2.9"),
    (b"REMOTE_USER", b"admin@example.org"),
    (b"Remote-User", b"admin@example.org"),
    (b"X-Tool-Path", b"/somewhere/else"),
    (b"x_tool_path", b"/somewhere/else"),
    (b"X-Interactive-Tool-Host", b"127.0.0.1"),
    (b"x-interactive-tool-port", b"22"),
    (b"Proxy", b"http://evil.example"),
)
_HOPS = (
    (b"Keep-Alive", b"timeout=5"),
    (b"TE", b"trailers"),
    (b"Proxy-Connection", b"keep-alive"),
    (b"Proxy-Authorization", b"Basic YTpi"),
)
_TWICE = (b"Accept", b"X-Twice", b"User-Agent", b"Accept-Language", b"Referer", b"If-None-Match")
WEBSOCKET = (
    (b"Upgrade", b"websocket"),
    (b"Connection", b"Upgrade"),
    (b"Sec-WebSocket-Version", b"13"),
    (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
)
SWITCHED = Answer(
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: {accept}\r\nX-Tool: 1\r\n\r\n",
    "echo",
)


def get(draw: Draw) -> Case:
    return draw.case("")


def head(draw: Draw) -> Case:
    answer = Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
    return replace(draw.case("", b"HEAD"), answer=answer)


def post(draw: Draw) -> Case:
    return draw.with_length(draw.case("", draw.one((b"POST", b"PUT", b"PATCH"))), draw.data())


def form(draw: Draw) -> Case:
    """With the type that gx-it-proxy shortens for whatever has "rstudio" in its address."""
    tool = draw.one((RSTUDIO, RSTUDIO, PLAIN, OLD))
    path = b"/auth-do-sign-in" if tool is RSTUDIO else b"/rstudio/auth-do-sign-in?x"
    case = draw.case("", b"POST", path, tool)
    typed = (draw.cased(b"Content-Type"), b"application/x-www-form-urlencoded; charset=UTF-8")
    body = b"v=abc&persist=1"
    case = case.plus(typed, (draw.cased(b"Content-Length"), b"%d" % len(body)))
    return replace(case, body=body)


def chunked_post(draw: Draw) -> Case:
    return draw.with_chunks(draw.case("", draw.one((b"POST", b"PUT"))), draw.data())


def large(draw: Draw) -> Case:
    case = draw.case("", b"PUT")
    body = draw.random.randbytes(300_000)
    return draw.one((draw.with_length, draw.with_chunks))(case, body)


def delete(draw: Draw) -> Case:
    """Methods of which gx-it-proxy thinks that they have no body."""
    case = draw.case("", draw.one((b"DELETE", b"OPTIONS")))
    how = draw.random.randrange(4)
    if how == 0:
        return draw.with_length(case, draw.data(200))
    if how == 1:
        return draw.with_chunks(case, draw.data(200) + b"x")
    return case


def odd_method(draw: Draw) -> Case:
    case = draw.case("", draw.one(_ODD_METHODS))
    return draw.with_length(case, draw.data(100)) if draw.random.random() < 0.5 else case


def odd_path(draw: Draw) -> Case:
    return draw.case("", path=draw.one(_ODD_PATHS))


def slashes(draw: Draw) -> Case:
    return draw.case("", path=draw.one(_SLASHES))


def dots(draw: Draw) -> Case:
    return draw.case("", path=draw.one(_DOTS))


def no_slash(draw: Draw) -> Case:
    """The tool's own address, as one would shorten it."""
    case = draw.case("", path=draw.one((b"", b"?", b"?a=1")))
    if case.by_host:
        case = replace(case, target=b"/" + case.target)
    return case


def letter_case(draw: Draw) -> Case:
    """All fields in other letter case."""
    case = draw.case("")
    return replace(case, fields=tuple((draw.cased(name), value) for name, value in case.fields))


def twice(draw: Draw) -> Case:
    """Fields that come twice; some of them never should."""
    names = draw.random.sample(_TWICE, 3)
    return draw.case("").plus(*((name, b"%d" % n) for name in names for n in (1, 2)))


def with_cookies(draw: Draw) -> Case:
    case = draw.case("").plus((draw.cased(b"Cookie"), cookies(draw)))
    return case.plus((b"Cookie", cookies(draw))) if draw.random.random() < 0.3 else case


def galaxy_cookies(draw: Draw) -> Case:
    return draw.case("").plus((b"Cookie", cookies(draw, draw.one(GALAXY_COOKIES))))


def claims(draw: Draw) -> Case:
    """What a client says of itself, as only a front may."""
    return draw.case("").plus(*draw.random.sample(_CLAIMS, 4))


def hops(draw: Draw) -> Case:
    case = draw.case("").plus(*draw.random.sample(_HOPS, 2))
    if draw.random.random() < 0.4:
        return case.plus((b"X-Hop", b"1"), (b"Connection", draw.one((b"X-Hop", b"close, x-hop"))))
    return case.plus((b"Connection", draw.one((b"close", b"keep-alive", b"Keep-Alive"))))


def many_fields(draw: Draw) -> Case:
    return draw.case("").plus(*((b"X-Field-%d" % n, b"%d" % n) for n in range(120)))


def long_head(draw: Draw) -> Case:
    """Longer than Node takes, shorter than giestack does."""
    return draw.case("").plus((b"X-Long", b"a" * 20_000))


def bytes_above_ascii(draw: Draw) -> Case:
    case = draw.case("", b"POST").plus((b"X-Bytes", draw.one((b"\xe4\xf6", b"\xff", b"a\x80"))))
    return draw.with_length(case, b"v=1").plus((b"Expect", b"100-continue"))


def expect(draw: Draw) -> Case:
    case = draw.with_length(draw.case("", b"POST"), draw.data(100))
    return case.plus((draw.cased(b"Expect"), b"100-continue"))


def old_version(draw: Draw) -> Case:
    case = replace(draw.case(""), version=b"HTTP/1.0")
    how = draw.random.randrange(3)
    return case if how else case.plus((b"Connection", b"keep-alive"))


def front(draw: Draw) -> Case:
    """As from the block for nginx that Galaxy's documentation has."""
    return draw.case("").plus((b"Connection", b"upgrade"), (b"X-Real-IP", b"192.0.2.10"))


def front_with_another_host(draw: Draw) -> Case:
    """A front that is at another host than the one that it asks for."""
    return draw.case("", by_host=True).plus((b"X-Forwarded-Host", HOST))


def origin(draw: Draw) -> Case:
    """A page of another site asks, as its browser says."""
    method = draw.one((b"GET", b"OPTIONS"))
    return draw.case("", method).plus((b"Origin", draw.one((b"null", b"https://evil.example"))))


def websocket(draw: Draw) -> Case:
    case = draw.case("").plus(*WEBSOCKET)
    if draw.random.random() < 0.6:
        case = case.plus((b"Origin", b"http://" + case.values(b"host")[0]))
    if draw.random.random() < 0.4:
        case = case.plus((b"Sec-WebSocket-Protocol", b"v1.kernel.websocket.jupyter.org"))
    return replace(case, answer=SWITCHED, tunnel=b"\x82\x7e" + draw.random.randbytes(2000))


def foreign_websocket(draw: Draw) -> Case:
    """A page of another site opens one."""
    origins = (b"null", b"https://evil.example", b"http://a-b.ep.interactivetool." + HOST)
    case = draw.case("").plus(*WEBSOCKET, (b"Origin", draw.one(origins)))
    return replace(case, answer=SWITCHED, tunnel=b"\x81\x05hello")


def websocket_post(draw: Draw) -> Case:
    return draw.case("", b"POST").plus(*WEBSOCKET)


def other_upgrade(draw: Draw) -> Case:
    fields = ((b"Upgrade", b"h2c"), (b"Connection", b"Upgrade"))
    return draw.case("").plus(*fields)


def unknown(draw: Draw) -> Case:
    """Keys and tokens that are in no map."""
    paths = (b"/nokey/notoken/x", b"/%b/wrong/" % PLAIN.key.encode(), b"/a", b"", b"/", b"//x/y")
    target = PREFIX_BYTES + draw.one(paths)
    hosts = (b"", b"a-b.ep.interactivetool.", b"%b-wrong.ep.interactivetool." % PLAIN.key.encode())
    host = draw.one(hosts)
    if host:
        target = draw.path()
    return Case("", None, bool(host), b"GET", target, ((b"Host", host + HOST),))


def elsewhere(draw: Draw) -> Case:
    """Addresses that are nobody's here."""
    targets = (b"/", b"/favicon.ico", b"/interactivetool/", b"/api/users/current")
    fields = ((b"Host", draw.one((HOST, b"localhost:4002", b"127.0.0.1"))),)
    return Case("", None, True, b"GET", draw.one(targets), fields)


def dead(draw: Draw) -> Case:
    case = draw.case("", draw.one((b"GET", b"POST")), tool=DEAD)
    return draw.with_length(case, b"abc") if case.method == b"POST" else case


def spoofed_path(draw: Draw) -> Case:
    """The header that says where a tool is, from somebody who likes it to be elsewhere."""
    case = draw.case("", tool=IN_HEADER)
    return case.plus((draw.one((b"X-Tool-Path", b"x-tool-path")), b"/elsewhere"))


REQUESTS: dict[str, Theme] = {
    theme.__name__.replace("_", " "): theme
    for theme in (
        get, head, post, form, chunked_post, large, delete, odd_method, odd_path, slashes, dots,
        no_slash, letter_case, twice, with_cookies, galaxy_cookies, claims, hops, many_fields,
        long_head, bytes_above_ascii, expect, old_version, front, front_with_another_host, origin,
        websocket, foreign_websocket, websocket_post, other_upgrade, unknown, elsewhere, dead,
        spoofed_path,
    )
}  # fmt: skip
