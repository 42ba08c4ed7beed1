"""How own pages look, and the header fields that every one of them carries.

The pages need nothing from anywhere else: the style sheet stands in the page itself, and so does
the one script that some of them have. The Content-Security-Policy allows exactly these, by their
hashes; a page without a script may run none. With scripts off every page does the same.
"""

import json
from base64 import b64encode
from hashlib import sha256

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from giestack.site.asked import Answer

TEMPLATES: dict[str, str | None] = {
    "refusal.html": None,
    "start.html": "live.js",
    "demo.html": None,
    "launch.html": None,
    "session.html": "live.js",
    "logs.html": "logs.js",
    "admin.html": "live.js",
}
"""The pages, and the script that each may run."""

_STYLES = ("style.css", "sessions.css")


class Look:
    """Makes answers from templates and values; reads its files once, when made.

    ``frame_origin`` is the one origin besides our own that may show the pages in a frame.
    """

    def __init__(self, frame_origin: str | None) -> None:
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
        page = f"default-src 'none'; style-src {_allowed(style)}; img-src data:; form-action 'self'"
        self._pages: dict[str, tuple[Template, tuple[tuple[bytes, bytes], ...]]] = {}
        for name, script in TEMPLATES.items():
            text, policy = "", page
            if script is not None:
                text = source(environment, script)[0]
                policy += f"; script-src {_allowed(text)}; connect-src 'self'"
            template = environment.get_template(name, globals={"script": Markup(text)})
            self._pages[name] = template, _fields("text/html; charset=utf-8", f"{policy}; {rest}")
        # Including is parsing at the first use: do that now, too.
        for name in ("page.html", "parts.html"):
            environment.get_template(name)
        self._json = _fields("application/json", f"default-src 'none'; form-action 'none'; {rest}")

    def page(
        self, status: int, template: str, *headers: tuple[bytes, bytes], **values: object
    ) -> Answer:
        """Return a page made from one of `TEMPLATES`; ``values`` are escaped."""
        made, fields = self._pages[template]
        return Answer(status, fields + headers, made.render(values).encode())

    def json(self, status: int, value: object, *headers: tuple[bytes, bytes]) -> Answer:
        """Return ``value`` as JSON."""
        return Answer(status, self._json + headers, json.dumps(value).encode() + b"\n")

    def redirect(self, status: int, where: str, *headers: tuple[bytes, bytes]) -> Answer:
        """Return a redirection to ``where``, a URL or path in ASCII, without a page."""
        location = (b"Location", where.encode("ascii"))
        return Answer(
            status, (*self._json[1:], location, (b"Content-Type", b"text/plain"), *headers)
        )


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
