"""How own pages look, and the header fields that every one of them carries.

The pages need nothing from anywhere else: the style sheet stands in the page itself, and the
Content-Security-Policy allows exactly that one, by its hash. There are no scripts.
"""

import json
from base64 import b64encode
from hashlib import sha256

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from giestack.site.asked import Answer

TEMPLATES = ("refusal.html", "start.html", "demo.html")


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
        style = environment.loader.get_source(environment, "style.css")[0]
        environment.globals["style"] = Markup(style)
        self._templates = {name: environment.get_template(name) for name in TEMPLATES}
        # Including is parsing at the first use: do that now, too.
        environment.get_template("page.html")
        digest = b64encode(sha256(style.encode()).digest()).decode()
        ancestors = "'self'" if frame_origin is None else f"'self' {frame_origin}"
        rest = f"base-uri 'none'; frame-ancestors {ancestors}"
        page = (
            f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
            f"form-action 'self'; {rest}"
        )
        self._html = _fields("text/html; charset=utf-8", page)
        self._json = _fields("application/json", f"default-src 'none'; form-action 'none'; {rest}")

    def page(
        self, status: int, template: str, *headers: tuple[bytes, bytes], **values: object
    ) -> Answer:
        """Return a page made from one of `TEMPLATES`; ``values`` are escaped."""
        body = self._templates[template].render(values).encode()
        return Answer(status, self._html + headers, body)

    def json(self, status: int, value: object, *headers: tuple[bytes, bytes]) -> Answer:
        """Return ``value`` as JSON."""
        return Answer(status, self._json + headers, json.dumps(value).encode() + b"\n")

    def redirect(self, status: int, where: str, *headers: tuple[bytes, bytes]) -> Answer:
        """Return a redirection to ``where``, a URL or path in ASCII, without a page."""
        location = (b"Location", where.encode("ascii"))
        return Answer(
            status, (*self._json[1:], location, (b"Content-Type", b"text/plain"), *headers)
        )


def _fields(content_type: str, policy: str) -> tuple[tuple[bytes, bytes], ...]:
    return (
        (b"Content-Type", content_type.encode()),
        (b"Cache-Control", b"no-store"),
        (b"Content-Security-Policy", policy.encode()),
        (b"X-Content-Type-Options", b"nosniff"),
        # Not no-referrer: with that a browser sends "Origin: null" with our own forms.
        (b"Referrer-Policy", b"same-origin"),
    )
