"""Reads a client's bytes by the letter of RFC 9112, knowing nothing of giestack or llhttp.

It is the yardstick of the fuzzer: what a backend gets must be what this reader finds, in the
same order, and nothing after the first thing that it does not understand. Where giestack is
more lenient (blanks in the start line, empty lines before it, RTSP for HTTP), it is too: each
of these has only one meaning.
"""

import re
from dataclasses import dataclass

_START = re.compile(rb"([A-Z_-]+) +([!-~]+) +(?:HTTP|RTSP|ICE)/1\.([01])")
# Those that llhttp knows, of which nobody reads one as another.
_METHODS = frozenset(
    b"ACL ANNOUNCE BIND CHECKOUT CONNECT COPY DELETE FLUSH GET HEAD LINK LOCK M-SEARCH MERGE "
    b"MKACTIVITY MKCALENDAR MKCOL MOVE NOTIFY OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT "
    b"QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE".split()
)
_STRICT_START = re.compile(rb"[A-Z_-]+ /[!-~]* HTTP/1\.1")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*")
_HOST = re.compile(rb"(?:[\w.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?", re.I)
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;[\t -~\x80-\xff]+)?")
_MOST_FIELDS = 256


@dataclass(frozen=True)
class Found:
    """A request.

    :ivar mark: its X-Mark fields, joined.
    """

    method: bytes
    target: bytes
    body: bytes
    mark: bytes


class _Stop(Exception):
    """Nothing more can be read."""


@dataclass(frozen=True)
class Passed:
    """A request as a backend gets it.

    :ivar fields: values by lower-cased name.
    """

    request: Found
    fields: dict[bytes, list[bytes]]


def passed(data: bytes) -> tuple[Passed, bytes] | None:
    """The first request that a backend gets, and what follows; None while it is incomplete.

    :raises ValueError: where its head is not of the plainest form.
    """
    head, end, _ = data.partition(b"\r\n\r\n")
    if not end:
        return None
    try:
        start, *lines = head.split(b"\r\n")
        fields = _fields(lines)
        if not _STRICT_START.fullmatch(start):
            raise _Stop
        _check_host(fields.get(b"host", []), b"1")
    except _Stop:
        raise ValueError(head) from None
    try:
        request, rest, _ = _read_one(data)
    except _Stop:
        return None
    return Passed(request, fields), rest


def read(data: bytes) -> list[Found]:
    """All requests up to the first that is incomplete, not understood, or the last by its word."""
    found: list[Found] = []
    try:
        while True:
            request, data, goes_on = _read_one(data)
            found.append(request)
            if not goes_on:
                break
    except _Stop:
        pass
    return found


def _read_one(data: bytes) -> tuple[Found, bytes, bool]:
    head, end, rest = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    start, *lines = head.split(b"\r\n")
    match = _START.fullmatch(start)
    if not end or match is None or match[1] not in _METHODS or len(lines) > _MOST_FIELDS:
        raise _Stop
    method, target, minor = match[1], match[2], match[3]
    fields = _fields(lines)
    _check_host(fields.get(b"host", []), minor)
    target = _path(target, fields.get(b"host", [b""])[0])
    tokens = _tokens(fields, b"connection")
    upgrade = b"upgrade" in tokens and minor == b"1"
    protocols = _tokens(fields, b"upgrade")
    websocket = upgrade and protocols == {b"websocket"}
    body, rest, sized = _body(fields, minor, rest)
    if fields.get(b"expect") and minor == b"1" and fields[b"expect"] != [b"100-continue"]:
        raise _Stop
    if method == b"CONNECT" or (upgrade and protocols and sized):
        raise _Stop
    if websocket and method != b"GET":
        raise _Stop
    stays = b"close" not in tokens and (minor == b"1" or b"keep-alive" in tokens)
    mark = b", ".join(fields.get(b"x-mark", []))
    return Found(method, target, body, mark), rest, stays and not websocket


def _fields(lines: list[bytes]) -> dict[bytes, list[bytes]]:
    fields: dict[bytes, list[bytes]] = {}
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None:
            raise _Stop
        name, value = match[1].lower(), match[2]
        if name in (b"expect", b"transfer-encoding"):
            value = value.lower()
        fields.setdefault(name, []).append(value)
    return fields


def _tokens(fields: dict[bytes, list[bytes]], name: bytes) -> set[bytes]:
    members = b",".join(fields.get(name, [])).split(b",")
    return {member.strip(b" \t").lower() for member in members} - {b""}


def _check_host(hosts: list[bytes], minor: bytes) -> None:
    if len(hosts) > 1 or (not hosts and minor == b"1"):
        raise _Stop
    if hosts and not _HOST.fullmatch(hosts[0]):
        raise _Stop


def _path(target: bytes, host: bytes) -> bytes:
    if b"#" in target:
        raise _Stop
    match = re.fullmatch(rb"https?://([^/?]+)([/?].*)?", target, re.I)
    if match is not None:
        name = host.lower().partition(b":")[0].removesuffix(b".")
        if match[1].lower().partition(b":")[0].removesuffix(b".") != name:
            raise _Stop
        path = match[2] or b"/"
        target = path if path.startswith(b"/") else b"/" + path
    if not target.startswith(b"/"):
        raise _Stop
    return target


def _body(fields: dict[bytes, list[bytes]], minor: bytes, rest: bytes) -> tuple[bytes, bytes, bool]:
    """The body, what follows it, and whether there is one."""
    codings, lengths = fields.get(b"transfer-encoding"), fields.get(b"content-length")
    if codings is not None:
        if codings != [b"chunked"] or lengths is not None or minor == b"0":
            raise _Stop
        body, rest = _chunks(rest)
        return body, rest, True
    if lengths is None:
        return b"", rest, False
    if len(lengths) != 1 or not re.fullmatch(rb"[0-9]{1,18}", lengths[0]):
        raise _Stop
    length = int(lengths[0])
    if len(rest) < length:
        raise _Stop
    return rest[:length], rest[length:], length > 0


def _chunks(data: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        line, end, data = data.partition(b"\r\n")
        match = _CHUNK.fullmatch(line)
        if not end or match is None:
            raise _Stop
        size = int(match[1], 16)
        if size == 0:
            break
        if data[size : size + 2] != b"\r\n":
            raise _Stop
        body, data = body + data[:size], data[size + 2 :]
    while not data.startswith(b"\r\n"):
        line, end, data = data.partition(b"\r\n")
        if not end or _FIELD.fullmatch(line) is None:
            raise _Stop
    return body, data[2:]
