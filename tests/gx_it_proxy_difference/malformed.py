"""Requests that are none, or more than one, by name."""

from dataclasses import replace

from tests.gx_it_proxy_difference.cases import HOST, Case, Draw, Theme


def two_lengths(draw: Draw) -> Case:
    case = draw.case("", b"POST")
    return replace(case.plus((b"Content-Length", b"3"), (b"Content-Length", b"4")), body=b"abcd")


def length_and_chunks(draw: Draw) -> Case:
    case = draw.case("", b"POST")
    more = ((b"Content-Length", b"3"), (b"Transfer-Encoding", b"chunked"))
    return replace(case.plus(*more), body=b"0\r\n\r\n")


def other_coding(draw: Draw) -> Case:
    coding = draw.one((b"gzip, chunked", b"identity", b"chunked, chunked", b"xchunked"))
    return replace(
        draw.case("", b"POST").plus((b"Transfer-Encoding", coding)), body=b"3\r\nabc\r\n0\r\n\r\n"
    )


def bad_chunk(draw: Draw) -> Case:
    case = draw.case("", b"POST").plus((b"Transfer-Encoding", b"chunked"))
    return replace(
        case, body=draw.one((b"-1\r\nx\r\n", b"zz\r\n", b"3\r\nabcd\r\n", b"0x3\r\nabc"))
    )


def no_host(draw: Draw) -> Case:
    case = replace(draw.case(""), by_host=False)
    while case.target.startswith(b"/lab"):
        case = draw.case("")
    return replace(case, fields=case.fields[1:])


def two_hosts(draw: Draw) -> Case:
    return draw.case("").plus((b"Host", b"other.example"))


def bad_host(draw: Draw) -> Case:
    case = draw.case("")
    bad = draw.one((b"a b", HOST + b":99999", b"[::1", b"user@" + HOST, HOST + b"/x", b"a,b"))
    return replace(case, fields=((b"Host", bad), *case.fields[1:]))


def folded(draw: Draw) -> Case:
    return draw.case("").plus((b"X-Folded", b"a\r\n b"))


def bare_line_end(draw: Draw) -> Case:
    return draw.case("").plus((b"X-Bare", draw.one((b"a\nX-Smuggled: 1", b"a\rb"))))


def nul(draw: Draw) -> Case:
    return draw.case("").plus((b"X-Nul", b"a\0b"))


def bad_name(draw: Draw) -> Case:
    return draw.case("").plus((draw.one((b"X Y", b"X-Space ", b"\xc3\xa4", b"")), b"1"))


def other_version(draw: Draw) -> Case:
    return replace(draw.case(""), version=draw.one((b"HTTP/2.0", b"HTTP/1.2", b"HTTP/0.9", b"X")))


def absolute_target(draw: Draw) -> Case:
    case = draw.case("")
    host = draw.one((case.values(b"host")[0], b"other.example"))
    return replace(case, target=b"http://" + host + case.target)


def other_target(draw: Draw) -> Case:
    return replace(draw.case(""), target=draw.one((b"*", b"lab", b"host:443")))


def fragment(draw: Draw) -> Case:
    return draw.case("", path=b"/lab#part")


def raw_bytes(draw: Draw) -> Case:
    return draw.case("", path=draw.one((b"/\xc3\xa4", b"/a\x7fb", b"/a\x01b")))


def bad_method(draw: Draw) -> Case:
    return draw.case("", draw.one((b"get", b"FROBNICATE", b"G(T")))


MALFORMED: dict[str, Theme] = {
    theme.__name__.replace("_", " "): theme
    for theme in (
        two_lengths, length_and_chunks, other_coding, bad_chunk, no_host, two_hosts, bad_host,
        folded, bare_line_end, nul, bad_name, other_version, absolute_target, other_target,
        fragment, raw_bytes, bad_method,
    )
}  # fmt: skip
