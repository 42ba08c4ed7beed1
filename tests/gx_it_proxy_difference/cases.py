"""Requests for gx-it-proxy and giestack alike, made by chance, the same for the same seed.

Each theme makes one sort of request, with what the backend is to answer; themes take turns, so
that each of them comes up in any three hundred cases.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random

from tests.neighbours.galaxy import PREFIX
from tests.neighbours.witness import OK, Answer

HOST = b"galaxy.example.org"
PREFIX_BYTES = PREFIX.encode()

Field = tuple[bytes, bytes]


@dataclass(frozen=True)
class Tool:
    """A row of the session map.

    :ivar dead: whether nobody listens where it says.
    """

    key: str
    token: str
    info: str | None = None
    dead: bool = False


def _info(in_url: bool, header: str | None) -> str:
    shown = "null" if header is None else f'"{header}"'
    word = "true" if in_url else "false"
    return f'{{"requires_path_in_url": {word}, "requires_path_in_header_named": {shown}}}'


PLAIN = Tool("3r3tktmrlsiv6", "18tuwrng1ezzl", _info(False, None))
IN_URL = Tool("1ymwmk1r49zi4", "mo3qrvdluh4x", _info(True, None))
IN_HEADER = Tool("2c7rs7p5cyf9k", "38fdkk2xkyjii", _info(False, "X-Tool-Path"))
RSTUDIO = Tool("2k1v9trqb0o4g", "1kz3cskg2p1hs", _info(False, "X-RStudio-Root-Path"))
IN_BOTH = Tool("5v8z1x0q3n7d", "2y4m6k8j0h1g3", _info(True, "X_Tool_Path"))
OLD = Tool("e3c1915314cbd610", "d76ec842e77049059753b0d40992d15f")
OLD_SHORT = Tool("d24902ddec2e97f1", "bea3a5bb3d")
DEAD = Tool("6a9b8c7d6e5f4", "3q2w1e4r5t6y7", _info(False, None), dead=True)

TOOLS = (PLAIN, IN_URL, IN_HEADER, RSTUDIO, IN_BOTH, OLD, OLD_SHORT, DEAD)
ALIVE = tuple(tool for tool in TOOLS if not tool.dead)

_DOMAINS = (
    b"ep.interactivetool.",
    b"interactivetoolentrypoint.interactivetool.",
    b"interactivetool.",
)


@dataclass(frozen=True)
class Case:
    """A request, and what the backend does with it.

    :ivar theme: the sort that it is of.
    :ivar tool: whom it is for, where it is for one that there is.
    :ivar by_host: whether the tool is named by the host, not by the path.
    :ivar body: as it goes over the wire.
    :ivar tunnel: what is sent once there is a tunnel, and is to come back; None: there is none.
    """

    theme: str
    tool: Tool | None
    by_host: bool
    method: bytes
    target: bytes
    fields: tuple[Field, ...]
    body: bytes = b""
    answer: Answer = OK
    version: bytes = b"HTTP/1.1"
    tunnel: bytes | None = None

    @property
    def wire(self) -> bytes:
        """The whole request."""
        lines = [b"%b: %b" % field for field in self.fields]
        start = b"%b %b %b" % (self.method, self.target, self.version)
        return b"\r\n".join([start, *lines]) + b"\r\n\r\n" + self.body

    def values(self, name: bytes) -> list[bytes]:
        """The values of the fields of a name in lower case."""
        return [value for one, value in self.fields if one.lower() == name]

    def plus(self, *fields: Field) -> "Case":
        """The same with more fields."""
        return replace(self, fields=(*self.fields, *fields))


_SEGMENTS = (
    b"lab", b"api", b"kernels", b"a%2Fb", b"%C3%A4", b"x+y", b"~me", b"a;b=1", b"@1", b"a:b",
    b"!$&()*,=", b"%20", b"100%25", b"static", b"file.tar.gz", b"%7Euser", b"-_.", b"%2e%2eX",
)  # fmt: skip
_QUERIES = (
    b"?a=1&b=2", b"?next=%2Flab%3Fx", b"?q=a+b", b"?", b"?x=[1]", b"?to=http://x/y", b"?1?2",
    b"?%C3%A4=%20", b"?token=secret&_=1700000000000", b"?a//b", b"?../..",
)  # fmt: skip
_ORDINARY: tuple[Field, ...] = (
    (b"User-Agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    (b"Accept", b"text/html,application/xhtml+xml,*/*;q=0.8"),
    (b"Accept-Language", b"en-US,en;q=0.5"),
    (b"Accept-Encoding", b"gzip, deflate, br"),
    (b"Referer", b"http://galaxy.example.org/interactivetool_entry_points/list"),
    (b"If-None-Match", b'"abc"'),
    (b"Range", b"bytes=0-99"),
    (b"X-XSRFToken", b"2|c4e1b2a7|0f9d"),
    (b"Authorization", b"token 0123456789abcdef"),
    (b"X-Requested-With", b"XMLHttpRequest"),
    (b"Cache-Control", b"no-cache"),
    (b"Empty", b""),
    (b"DNT", b"1"),
    (b"Upgrade-Insecure-Requests", b"1"),
    (b"x-lower-case", b"a  b"),
    (b"X-UPPER-CASE", b"A,B"),
)
_COOKIES = (b"_xsrf=2|c4e1b2a7|0f9d", b'username-host="2|1:0"', b"theme=dark", b"a=", b"sid=1=2")
GALAXY_COOKIES = (
    b"galaxysession=" + b"c6ca0ddb55be603a" * 5,
    b"galaxytoolrunnersession=" + b"0f" * 40,
    b"__Host-giestack=abc",
)
_TYPES = (b"application/json", b"application/x-www-form-urlencoded; charset=UTF-8", b"text/plain")


class Draw:
    """Draws what requests are made of."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.one = random.choice

    def some(self, of: tuple[Field, ...], most: int) -> tuple[Field, ...]:
        """A few fields in any order."""
        return tuple(self.random.sample(of, self.random.randint(0, min(most, len(of)))))

    def path(self) -> bytes:
        """The part of a target that is the tool's own business."""
        segments = [self.one(_SEGMENTS) for _ in range(self.random.randint(0, 4))]
        query = self.one(_QUERIES) if self.random.random() < 0.4 else b""
        return b"/" + b"/".join(segments) + query

    def data(self, most: int = 3000) -> bytes:
        """A body."""
        return self.random.randbytes(self.random.randint(0, most))

    def cased(self, name: bytes) -> bytes:
        """A name in other letter case."""
        return self.one((name, name.lower(), name.upper(), name.swapcase()))

    def case(
        self,
        theme: str,
        method: bytes = b"GET",
        path: bytes | None = None,
        tool: Tool | None = None,
        by_host: bool | None = None,
    ) -> Case:
        """A request that both pass on."""
        tool = tool or self.one(ALIVE)
        by_host = self.random.random() < 0.35 if by_host is None else by_host
        path = self.path() if path is None else path
        host = HOST + self.one((b"", b":8080"))
        if by_host:
            name = f"{tool.key}-{tool.token}.".encode()
            host = name + self.one(_DOMAINS) + host
        else:
            path = f"{PREFIX}/{tool.key}/{tool.token}".encode() + path
        fields = ((b"Host", host), *self.some(_ORDINARY, 6))
        return Case(theme, tool, by_host, method, path, fields)

    def with_length(self, case: Case, body: bytes) -> Case:
        """A request with a body whose length is told."""
        more = (self.cased(b"Content-Type"), self.one(_TYPES))
        case = case.plus(more, (self.cased(b"Content-Length"), b"%d" % len(body)))
        return replace(case, body=body)

    def with_chunks(self, case: Case, body: bytes) -> Case:
        """A request with a body in chunks."""
        return replace(
            case.plus((b"Transfer-Encoding", b"chunked")), body=in_chunks(self.random, body)
        )


def cookies(draw: Draw, *more: bytes) -> bytes:
    """The value of a Cookie field: some that tools set, and others."""
    pairs = [*draw.random.sample(_COOKIES, draw.random.randint(1, 3)), *more]
    draw.random.shuffle(pairs)
    return b"; ".join(pairs)


def in_chunks(random: Random, body: bytes) -> bytes:
    """A body as RFC 9112 section 7.1 has it."""
    pieces = []
    while body:
        size = random.randint(1, len(body))
        pieces.append(b"%x\r\n%b\r\n" % (size, body[:size]))
        body = body[size:]
    return b"".join([*pieces, b"0\r\n\r\n"])


Theme = Callable[[Draw], Case]


def cases(seed: int, count: int, themes: dict[str, Theme]) -> Iterator[Case]:
    """So many cases; ``themes`` by name."""
    random = Random(seed)
    names = list(themes)
    for number in range(count):
        # One theme after the other, and nobody is always behind the same one.
        if number % len(names) == 0:
            random.shuffle(names)
        draw = Draw(Random(random.randbytes(8)))
        yield replace(themes[names[number % len(names)]](draw), theme=names[number % len(names)])
