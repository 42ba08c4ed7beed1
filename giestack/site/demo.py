"""The demo's page to become one of its users. It exists with ``--demo`` only.

Whoever sends its form becomes anybody, so it must be sent by this page in the visitor's own
browser: the form has a token that belongs to a cookie, and the host must be a name of this
machine's loopback, which a page of another site can't have, whatever its own name resolves to.
"""

import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Protocol

from twisted.internet.defer import Deferred

from giestack.proxy.decision import Refuse
from giestack.site.asked import LONGEST_FORM, Answer, Asked
from giestack.site.endpoint import RefusalError
from giestack.site.links import is_local
from giestack.site.refusals import RefusalPages
from giestack.visitor import Anonymous, Identity

_LOOPBACK = re.compile(rb"(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?", re.I)
_NONCE_COOKIE = "giestack-demo"
_NONCE = re.compile(r"[A-Za-z0-9_-]{43}")

_FOREIGN_HOST = Refuse(
    403, "foreign-host", "The demo can only be used as localhost, 127.0.0.1 or [::1]."
)
_FOREIGN_ORIGIN = Refuse(403, "foreign-origin", "This form was sent by a page of another site.")
_STALE = Refuse(403, "bad-token", "This form is too old. Go back, load the page again and retry.")
_NO_SUCH_USER = Refuse(400, "no-such-user", "The demo has no user of that name.")
_NO_CHOICE = Refuse(400, "bad-request", "The form names nobody to become.")
_TOO_LARGE = Refuse(413, "too-large", "The form is larger than any that stands here.")


class DemoLogins(Protocol):
    """Logs visitors in and out, in the demo's own host database."""

    def log_in(self, username: str) -> Deferred[str]:
        """Make a session for a user of the demo; return the value of its cookie."""

    def log_out(self, visitor: Identity | Anonymous) -> Deferred[None]:
        """End the visitor's session."""


@dataclass(frozen=True, slots=True)
class DemoUser:
    """Someone to become.

    :ivar username: as in the host database.
    :ivar about: what can be seen as this user, for people.
    """

    username: str
    about: str


DEMO_USERS = (
    DemoUser("alice", "A researcher with tools of her own. Open one, then look at it as bob."),
    DemoUser("bob", "Another researcher. Alice’s tools turn him away, and his turn her away."),
    DemoUser("admin", "An administrator. Marked as one, yet no way into the others’ tools."),
)


class DemoPage:
    """Renders ``{prefix}/demo`` and does what its form asks for.

    ``cookie`` is the name of the host's session cookie.
    """

    def __init__(
        self,
        refusals: RefusalPages,
        logins: DemoLogins,
        users: tuple[DemoUser, ...] = DEMO_USERS,
        cookie: str = "galaxysession",
    ) -> None:
        self._refusals = refusals
        self._logins = logins
        self._users = users
        self._cookie = cookie
        self._key = secrets.token_bytes(32)
        self._start = f"{refusals.links.prefix}/"
        self._path = f"{refusals.links.prefix}/demo"

    async def show(self, asked: Asked) -> Answer:
        """Answer GET with the form."""
        _check_host(asked)
        nonce = _nonce(asked) or secrets.token_urlsafe(32)
        way = asked.query.get("next", "")
        visitor = asked.visitor
        return self._refusals.look.page(
            200,
            "demo.html",
            _set_cookie(f"{_NONCE_COOKIE}={nonce}; Path={self._path}; HttpOnly; SameSite=Strict"),
            users=self._users,
            visitor=visitor,
            username=visitor.username if isinstance(visitor, Identity) else None,
            token=self._token(nonce),
            next=way if is_local(way) else "",
            path=self._path,
            start=self._start,
        )

    async def submit(self, asked: Asked) -> Answer:
        """Answer POST: log in or out, then go on with ``303 See Other``."""
        _check_host(asked)
        _check_origin(asked)
        if len(asked.body) > LONGEST_FORM:
            raise RefusalError(_TOO_LARGE)
        form = asked.form
        nonce = _nonce(asked)
        token = form.get("token", "")
        if nonce is None or not hmac.compare_digest(self._token(nonce).encode(), token.encode()):
            raise RefusalError(_STALE)
        become = form.get("become")
        if become is not None and become not in [user.username for user in self._users]:
            raise RefusalError(_NO_SUCH_USER)
        if become is None and "log_out" not in form:
            raise RefusalError(_NO_CHOICE)
        if asked.visitor is not None:
            await self._logins.log_out(asked.visitor)
        if become is None:
            return self._go(self._path, f"{self._cookie}=; Path=/; Max-Age=0")
        value = await self._logins.log_in(become)
        way = form.get("next", "")
        return self._go(
            way if is_local(way) else self._start,
            f"{self._cookie}={value}; Path=/; HttpOnly; SameSite=Lax",
        )

    def _go(self, where: str, cookie: str) -> Answer:
        return self._refusals.look.redirect(303, where, _set_cookie(cookie))

    def _token(self, nonce: str) -> str:
        return hmac.digest(self._key, nonce.encode(), "sha256").hex()


def _set_cookie(text: str) -> tuple[bytes, bytes]:
    return b"Set-Cookie", text.encode("ascii")


def _check_host(asked: Asked) -> None:
    # Host as it was sent, too: a page that has rebound its name to this machine could add an
    # X-Forwarded-Host, and this machine is a trusted front.
    for host in (asked.single(b"host") or b"", asked.seen.host):
        if not _LOOPBACK.fullmatch(host):
            raise RefusalError(_FOREIGN_HOST)


def _check_origin(asked: Asked) -> None:
    origin = asked.headers.getRawHeaders(b"origin")
    host = asked.single(b"host") or b""
    if origin is not None and [o.lower() for o in origin] != [b"http://" + host.lower()]:
        raise RefusalError(_FOREIGN_ORIGIN)


def _nonce(asked: Asked) -> str | None:
    """The nonce of the visitor's cookie; None where there is none, or more than one."""
    found = set()
    for line in asked.headers.getRawHeaders(b"cookie") or []:
        for pair in line.decode("latin-1").split(";"):
            name, _, value = pair.strip(" \t").partition("=")
            if name == _NONCE_COOKIE:
                found.add(value)
    nonce = found.pop() if len(found) == 1 else ""
    return nonce if _NONCE.fullmatch(nonce) else None
