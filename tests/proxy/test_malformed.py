"""Raw requests, odd and evil: each is refused, or passed on in the one way it can be read.

Every request of the table runs whole, in single bytes, and behind a good one. A backend that
reads as strictly as any may (`StrictBackends`) must get exactly the requests that are written
down here, so whatever one of them smuggles along would be seen.
"""

from dataclasses import dataclass

from twisted.trial.unittest import SynchronousTestCase

from giestack.proxy.front import Limits
from tests.proxy.memory import House, StrictBackends, Wire, get, read_answers

HOST = b"Host: a.example\r\n"
TOLD = (
    b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: http\r\n"
    b"X-Forwarded-Port: 80\r\nX-Forwarded-Host: a.example\r\n"
)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
GOOD = get("/good")

READ = 2**16
"""Bytes that Twisted reads at once."""


def ask(fields: bytes = b"", body: bytes = b"", start: bytes = b"GET /x HTTP/1.1") -> bytes:
    """A request with a Host."""
    return start + b"\r\n" + HOST + fields + b"\r\n" + body


def post(fields: bytes = b"", body: bytes = b"") -> bytes:
    return ask(fields, body, b"POST /x HTTP/1.1")


def chunks(body: bytes) -> bytes:
    """A request in chunks."""
    return post(CHUNKED, body)


def got(
    fields: bytes = b"", framing: bytes = b"", start: bytes = b"GET /x", cookie: bytes = b""
) -> bytes:
    """What the backend gets."""
    return start + b" HTTP/1.1\r\n" + HOST + fields + TOLD + cookie + framing


@dataclass(frozen=True)
class Refused:
    """Nothing of it is passed on; one answer, then the connection ends."""

    status: int = 400


@dataclass(frozen=True)
class Cut:
    """Its head may have been passed on before the rest proved bad; never all of it."""

    status: int = 400


@dataclass(frozen=True)
class Waits:
    """It has not arrived yet; time will end it."""


class Passed:
    """These requests are passed on, in this spelling; then the connection ends, or stays.

    :ivar then: the status of one more answer, to what follows them.
    """

    def __init__(self, *requests: bytes, stays: bool = True, then: int = 0) -> None:
        self.requests = list(requests)
        self.stays = stays and not then
        self.statuses = [200] * len(requests) + [then] * (then > 0)


PLAIN = got(framing=b"\r\n")
EMPTY = got(start=b"POST /x", framing=b"\r\n")
ONE = got(start=b"POST /x", framing=CHUNKED + b"\r\n1\r\na\r\n0\r\n\r\n")
NONE = got(start=b"POST /x", framing=CHUNKED + b"\r\n0\r\n\r\n")
SECOND = ask(start=b"GET /second HTTP/1.1")
SECOND_GOT = got(start=b"GET /second", framing=b"\r\n")

Case = tuple[str, bytes, Refused | Cut | Waits | Passed]

START_LINES: tuple[Case, ...] = (
    ("HTTP/0.9 without a version", b"GET /x\r\n\r\n", Refused(505)),
    ("HTTP/0.9 with fields", ask(start=b"GET /x"), Refused(505)),
    ("HTTP/0.9 by name", ask(start=b"GET /x HTTP/0.9"), Refused(505)),
    ("HTTP/1.2", ask(start=b"GET /x HTTP/1.2"), Refused()),
    ("HTTP/2.0", ask(start=b"GET /x HTTP/2.0"), Refused(505)),
    ("HTTP/3.0", ask(start=b"GET /x HTTP/3.0"), Refused()),
    ("HTTP/1.10", ask(start=b"GET /x HTTP/1.10"), Refused()),
    ("HTTP/01.1", ask(start=b"GET /x HTTP/01.1"), Refused()),
    ("HTTP/1.", ask(start=b"GET /x HTTP/1."), Refused()),
    ("http in lower case", ask(start=b"GET /x http/1.1"), Refused()),
    ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refused()),
    (
        "ICE",
        ask(start=b"SOURCE /x ICE/1.0"),
        Passed(got(start=b"SOURCE /x", framing=b"\r\n"), stays=False),
    ),
    ("ICE by GET", ask(start=b"GET /x ICE/1.0"), Refused()),
    ("RTSP/1.0 becomes HTTP", ask(start=b"GET /x RTSP/1.0"), Passed(PLAIN, stays=False)),
    ("RTSP/2.0", ask(start=b"GET /x RTSP/2.0"), Refused(505)),
    ("two blanks before the target", ask(start=b"GET  /x HTTP/1.1"), Passed(PLAIN)),
    ("two blanks before the version", ask(start=b"GET /x  HTTP/1.1"), Passed(PLAIN)),
    ("blank after the version", ask(start=b"GET /x HTTP/1.1 "), Refused()),
    ("blank before the method", b" " + ask(), Refused()),
    ("tab before the target", ask(start=b"GET\t/x HTTP/1.1"), Refused()),
    ("tab before the version", ask(start=b"GET /x\tHTTP/1.1"), Refused()),
    ("blank in the target", ask(start=b"GET /x y HTTP/1.1"), Refused()),
    ("tab in the target", ask(start=b"GET /x\ty HTTP/1.1"), Refused()),
    ("form feed in the target", ask(start=b"GET /x\x0cy HTTP/1.1"), Refused()),
    ("NUL in the target", ask(start=b"GET /x\0y HTTP/1.1"), Refused()),
    ("DEL in the target", ask(start=b"GET /x\x7fy HTTP/1.1"), Refused()),
    ("CR in the target", ask(start=b"GET /x\ry HTTP/1.1"), Refused()),
    ("LF ends the start line", b"GET /x HTTP/1.1\n" + HOST + b"\r\n", Refused()),
    ("CR ends the start line", b"GET /x HTTP/1.1\r" + HOST + b"\r\n", Refused()),
    ("Latin-1 in the target", ask(start=b"GET /\xe9 HTTP/1.1"), Refused()),
    ("UTF-8 in the target", ask(start=b"GET /\xc3\xa9 HTTP/1.1"), Refused()),
    ("NEL in the target", ask(start=b"GET /x\x85HTTP/1.0 HTTP/1.1"), Refused()),
    ("no target", ask(start=b"GET HTTP/1.1"), Refused()),
    ("no blank at all", ask(start=b"GET"), Refused()),
    ("asterisk", ask(start=b"GET * HTTP/1.1"), Refused()),
    ("asterisk of OPTIONS", ask(start=b"OPTIONS * HTTP/1.1"), Refused()),
    ("authority", ask(start=b"GET a.example:80 HTTP/1.1"), Refused()),
    ("relative target", ask(start=b"GET x HTTP/1.1"), Refused()),
    ("query only", ask(start=b"GET ?x HTTP/1.1"), Refused()),
    ("fragment", ask(start=b"GET /x#y HTTP/1.1"), Refused()),
    ("fragment in the query", ask(start=b"GET /x?y#z HTTP/1.1"), Refused()),
    ("CONNECT", ask(start=b"CONNECT a.example:80 HTTP/1.1"), Refused(501)),
    ("CONNECT with a path", ask(start=b"CONNECT /x HTTP/1.1"), Refused(501)),
    (
        "CONNECT with a body",
        ask(b"Content-Length: 1\r\n", b"a", b"CONNECT a:1 HTTP/1.1"),
        Refused(501),
    ),
    ("unknown method", ask(start=b"HACK /x HTTP/1.1"), Refused()),
    ("method in lower case", ask(start=b"get /x HTTP/1.1"), Refused()),
    ("method with a NUL", ask(start=b"GE\0T /x HTTP/1.1"), Refused()),
    ("TRACE", ask(start=b"TRACE /x HTTP/1.1"), Passed(got(start=b"TRACE /x", framing=b"\r\n"))),
    ("absolute target", ask(start=b"GET http://a.example/x HTTP/1.1"), Passed(PLAIN)),
    (
        "absolute target in capitals",
        ask(start=b"GET HTTP://A.Example:80/x HTTP/1.1"),
        Passed(PLAIN),
    ),
    (
        "absolute target without a path",
        ask(start=b"GET http://a.example?y HTTP/1.1"),
        Passed(got(start=b"GET /?y", framing=b"\r\n")),
    ),
    ("absolute target on another host", ask(start=b"GET http://b.example/x HTTP/1.1"), Refused()),
    (
        "absolute target with a user",
        ask(start=b"GET http://a.example@b.example/x HTTP/1.1"),
        Refused(),
    ),
    ("absolute target without a host", ask(start=b"GET http:///x HTTP/1.1"), Refused()),
    ("absolute target of another scheme", ask(start=b"GET ftp://a.example/x HTTP/1.1"), Refused()),
    (
        "two slashes are a path",
        ask(start=b"GET //b.example/x HTTP/1.1"),
        Passed(got(start=b"GET //b.example/x", framing=b"\r\n")),
    ),
    (
        "odd bytes of a path stay",
        ask(start=b'GET /%2F%00\\"<>^`{|}%?%23 HTTP/1.1'),
        Passed(got(start=b'GET /%2F%00\\"<>^`{|}%?%23', framing=b"\r\n")),
    ),
    ("empty lines before", b"\r\n\r\n" + ask(), Passed(PLAIN)),
    ("a bare LF before", b"\n" + ask(), Passed(PLAIN)),
    ("garbage", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", Refused()),
    ("a line of text", b"hello\r\n", Refused()),
    ("an HTTP answer", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Refused()),
)

FIELDS: tuple[Case, ...] = (
    ("blank before the colon", ask(b"X : 1\r\n"), Refused()),
    ("tab before the colon", ask(b"X\t: 1\r\n"), Refused()),
    ("no colon", ask(b"X\r\n"), Refused()),
    ("no name", ask(b": 1\r\n"), Refused()),
    ("blank before the first name", b"GET /x HTTP/1.1\r\n X: 1\r\n" + HOST + b"\r\n", Refused()),
    ("folded line", ask(b"X: 1\r\n Y: 2\r\n"), Refused()),
    ("folded line with a tab", ask(b"X: 1\r\n\tY: 2\r\n"), Refused()),
    ("folded empty line", ask(b"X:\r\n 1\r\n"), Refused()),
    ("LF ends a field", ask(b"X: 1\nY: 2\r\n"), Refused()),
    ("CR ends a field", ask(b"X: 1\rY: 2\r\n"), Refused()),
    ("LF LF ends the head", b"GET /x HTTP/1.1\nHost: a.example\n\n", Refused()),
    ("CR LF LF ends the head", b"GET /x HTTP/1.1\r\nHost: a.example\r\n\n", Refused()),
    ("NUL in a name", ask(b"X\0Y: 1\r\n"), Refused()),
    ("NUL in a value", ask(b"X: a\0b\r\n"), Refused()),
    ("control character in a value", ask(b"X: a\x01b\r\n"), Refused()),
    ("vertical tab in a value", ask(b"X: a\x0bb\r\n"), Refused()),
    ("DEL in a value", ask(b"X: a\x7fb\r\n"), Refused()),
    ("parenthesis in a name", ask(b"X(Y): 1\r\n"), Refused()),
    ("Latin-1 in a name", ask(b"X\xe9: 1\r\n"), Refused()),
    (
        "every character of a token",
        ask(b"!#$%&'*+-.^_`|~: 1\r\n"),
        Passed(got(b"!#$%&'*+-.^_`|~: 1\r\n", b"\r\n")),
    ),
    (
        "bytes above ASCII in a value",
        ask(b"X: \x80\xe9\xff\r\n"),
        Passed(got(b"X: \x80\xe9\xff\r\n", b"\r\n")),
    ),
    ("empty value", ask(b"X:\r\n"), Passed(got(b"X: \r\n", b"\r\n"))),
    ("tabs around a value", ask(b"X:\t1\t\r\n"), Passed(got(b"X: 1\t\r\n", b"\r\n"))),
    ("the same name twice", ask(b"X: 1\r\nx: 2\r\n"), Passed(got(b"X: 1\r\nx: 2\r\n", b"\r\n"))),
    ("too many fields", ask(b"".join(b"X: 1\r\n" for _ in range(256))), Refused(431)),
    ("head too large", ask(b"X: " + b"a" * 200_000 + b"\r\n"), Refused(431)),
    ("target too large", ask(start=b"GET /" + b"a" * 200_000 + b" HTTP/1.1"), Refused(431)),
    ("empty lines without end", b"\r\n" * 100_000, Refused(431)),
    (
        "identity in CGI's spelling",
        ask(b"REMOTE_USER: eve\r\nremote-user: eve\r\nRemote.User: eve\r\n"),
        Passed(PLAIN),
    ),
    (
        "forwarding in any spelling",
        ask(
            b"X-Forwarded-For: 1.1.1.1\r\nX_Forwarded_For: 1.1.1.1\r\n"
            b"X-Real-IP: 1.1.1.1\r\nForwarded: for=1.1.1.1\r\n"
        ),
        Passed(PLAIN),
    ),
    (
        "forwarding named by Connection",
        ask(b"Connection: close, X-Forwarded-For, Host, Cookie\r\nCookie: a=1\r\n"),
        Passed(PLAIN, stays=False),
    ),
    ("a field named by Connection", ask(b"X-A: 1\r\nConnection: x_a\r\n"), Passed(PLAIN)),
    ("httpoxy", ask(b"Proxy: http://b.example\r\n"), Passed(PLAIN)),
    ("TE", ask(b"TE: trailers, chunked\r\nConnection: TE\r\n"), Passed(PLAIN)),
    (
        "session cookies",
        ask(b'Cookie: galaxysession=1; a=2\r\ncookie: GALAXYSESSION =3;b="4"\r\n'),
        Passed(got(cookie=b'Cookie: a=2; b="4"\r\n', framing=b"\r\n")),
    ),
    ("session cookie behind a blank", ask(b"Cookie: a=2 galaxysession=1\r\n"), Passed(PLAIN)),
    ("two Origins", ask(b"Origin: http://a.example\r\nOrigin: http://b.example\r\n"), Refused()),
    ("unknown expectation", ask(b"Expect: 200-ok\r\n"), Refused(417)),
    ("expectation without a body", ask(b"Expect: 100-continue\r\n"), Passed(PLAIN)),
)

HOSTS: tuple[Case, ...] = (
    ("no Host", b"GET /x HTTP/1.1\r\n\r\n", Refused()),
    ("no Host, absolute target", b"GET http://a.example/x HTTP/1.1\r\n\r\n", Refused()),
    (
        "no Host in HTTP/1.0",
        b"GET /x HTTP/1.0\r\n\r\n",
        Passed(
            b"GET /x HTTP/1.1\r\nHost: 127.0.0.1:9000\r\nX-Forwarded-For: 203.0.113.9\r\n"
            b"X-Forwarded-Proto: http\r\nX-Forwarded-Port: 80\r\n\r\n",
            stays=False,
        ),
    ),
    ("two Hosts", ask(HOST), Refused()),
    ("two different Hosts", ask(b"host: b.example\r\n"), Refused()),
    (
        "a Host with an underscore is none",
        b"GET /x HTTP/1.1\r\nHost_: a.example\r\n\r\n",
        Refused(),
    ),
    *(
        (f"Host: {host!r}", b"GET /x HTTP/1.1\r\nHost: %b\r\n\r\n" % host, Refused())
        for host in (
            b"",
            b" ",
            b":80",
            b"a.example:",
            b"a.example:0",
            b"a.example:65536",
            b"a.example:8x",
            b"a.example:80:80",
            b"user@a.example",
            b"a.example, b.example",
            b"a.example b.example",
            b"a.example/x",
            b"a.example?x",
            b"a.example#x",
            b"a.example\\x",
            b"http://a.example",
            b"a%2eexample",
            b"b\xc3\xbccher.example",
            b"[::1",
            b"::1",
            b"[fe80::1%25eth0]",
            b"[a]",
            b".",
            b"a..example",
            b"a.example;x",
            b"a.example\xa0",
        )
    ),
)

LENGTHS: tuple[Case, ...] = (
    (
        "a length",
        post(b"Content-Length: 1\r\n", b"a"),
        Passed(got(start=b"POST /x", framing=b"Content-Length: 1\r\n\r\na")),
    ),
    (
        "a length with zeros and blanks",
        post(b"content-length:\t 0001 \r\n", b"a"),
        Passed(got(start=b"POST /x", framing=b"Content-Length: 1\r\n\r\na")),
    ),
    (
        "a length of GET",
        ask(b"Content-Length: 1\r\n", b"a"),
        Passed(got(framing=b"Content-Length: 1\r\n\r\na")),
    ),
    ("no length, no body", post(body=SECOND), Passed(EMPTY, SECOND_GOT)),
    ("a body without a length", post(body=b"abc"), Passed(EMPTY, then=400)),
    (
        "the body ends where it ends",
        post(b"Content-Length: 1\r\n", b"a" + SECOND),
        Passed(got(start=b"POST /x", framing=b"Content-Length: 1\r\n\r\na"), SECOND_GOT),
    ),
    (
        "a request in a body is a body",
        post(b"Content-Length: %d\r\n" % len(SECOND), SECOND),
        Passed(
            got(start=b"POST /x", framing=b"Content-Length: %d\r\n\r\n%b" % (len(SECOND), SECOND))
        ),
    ),
    (
        "a length in CGI's spelling is none",
        post(b"Content_Length: 5\r\n", SECOND),
        Passed(EMPTY, SECOND_GOT),
    ),
    (
        "a length named by Connection",
        post(b"Connection: content-length\r\nContent-Length: 1\r\n", b"a"),
        Passed(got(start=b"POST /x", framing=b"Content-Length: 1\r\n\r\na")),
    ),
    ("less than the length", post(b"Content-Length: 5\r\n", b"abcd"), Waits()),
    *(
        (
            f"Content-Length: {value!r}",
            post(b"Content-Length: %b\r\n" % value, b"abcde" + SECOND),
            Refused(),
        )
        for value in (
            b"",
            b"+5",
            b"-5",
            b"0x5",
            b"5;",
            b"5,5",
            b"5, 5",
            b"5 5",
            b"5.0",
            b"5e0",
            b"five",
            b"\xb2",
            b"18446744073709551615",
            b"18446744073709551616",
            b"5\r\nContent-Length: 5",
            b"5\r\nContent-Length: 0",
            b"0\r\ncontent-length: 5",
            b"5\0",
            b"5\r\n 5",
            b"1" * 19,
        )
    ),
    (
        "Content-Length with a blank before the colon",
        post(b"Content-Length : 5\r\n", b"abcde"),
        Refused(),
    ),
)

CODINGS: tuple[Case, ...] = (
    ("chunks", chunks(b"1\r\na\r\n0\r\n\r\n"), Passed(ONE)),
    (
        "chunks in capitals",
        post(b"TRANSFER-ENCODING: CHUNKED\r\n", b"1\r\na\r\n0\r\n\r\n"),
        Passed(ONE),
    ),
    (
        "chunks with blanks",
        post(b"Transfer-Encoding: \tchunked \r\n", b"1\r\na\r\n0\r\n\r\n"),
        Passed(ONE),
    ),
    (
        "chunks of GET",
        ask(CHUNKED, b"1\r\na\r\n0\r\n\r\n"),
        Passed(got(framing=CHUNKED + b"\r\n1\r\na\r\n0\r\n\r\n")),
    ),
    (
        "chunks in CGI's spelling are none",
        post(b"Transfer_Encoding: chunked\r\n", SECOND),
        Passed(EMPTY, SECOND_GOT),
    ),
    ("chunks of HTTP/1.0", ask(CHUNKED, b"0\r\n\r\n", b"POST /x HTTP/1.0"), Refused()),
    (
        "chunks and a length",
        post(CHUNKED + b"Content-Length: 5\r\n", b"0\r\n\r\n" + SECOND),
        Refused(),
    ),
    (
        "a length and chunks",
        post(b"Content-Length: 5\r\n" + CHUNKED, b"0\r\n\r\n" + SECOND),
        Refused(),
    ),
    (
        "chunks and a length in CGI's spelling",
        post(CHUNKED + b"Content_Length: 9\r\n", b"0\r\n\r\n" + SECOND),
        Passed(NONE, SECOND_GOT),
    ),
    *(
        (
            f"Transfer-Encoding: {value!r}",
            post(b"Transfer-Encoding: %b\r\n" % value, b"0\r\n\r\n" + SECOND),
            Refused(status),
        )
        for value, status in (
            (b"gzip, chunked", 501),
            (b"identity, chunked", 501),
            (b", chunked", 501),
            (b",chunked", 501),
            (b"gzip\r\nTransfer-Encoding: chunked", 501),
            (b"identity\r\ntransfer-encoding: chunked", 501),
            (b"", 400),
            (b"identity", 400),
            (b"gzip", 400),
            (b"chunked, gzip", 400),
            (b"chunked, chunked", 400),
            (b"chunked\r\nTransfer-Encoding: chunked", 400),
            (b"chunked\r\nTransfer-Encoding: identity", 400),
            (b"xchunked", 400),
            (b"chunkedx", 400),
            (b"chunked,", 400),
            (b"chunked;q=1", 400),
            (b'"chunked"', 400),
            (b"chunked x", 400),
            (b"\x0bchunked", 400),
            (b"\xa0chunked", 400),
            (b"chunke\xc4", 400),
            (b"chunked\0", 400),
            (b"\r\n chunked", 400),
        )
    ),
    (
        "Transfer-Encoding with a blank before the colon",
        post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"),
        Refused(),
    ),
)

CHUNKS: tuple[Case, ...] = (
    (
        "sizes with zeros and capitals",
        chunks(b"000A\r\n0123456789\r\n0\r\n\r\n"),
        Passed(got(start=b"POST /x", framing=CHUNKED + b"\r\na\r\n0123456789\r\n0\r\n\r\n")),
    ),
    ("extensions are left out", chunks(b'1;x\r\na\r\n0;y="z";u=v\r\n\r\n'), Passed(ONE)),
    ("a last chunk of several zeros", chunks(b"000\r\n\r\n" + SECOND), Passed(NONE, SECOND_GOT)),
    (
        "a request in a chunk is a body",
        chunks(b"%x\r\n%b\r\n0\r\n\r\n" % (len(SECOND), SECOND)),
        Passed(
            got(
                start=b"POST /x",
                framing=CHUNKED + b"\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(SECOND), SECOND),
            )
        ),
    ),
    (
        "trailers",
        chunks(b"0\r\nX-Sum: 1\r\n\r\n" + SECOND),
        Passed(got(start=b"POST /x", framing=CHUNKED + b"\r\n0\r\nX-Sum: 1\r\n\r\n"), SECOND_GOT),
    ),
    (
        "trailers that mean something",
        chunks(
            b"0\r\nHost: b.example\r\nCookie: a=1\r\nREMOTE_USER: eve\r\n"
            b"X-Forwarded-For: 1.1.1.1\r\nContent_Length: 1\r\nTrailer: x\r\n\r\n" + SECOND
        ),
        Passed(NONE, SECOND_GOT),
    ),
    (
        "trailers that would upgrade",
        chunks(b"0\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n" + SECOND),
        Passed(NONE, SECOND_GOT),
    ),
    ("no last chunk", chunks(b"1\r\na\r\n"), Waits()),
    ("no end of the last chunk", chunks(b"1\r\na\r\n0\r\n"), Waits()),
    *(
        (f"chunks: {body!r}", chunks(body + SECOND), Cut())
        for body in (
            b"1\na\r\n0\r\n\r\n",
            b"1\r\na\n0\r\n\r\n",
            b"1\r\na\r\n0\n\n",
            b"1\ra\r\n0\r\n\r\n",
            b"1\r\na\r0\r\n\r\n",
            b"1 \r\na\r\n0\r\n\r\n",
            b" 1\r\na\r\n0\r\n\r\n",
            b"1\t\r\na\r\n0\r\n\r\n",
            b"1;\r\na\r\n0\r\n\r\n",
            b"1;x=y\nz\r\na\r\n0\r\n\r\n",
            b"1;x=\0\r\na\r\n0\r\n\r\n",
            b"1;x=\xff\r\na\r\n0\r\n\r\n",
            b'1;"x\r\ny"\r\na\r\n0\r\n\r\n',
            b"0x1\r\na\r\n0\r\n\r\n",
            b"+1\r\na\r\n0\r\n\r\n",
            b"-1\r\na\r\n0\r\n\r\n",
            b"\r\na\r\n0\r\n\r\n",
            b"g\r\na\r\n0\r\n\r\n",
            b"1g\r\na\r\n0\r\n\r\n",
            b"1_0\r\na\r\n0\r\n\r\n",
            b"10000000000000001\r\na\r\n0\r\n\r\n",
            b"fffffffffffffffff\r\na\r\n0\r\n\r\n",
            b"1\r\nab\r\n0\r\n\r\n",
            b"2\r\na\r\n0\r\n\r\n",
            b"1\r\na0\r\n\r\n",
            b"0\r\nX : 1\r\n\r\n",
            b"0\r\nX\r\n\r\n",
            b"0\r\n X: 1\r\n\r\n",
            b"0\r\nX: 1\r\n Y: 2\r\n\r\n",
            b"0\r\nX: 1\n\r\n",
            b"0\r\nX: \0\r\n\r\n",
            b"0\r\nContent-Length: 5\r\n\r\n",
            b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"0\r\n\rX",
            b"0\r\rX",
            b"0\r\nX: 1\r\n\n",
        )
    ),
    ("too much between chunks", chunks(b"1;x=" + b"y" * 200_000 + b"\r\na\r\n0\r\n\r\n"), Cut(431)),
    ("too many trailers", chunks(b"0\r\n" + b"X: 12345\r\n" * 20_000 + b"\r\n"), Cut(431)),
)

UPGRADES: tuple[Case, ...] = (
    ("WebSocket", ask(UPGRADE), Passed(got(framing=UPGRADE + b"\r\n"), stays=False)),
    (
        "WebSocket in any spelling",
        ask(b"upgrade: WEBSOCKET\r\nConnection: x ,\tUPGRADE\r\n"),
        Passed(got(framing=UPGRADE + b"\r\n"), stays=False),
    ),
    (
        "WebSocket, then a request",
        ask(UPGRADE, SECOND),
        Passed(got(framing=UPGRADE + b"\r\n"), stays=False),
    ),
    (
        "WebSocket with a length",
        ask(UPGRADE + b"Content-Length: 5\r\n", b"abcde" + SECOND),
        Refused(),
    ),
    (
        "WebSocket with an empty body",
        ask(UPGRADE + b"Content-Length: 0\r\n", SECOND),
        Passed(got(framing=UPGRADE + b"\r\n"), stays=False),
    ),
    ("WebSocket with chunks", ask(UPGRADE + CHUNKED, b"0\r\n\r\n" + SECOND), Refused()),
    ("WebSocket by POST", post(UPGRADE, SECOND), Refused()),
    ("WebSocket by HTTP/1.0", ask(UPGRADE, start=b"GET /x HTTP/1.0"), Passed(PLAIN, stays=False)),
    (
        "WebSocket without Connection",
        ask(b"Upgrade: websocket\r\n", SECOND),
        Passed(PLAIN, SECOND_GOT),
    ),
    (
        "Connection without Upgrade",
        ask(b"Connection: upgrade\r\n", SECOND),
        Passed(PLAIN, SECOND_GOT),
    ),
    (
        "an empty Upgrade",
        ask(b"Connection: upgrade\r\nUpgrade:\r\n", SECOND),
        Passed(PLAIN, SECOND_GOT),
    ),
    (
        "WebSocket or HTTP/2",
        ask(b"Connection: upgrade\r\nUpgrade: h2c, websocket\r\n", SECOND),
        Passed(PLAIN, SECOND_GOT),
    ),
    (
        "HTTP/2",
        ask(
            b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
            b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
            SECOND,
        ),
        Passed(PLAIN, SECOND_GOT),
    ),
    (
        "HTTP/2 with a length",
        post(
            b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: %d\r\n" % len(SECOND), SECOND
        ),
        Refused(),
    ),
    (
        "HTTP/2 with chunks",
        post(b"Connection: upgrade\r\nUpgrade: h2c\r\n" + CHUNKED, b"0\r\n\r\n" + SECOND),
        Refused(),
    ),
    (
        "HTTP/2 with an empty body",
        post(b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n", SECOND),
        Passed(got(start=b"POST /x", framing=b"Content-Length: 0\r\n\r\n"), SECOND_GOT),
    ),
    (
        "an upgrade to nowhere, without a Host",
        b"GET /x HTTP/1.1\r\n" + UPGRADE + b"\r\n" + SECOND,
        Refused(),
    ),
)

SEQUENCES: tuple[Case, ...] = (
    ("two requests", ask(body=SECOND), Passed(PLAIN, SECOND_GOT)),
    ("empty lines in between", ask(body=b"\r\n\r\n" + SECOND), Passed(PLAIN, SECOND_GOT)),
    ("nothing after close", ask(b"Connection: close\r\n", SECOND), Passed(PLAIN, stays=False)),
    ("garbage after close", ask(b"Connection: close\r\n", b"\0\0\0"), Passed(PLAIN, stays=False)),
    ("HTTP/1.0 closes", ask(body=SECOND, start=b"GET /x HTTP/1.0"), Passed(PLAIN, stays=False)),
    (
        "HTTP/1.0 may stay",
        ask(b"Connection: keep-alive\r\n", SECOND, b"GET /x HTTP/1.0"),
        Passed(PLAIN, SECOND_GOT),
    ),
    (
        "HTTP/1.0 in two minds",
        ask(b"Connection: keep-alive, close\r\n", SECOND, b"GET /x HTTP/1.0"),
        Passed(PLAIN, stays=False),
    ),
    (
        "the same fields, another version",
        ask(body=ask(start=b"GET /x HTTP/1.0")),
        Passed(PLAIN, PLAIN, stays=False),
    ),
)

ALL = (
    *START_LINES,
    *FIELDS,
    *HOSTS,
    *LENGTHS,
    *CODINGS,
    *CHUNKS,
    *UPGRADES,
    *SEQUENCES,
)


class MalformedTests(SynchronousTestCase):
    """The table, in each way of arriving."""

    def run_case(self, case: Case, behind: bool, whole: bool) -> None:
        _, raw, expected = case
        house = House(Limits())
        backends = StrictBackends(house)
        client = house.connect()
        data = GOOD + raw if behind else raw
        step = READ if whole else 1
        for at in range(0, len(data), step):
            client.send(data[at : at + step])
            backends.answer()
        told = read_answers(client.take())
        if behind:
            self.assertEqual(told.pop(0), (200, b"/good"))
            self.assertTrue(backends.requests.pop(0).startswith(b"GET /good "))
        if isinstance(expected, Refused):
            self.assertEqual(len(house.backends), int(behind))
        self.check(expected, house, backends, client, told)

    def check(
        self,
        expected: object,
        house: House,
        backends: StrictBackends,
        client: Wire,
        told: list[tuple[int, bytes]],
    ) -> None:
        statuses = [status for status, _ in told]
        if isinstance(expected, Passed):
            self.assertEqual(backends.requests, expected.requests)
            self.assertEqual(statuses, expected.statuses)
            self.assertEqual(backends.incomplete, [])
            if expected.stays:
                self.still_in_step(backends, client)
                return
        elif isinstance(expected, Waits):
            self.assertEqual((backends.requests, statuses), ([], []))
            house.pass_time(80)
            backends.answer()
            self.assertEqual([status for status, _ in read_answers(client.take())], [408])
        elif isinstance(expected, Refused | Cut):
            self.assertEqual((backends.requests, statuses), ([], [expected.status]))
        self.assertEqual(backends.incomplete, [])
        self.assertTrue(client.closing or client.write_closed)

    def still_in_step(self, backends: StrictBackends, client: Wire) -> None:
        """The next request is answered with its own answer."""
        self.assertTrue(client.open and not client.write_closed)
        client.send(get("/after"))
        backends.answer()
        self.assertEqual(read_answers(client.take()), [(200, b"/after")])

    def test_names_are_not_given_twice(self) -> None:
        names = [name for name, _, _ in ALL]
        self.assertEqual(len(names), len(set(names)))


def _add_tests() -> None:
    """One test for each way of arriving and each part of the table."""
    parts = {
        "start_lines": START_LINES, "fields": FIELDS, "hosts": HOSTS, "lengths": LENGTHS,
        "codings": CODINGS, "chunks": CHUNKS, "upgrades": UPGRADES, "sequences": SEQUENCES,
    }  # fmt: skip
    for part, cases in parts.items():
        for way, behind, whole in (
            ("whole", False, True),
            ("in_single_bytes", False, False),
            ("behind_a_good_one", True, True),
            ("behind_a_good_one_in_single_bytes", True, False),
        ):

            def run(
                self: MalformedTests,
                cases: tuple[Case, ...] = cases,
                behind: bool = behind,
                whole: bool = whole,
            ) -> None:
                wrong = []
                for case in cases:
                    try:
                        self.run_case(case, behind, whole)
                    except Exception as error:
                        wrong.append(f"{case[0]}: {type(error).__name__} {error}")
                self.assertEqual(wrong, [])

            setattr(MalformedTests, f"test_{part}_{way}", run)


_add_tests()
