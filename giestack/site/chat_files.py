"""The chat's page and the files that it and the widget are made of.

They are read once. Their address has a hash over all of them, so a browser may keep them for
ever, and never mixes those of two versions; `widget.js`, which pages of others name in their
markup, is asked for each time.
"""

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from secrets import token_urlsafe

from twisted.web.resource import Resource
from twisted.web.server import Request

from giestack.site.asked import Answer, Asked
from giestack.site.endpoint import Endpoint, Nothing, Refusal

LOADER = "widget.js"
PAGE = "page.html"

_CATALOGUES = "locale/"
_FOR_TOOLS = "package.json"

_TYPES: Mapping[str, bytes] = {
    ".js": b"text/javascript; charset=utf-8",
    ".mjs": b"text/javascript; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".json": b"application/json",
    ".svg": b"image/svg+xml",
    ".png": b"image/png",
    ".ico": b"image/x-icon",
    ".webp": b"image/webp",
    ".woff2": b"font/woff2",
    ".mp3": b"audio/mpeg",
    ".ogg": b"audio/ogg",
    ".wav": b"audio/wav",
    ".txt": b"text/plain; charset=utf-8",
}
"""What is served; other files in the folder are for people who work on it."""

_SCRIPTS = (".js", ".mjs")
_NO_CONTENT = (b"Content-Security-Policy", b"default-src 'none'; sandbox")
_FOR_ALL = (
    (b"Access-Control-Allow-Origin", b"*"),
    # Pages that isolate themselves take in nothing without it (COEP).
    (b"Cross-Origin-Resource-Policy", b"cross-origin"),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"no-referrer"),
)
_STYLE = re.compile(rb"<style>(.*?)</style>", re.S)


@dataclass(frozen=True, slots=True)
class WidgetFiles:
    """All files, as they are sent.

    :ivar version: a hash over all of them, for their address.
    :ivar files: content by path below the folder.
    """

    version: str
    files: Mapping[str, bytes]

    @classmethod
    def read(cls, folder: Traversable | None = None) -> "WidgetFiles":
        """Read a folder, by default that of the package; raises OSError."""
        found = dict(sorted(_read(folder or files("giestack") / "chat" / "widget")))
        whole = sha256()
        for path, content in found.items():
            whole.update(b"%b\0%d\0%b" % (path.encode(), len(content), content))
        return cls(whole.hexdigest()[:16], found)

    @property
    def loader(self) -> bytes:
        """The script that pages name."""
        return self.files[LOADER]

    @property
    def page(self) -> bytes:
        """The markup of the page of its own."""
        return self.files[PAGE]

    @property
    def languages(self) -> list[str]:
        """Those that it is translated to, by the names of their catalogues."""
        return [
            path.removeprefix(_CATALOGUES).removesuffix(".json")
            for path in self.files
            if path.startswith(_CATALOGUES)
        ]


def _read(folder: Traversable, above: str = "") -> Iterator[tuple[str, bytes]]:
    for one in folder.iterdir():
        path = above + one.name
        if one.name.startswith((".", "_")) or one.name == _FOR_TOOLS:
            continue
        if one.is_dir():
            yield from _read(one, f"{path}/")
        elif PurePosixPath(path).suffix in _TYPES or path == PAGE:
            yield path, one.read_bytes()


class ChatPage:
    """Answers GET of the page; ``galaxy_origin`` may show it in a frame.

    Galaxy's old masthead asks for it across origins, without a cookie, to see whether there is a
    chat, and opens it in a frame with a query that means nothing here.
    """

    def __init__(self, files: WidgetFiles, galaxy_origin: str | None) -> None:
        self._before, tag, self._after = files.page.partition(b"<script ")
        self._tag = tag
        galaxy = "" if galaxy_origin is None else f" {galaxy_origin}"
        # The widget's own style sheets are made by its script, which needs no leave.
        styles = " ".join(
            [
                f"'sha256-{b64encode(sha256(style).digest()).decode()}'"
                for style in _STYLE.findall(files.page)
            ]
        )
        none = "'none'"
        self._policy = (
            f"default-src 'none'; style-src {styles or none}; img-src data:; "
            f"connect-src 'self'{galaxy}; base-uri 'none'; form-action 'none'; "
            f"frame-ancestors 'self'{galaxy}"
        )

    async def __call__(self, asked: Asked) -> Answer:
        # What one trusted script loads may run, and no other: the host may have user's files.
        nonce = token_urlsafe(16)
        body = self._before
        if self._tag:
            body += b'%bnonce="%b" %b' % (self._tag, nonce.encode(), self._after)
        policy = f"{self._policy}; script-src 'nonce-{nonce}' 'strict-dynamic'"
        return Answer(
            200,
            (
                (b"Content-Type", b"text/html; charset=utf-8"),
                (b"Cache-Control", b"no-store"),
                (b"Content-Security-Policy", policy.encode()),
                (b"Access-Control-Allow-Origin", b"*"),
                (b"X-Content-Type-Options", b"nosniff"),
                (b"Referrer-Policy", b"same-origin"),
            ),
            body,
        )


class Loader:
    """Answers GET of the script that pages name."""

    def __init__(self, files: WidgetFiles) -> None:
        self._body = files.loader
        # The address of all the others is told by ``whoami``, so the loader's content is all.
        self._tag = b'"%b"' % sha256(files.loader).hexdigest()[:16].encode()

    async def __call__(self, asked: Asked) -> Answer:
        fields = (
            (b"Content-Type", _TYPES[".js"]),
            (b"Cache-Control", b"no-cache"),
            (b"ETag", self._tag),
            *_FOR_ALL,
        )
        if _has(asked, self._tag):
            return Answer(304, fields[1:])
        return Answer(200, fields, self._body)


class StaticFiles(Nothing):
    """The address above the files: ``static/HASH/PATH``."""

    def __init__(self, files: WidgetFiles, refusal: Refusal) -> None:
        super().__init__(refusal)
        self._files = files

    def getChild(self, path: bytes, request: Request) -> Resource:
        below = list(request.postpath or [])
        segments = (path, *below)
        # A slash in a segment was written as %2F: no link of ours has that.
        if any(b"/" in one for one in segments):
            return Nothing(self._refusal)
        version, *rest = [one.decode("latin-1") for one in segments]
        found = "/".join(rest)
        if version != self._files.version or found in (LOADER, PAGE):
            return Nothing(self._refusal)
        content = self._files.files.get(found)
        if content is None:
            return Nothing(self._refusal)
        # All of them are read.
        request.postpath = []
        return Endpoint({b"GET": _Static(found, content)}, self._refusal)


class _Static:
    def __init__(self, path: str, content: bytes) -> None:
        suffix = PurePosixPath(path).suffix
        fields = (
            (b"Content-Type", _TYPES[suffix]),
            (b"Cache-Control", b"public, max-age=31536000, immutable"),
            *_FOR_ALL,
        )
        # A worker goes by the policy of its script.
        self._answer = Answer(
            200, fields if suffix in _SCRIPTS else (*fields, _NO_CONTENT), content
        )

    async def __call__(self, asked: Asked) -> Answer:
        return self._answer


def _has(asked: Asked, tag: bytes) -> bool:
    """Whether the client has what a tag names (RFC 9110 section 13.1.2)."""
    named = b",".join(asked.headers.getRawHeaders(b"if-none-match") or [])
    return tag in [one.strip(b" \t").removeprefix(b"W/") for one in named.split(b",")]
