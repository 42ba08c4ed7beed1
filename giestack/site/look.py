"""How own pages look, and the header fields that every one of them carries.

The pages need nothing from anywhere else: the style sheet stands in the page itself, and so does
the one script that some of them have. The Content-Security-Policy allows exactly these, by their
hashes; a page without a script may run none. With scripts off every page does the same.

Where there is a chat, pages for people carry its bubble: one more script of our own, which a
nonce allows, and with it what that script loads.
"""

import json
from base64 import b64encode
from hashlib import sha256
from secrets import token_urlsafe

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from giestack.site.asked import Answer

TEMPLATES: dict[str, str | None] = {
    "refusal.html": None,
    "start.html": "live.js",
    "demo.html": None,
    "launch.html": None,
    "session.html": "live.js",
    "tool.html": None,
    "logs.html": "logs.js",
    "admin.html": "live.js",
    "moderation.html": None,
}
"""The pages, and the script that each may run."""

# Refusals are shown on the hosts of interactive tools too, where nothing else is ours.
_WITHOUT_BUBBLE = ("refusal.html", "moderation.html")
_NONCE = "{nonce}"

_STYLES = ("style.css", "sessions.css")


class Look:
    """Makes answers from templates and values; reads its files once, when made.

    ``frame_origin`` is the one origin besides our own that may show the pages in a frame: that
    of Galaxy. ``chat`` is the path of the chat, None for none.
    """

    def __init__(self, frame_origin: str | None, chat: str | None = None) -> None:
        environment = Environment(
            loader=PackageLoader("giestack.site"),
            autoescape=True,
            auto_reload=False,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        assert environment.loader is not None
        source = environment.loader.get_source
        style = "".join([source(environment, name)[0] for name in _STYLES])
        environment.globals["style"] = Markup(style)
        ancestors = "'self'" if frame_origin is None else f"'self' {frame_origin}"
        rest = f"base-uri 'none'; frame-ancestors {ancestors}"
        self._pages: dict[str, tuple[Template, str]] = {}
        for name, script in TEMPLATES.items():
            text = "" if script is None else source(environment, script)[0]
            bubble = None if name in _WITHOUT_BUBBLE else chat
            template = environment.get_template(
                name, globals={"script": Markup(text), "bubble": bubble}
            )
            policy = _policy(style, text, bubble is not None, frame_origin or "")
            self._pages[name] = template, f"{policy}; {rest}"
        # Including is parsing at the first use: do that now, too.
        for name in ("page.html", "parts.html"):
            environment.get_template(name)
        self._json = _fields("application/json", f"default-src 'none'; form-action 'none'; {rest}")

    def page(
        self, status: int, template: str, *headers: tuple[bytes, bytes], **values: object
    ) -> Answer:
        """Return a page made from one of `TEMPLATES`; ``values`` are escaped."""
        made, policy = self._pages[template]
        nonce = token_urlsafe(16) if _NONCE in policy else ""
        fields = _fields("text/html; charset=utf-8", policy.replace(_NONCE, nonce))
        return Answer(status, fields + headers, made.render(values, nonce=nonce).encode())

    def json(self, status: int, value: object, *headers: tuple[bytes, bytes]) -> Answer:
        """Return ``value`` as JSON."""
        return Answer(status, self._json + headers, json.dumps(value).encode() + b"\n")

    def redirect(self, status: int, where: str, *headers: tuple[bytes, bytes]) -> Answer:
        """Return a redirection to ``where``, a URL or path in ASCII, without a page."""
        location = (b"Location", where.encode("ascii"))
        return Answer(
            status, (*self._json[1:], location, (b"Content-Type", b"text/plain"), *headers)
        )


def _policy(style: str, script: str, bubble: bool, galaxy: str) -> str:
    """What a page may do, by what it is made of; ``galaxy`` is Galaxy's origin or empty."""
    allowed = {
        "default-src": ["'none'"],
        "style-src": [_allowed(style)],
        "img-src": ["data:"],
        "form-action": ["'self'"],
    }
    if script:
        allowed |= {"script-src": [_allowed(script)], "connect-src": ["'self'"]}
    if bubble:
        allowed.setdefault("script-src", []).append(f"'nonce-{_NONCE}' 'strict-dynamic'")
        # The titles of what links lead to are Galaxy's to tell.
        allowed["connect-src"] = ["'self'", galaxy] if galaxy else ["'self'"]
    return "; ".join([f"{name} {' '.join(sources)}" for name, sources in allowed.items()])


def _allowed(text: str) -> str:
    """What allows exactly this style or script in a Content-Security-Policy."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _fields(content_type: str, policy: str) -> tuple[tuple[bytes, bytes], ...]:
    return (
        (b"Content-Type", content_type.encode()),
        (b"Cache-Control", b"no-store"),
        (b"Content-Security-Policy", policy.encode()),
        (b"X-Content-Type-Options", b"nosniff"),
        # Not no-referrer: with that a browser sends "Origin: null" with our own forms.
        (b"Referrer-Policy", b"same-origin"),
    )
