"""The REST API of the Go proxy (``gxproxy``): how Galaxy tells of an environment.

``/api?api_key=KEY`` on the proxy's own port. GET lists all routes. A request with a body that is
a route adds it and lists all: POST, and GET too, as newer Galaxys send it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from hmac import compare_digest
from typing import Protocol

from giestack.routing.formats import BadRow
from giestack.routing.go_routes import GoRoute, from_json, to_json
from giestack.site.asked import LONGEST_FORM, Answer, Asked
from giestack.site.endpoint import Endpoint, Refusal

_LASTING = (
    (b"Cache-Control", b"no-store"),
    (b"Content-Security-Policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"X-Content-Type-Options", b"nosniff"),
)
_JSON = ((b"Content-Type", b"application/json"), *_LASTING)
_TEXT = ((b"Content-Type", b"text/plain; charset=utf-8"), *_LASTING)

WRONG_KEY = Answer(401, _TEXT, b"Invalid API key\n")
BAD_ROUTE = Answer(400, _TEXT, b"Invalid Route data\n")
TOO_LARGE = Answer(413, _TEXT, b"Invalid Route data\n")
NOT_NOW = Answer(404, _TEXT, b"404 page not found\n")


class GoRoutes(Protocol):
    """The routes that the API is about."""

    def routes(self) -> Sequence[tuple[GoRoute, datetime]]:
        """All of them, each with the time in UTC when it was used last."""
        ...

    def add(self, route: GoRoute) -> None:
        """Have one more."""
        ...


class GoApi:
    """Answers the API.

    ``routes`` and ``key`` give what is there now: None where the API is off.
    """

    def __init__(
        self, routes: Callable[[], GoRoutes | None], key: Callable[[], str | None]
    ) -> None:
        self._routes = routes
        self._key = key

    def resource(self, refusal: Refusal) -> Endpoint:
        """Return the resource to put at ``/api``; ``refusal`` renders what is not Go's."""
        return Endpoint({b"GET": self.answer, b"POST": self.answer}, refusal)

    async def answer(self, asked: Asked) -> Answer:
        """List the routes; add one first where the body is one."""
        routes, key = self._routes(), self._key()
        if routes is None or key is None:
            return NOT_NOW
        given = asked.query.get("api_key", "")
        if not compare_digest(given.encode("utf-8", "replace"), key.encode()):
            return WRONG_KEY
        if asked.body or asked.method == b"POST":
            if len(asked.body) > LONGEST_FORM:
                return TOO_LARGE
            try:
                routes.add(from_json(asked.body))
            except BadRow:
                return BAD_ROUTE
        return Answer(200, _JSON, to_json(routes.routes()))
