"""Sorts of answers, by name: what backends send."""

from dataclasses import replace

from tests.gx_it_proxy_difference.cases import GALAXY_COOKIES, HOST, Case, Draw, Theme, in_chunks
from tests.gx_it_proxy_difference.requests import SWITCHED, WEBSOCKET
from tests.neighbours.witness import Answer

_STATUSES = (
    b"200 OK", b"201 Created", b"202 Accepted", b"206 Partial Content", b"400 Bad Request",
    b"401 Unauthorized", b"403 Forbidden", b"404 Not Found", b"409 Conflict", b"418 I'm a teapot",
    b"429 Too Many Requests", b"500 Internal Server Error", b"503 Service Unavailable",
    b"299 My Own Word",
)  # fmt: skip
_FIELDS = (
    (b"Content-Type", b"text/html; charset=utf-8"),
    (b"Server", b"TornadoServer/6.4"),
    (b"Date", b"Sat, 21 Nov 2026 12:00:00 GMT"),
    (b"ETag", b'"abc"'),
    (b"Cache-Control", b"no-store"),
    (b"Content-Encoding", b"gzip"),
    (b"Content-Security-Policy", b"frame-ancestors 'self'"),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Vary", b"Accept-Encoding"),
    (b"WWW-Authenticate", b'Basic realm="tool"'),
    (b"x-lower", b"1"),
    (b"X-Accel-Buffering", b"no"),
)


def _answer(
    draw: Draw, status: bytes, fields: tuple[tuple[bytes, bytes], ...], body: bytes | None
) -> bytes:
    """An answer with some fields, its body framed in one of the two ways."""
    all_fields = [*draw.some(_FIELDS, 6), *fields]
    framed = b""
    if body is not None:
        if draw.random.random() < 0.5:
            all_fields.append((draw.cased(b"Content-Length"), b"%d" % len(body)))
            framed = body
        else:
            all_fields.append((b"Transfer-Encoding", b"chunked"))
            framed = in_chunks(draw.random, body)
    lines = b"".join(b"%b: %b\r\n" % field for field in all_fields)
    return b"HTTP/1.1 %b\r\n%b\r\n%b" % (status, lines, framed)


def _told(draw: Draw, wire: bytes, then: str = "stay", method: bytes = b"GET") -> Case:
    return replace(draw.case("", method), answer=Answer(wire, then))  # type: ignore[arg-type]


def any_answer(draw: Draw) -> Case:
    return _told(draw, _answer(draw, draw.one(_STATUSES), (), draw.data()))


def no_reason(draw: Draw) -> Case:
    """A status without words (RFC 9112 section 4)."""
    return _told(draw, _answer(draw, draw.one((b"599 ", b"200 ")), (), b"x"))


def answer_to_head(draw: Draw) -> Case:
    fields = draw.one((((b"Content-Length", b"1234"),), ((b"Transfer-Encoding", b"chunked"),), ()))
    return _told(draw, _answer(draw, b"200 OK", fields, None), method=b"HEAD")


def body_behind_head(draw: Draw) -> Case:
    """A backend that forgets that a HEAD is answered without a body."""
    return _told(draw, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", method=b"HEAD")


def no_body(draw: Draw) -> Case:
    wire = _answer(draw, draw.one((b"204 No Content", b"304 Not Modified")), (), None)
    return _told(draw, wire)


def until_close(draw: Draw) -> Case:
    wire = _answer(draw, b"200 OK", ((b"Connection", b"close"),), None) + draw.data()
    return _told(draw, wire, "close")


def large_answer(draw: Draw) -> Case:
    return _told(draw, _answer(draw, b"200 OK", (), draw.random.randbytes(400_000)))


def old_answer(draw: Draw) -> Case:
    """Of a server that speaks HTTP/1.0."""
    return _told(draw, b"HTTP/1.0 200 OK\r\nX-Old: 1\r\n\r\n" + draw.data(), "close")


def redirect(draw: Draw) -> Case:
    places = (b"/lab?x", b"lab", b"http://localhost/lab", b"https://other.example/", b"//x/y")
    status = draw.one(
        (b"301 Moved Permanently", b"302 Found", b"303 See Other", b"307 T", b"308 P")
    )
    fields = ((b"Location", draw.one(places)),)
    return _told(draw, _answer(draw, status, fields, b""))


def sets_cookies(draw: Draw) -> Case:
    fields = (
        (b"Set-Cookie", b"_xsrf=2|abc; Path=/; HttpOnly"),
        (b"set-cookie", b"theme=dark; expires=Sat, 21 Nov 2026 12:00:00 GMT"),
    )
    return _told(draw, _answer(draw, b"200 OK", fields, b"x"))


def tosses_cookies(draw: Draw) -> Case:
    """Cookies that would reach Galaxy or others."""
    cookie = draw.one((draw.one(GALAXY_COOKIES), b"sid=1; Domain=" + HOST, b"=galaxysession=x"))
    fields = ((b"Set-Cookie", b"good=1"), (b"Set-Cookie", cookie))
    return _told(draw, _answer(draw, b"200 OK", fields, b"x"))


def opens_itself(draw: Draw) -> Case:
    """A backend that lets all sites read it."""
    fields = (
        (b"Access-Control-Allow-Origin", draw.one((b"*", b"https://evil.example"))),
        (b"Access-Control-Allow-Methods", b"GET"),
    )
    case = _told(draw, _answer(draw, b"200 OK", fields, b"x"))
    return case.plus((b"Origin", b"https://evil.example"))


def speaks_for_all(draw: Draw) -> Case:
    """Fields that hold for the whole origin, or are orders for a front."""
    names = (
        (b"Strict-Transport-Security", b"max-age=1"),
        (b"Clear-Site-Data", b'"cookies"'),
        (b"Service-Worker-Allowed", b"/"),
        (b"X-Accel-Redirect", b"/_internal/etc/passwd"),
        (b"X-Sendfile", b"/etc/passwd"),
        (b"Alt-Svc", b'h3=":443"'),
    )
    return _told(draw, _answer(draw, b"200 OK", draw.some(names, 3) or names[:1], b"x"))


def answer_twice(draw: Draw) -> Case:
    """Fields that come twice."""
    fields = ((b"X-Twice", b"1"), (b"x-twice", b"2"), (b"Vary", b"A"), (b"Vary", b"B"))
    return _told(draw, _answer(draw, b"200 OK", fields, b"x"))


def answer_hops(draw: Draw) -> Case:
    fields = draw.one((
        ((b"Connection", b"X-Hop"), (b"X-Hop", b"1")),
        ((b"Keep-Alive", b"timeout=5"), (b"Connection", b"keep-alive")),
        ((b"Proxy-Connection", b"close"),),
    ))  # fmt: skip
    return _told(draw, _answer(draw, b"200 OK", fields, b"x"))


def interim(draw: Draw) -> Case:
    first = draw.one((b"103 Early Hints\r\nLink: </a.css>; rel=preload", b"102 Processing"))
    return _told(draw, b"HTTP/1.1 %b\r\n\r\n" % first + _answer(draw, b"200 OK", (), b"x"))


def trailers(draw: Draw) -> Case:
    wire = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n"
    return _told(draw, wire)


def cut(draw: Draw) -> Case:
    """An answer that ends too early."""
    wire = draw.one((
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nabc",
    ))  # fmt: skip
    return _told(draw, wire, "close")


def silent_end(draw: Draw) -> Case:
    """No answer at all."""
    return _told(draw, draw.one((b"", b"HTTP/1.1 200 O")), draw.one(("close", "reset")))


def garbage(draw: Draw) -> Case:
    wires = (
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Name: x\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
    )
    return _told(draw, draw.one(wires), "close")


def length_and_chunks_answer(draw: Draw) -> Case:
    wire = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    return _told(draw, wire, "close")


def refused_websocket(draw: Draw) -> Case:
    wire = _answer(draw, draw.one((b"403 Forbidden", b"404 Not Found", b"200 OK")), (), b"no")
    return replace(draw.case("").plus(*WEBSOCKET), answer=Answer(wire, "close"))


def unasked_switch(draw: Draw) -> Case:
    return replace(draw.case(""), answer=SWITCHED)


ANSWERS: dict[str, Theme] = {
    theme.__name__.replace("_", " "): theme
    for theme in (
        any_answer, no_reason, answer_to_head, body_behind_head, no_body, until_close,
        large_answer, old_answer, redirect, sets_cookies, tosses_cookies, opens_itself,
        speaks_for_all, answer_twice, answer_hops, interim, trailers, cut, silent_end, garbage,
        length_and_chunks_answer, refused_websocket, unasked_switch,
    )
}  # fmt: skip
