"""One-use tickets that carry a login to another host, and the cookies that they become.

Galaxy's cookie does not reach the hosts of interactive tools. So a visitor is checked on Galaxy's
host and goes back with a ticket, which is good for one host, once, and for half a minute. It is
worth something only together with a nonce: a cookie that was set on that host before the visitor
left it. The ticket holds the nonce's hash (as PKCE does, RFC 7636 section 4.2), so whoever sees
the address of the login page or of the ticket, in a log say, has nothing yet.

What is written here is encrypted and signed (Fernet: AES-128-CBC and HMAC-SHA256), each sort with
a key of its own, all from one secret. Nothing of a session can be read in it.
"""

import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

LIFETIME = 30.0
"""Seconds from the login to the last moment at which a ticket is taken."""

SKEW = 5.0
"""Seconds by which the clock of another node may be ahead."""

_LONGEST = 8192
_sealed = re.compile(rb"[A-Za-z0-9_-]+").fullmatch
_nonce = re.compile(rb"[A-Za-z0-9_-]{43}").fullmatch
_MARK = "\n"


class BadTicket(Exception):
    """A ticket that is not taken; the text says why, and holds no secret."""


class OtherNonce(BadTicket):
    """A ticket that would be good with another nonce."""


@dataclass(frozen=True, slots=True)
class Vouched:
    """The session that a visitor was checked with.

    :ivar session_key: names it; never shown.
    :ivar remote_user: whom a trusted front named then, or None.
    """

    session_key: str = field(repr=False)
    remote_user: str | None = None


def new_nonce() -> bytes:
    """A value that nobody can guess, fit for a cookie."""
    return secrets.token_urlsafe(32).encode()


def is_nonce(value: bytes) -> bool:
    """Tell whether a value may be one of `new_nonce`; so is what `challenge_of` returns."""
    return _nonce(value) is not None


def challenge_of(nonce: bytes) -> bytes:
    """What others may see of a nonce."""
    return urlsafe_b64encode(sha256(nonce).digest()).rstrip(b"=")


class Tickets:
    """Makes and takes tickets and cookies; the same ``secret`` on all nodes.

    It remembers the tickets it has taken for as long as they would be good, ``most`` at a time:
    with more it takes none. Other nodes don't know of them, so on those a ticket is one-use only
    as its nonce is, which the browser drops when the ticket is taken.
    """

    def __init__(self, secret: bytes, most: int = 100_000) -> None:
        self._ticket = _box(secret, b"ticket")
        self._cookie = _box(secret, b"cookie")
        self._address = _box(secret, b"address")
        self._most = most
        self._taken: dict[str, float] = {}

    def ticket(self, origin: bytes, challenge: bytes, vouched: Vouched, now: float) -> str:
        """Make a ticket.

        :param origin: ``scheme://host[:port]`` that it is for.
        :param challenge: of the nonce that was set there, see `challenge_of`.
        :param now: seconds since 1970.
        """
        parts = (repr(now), secrets.token_hex(16), _text(origin), _text(challenge))
        return _close(self._ticket, *parts, *_told(vouched))

    def redeem(
        self, ticket: bytes, origin: bytes, nonces: Collection[bytes], now: float
    ) -> Vouched:
        """Take a ticket, once; `BadTicket` where it is not good here and now, for this browser.

        :param nonces: what the visitor's browser has as nonce for this host.
        """
        parts = _open(self._ticket, ticket, 6)
        if parts is None:
            raise BadTicket("it is none of ours, or was altered")
        made, number, for_origin, challenge, session_key, remote_user = parts
        if not compare_digest(for_origin.encode("latin-1"), origin):
            raise BadTicket("it is for another host")
        if not -SKEW <= now - float(made) < LIFETIME:
            raise BadTicket("it is too old, or the nodes' clocks differ")
        if number in self._taken:
            raise BadTicket("it was used already")
        known = challenge.encode("latin-1")
        if not any(compare_digest(challenge_of(nonce), known) for nonce in nonces):
            raise OtherNonce("the browser that brings it has not the nonce that it was made for")
        self._take(number, float(made) + LIFETIME, now)
        return _vouched(session_key, remote_user)

    def _take(self, number: str, until: float, now: float) -> None:
        taken = self._taken
        # The first are about the oldest; one that stays behind another is only kept for longer.
        while taken and taken[first := next(iter(taken))] <= now:
            del taken[first]
        if len(taken) >= self._most:
            raise BadTicket("too many were used in the last half minute")
        taken[number] = until

    def cookie(self, host: bytes, vouched: Vouched) -> bytes:
        """Make the value of a cookie that names a session on one host, ``scheme://name``."""
        return _close(self._cookie, _text(host), *_told(vouched)).encode()

    def vouched(self, host: bytes, value: bytes) -> Vouched | None:
        """Return the session that a cookie names; None where it is none of ours for this host."""
        parts = _open(self._cookie, value, 3)
        if parts is None or not compare_digest(parts[0].encode("latin-1"), host):
            return None
        return _vouched(parts[1], parts[2])

    def close_address(self, address: str) -> str:
        """Put an address into letters, digits, ``-`` and ``_``, in which nobody can read it."""
        return _close(self._address, address)

    def open_address(self, closed: bytes) -> str | None:
        """Return what `close_address` was given; None for anything else."""
        parts = _open(self._address, closed, 1)
        return None if parts is None else parts[0]


def _box(secret: bytes, purpose: bytes) -> Fernet:
    key = HKDF(SHA256(), 32, None, b"giestack " + purpose).derive(secret)
    return Fernet(urlsafe_b64encode(key))


def _close(box: Fernet, *parts: str) -> str:
    if any(_MARK in part for part in parts):
        raise ValueError("a line end in what is to be sealed")
    # When it was made stands inside where that matters.
    return box.encrypt_at_time(_MARK.join(parts).encode(), 0).decode().rstrip("=")


def _open(box: Fernet, sealed: bytes, count: int) -> list[str] | None:
    if len(sealed) > _LONGEST or not _sealed(sealed):
        return None
    whole = sealed + b"=" * (-len(sealed) % 4)
    try:
        # One value has one spelling: base64 would let the last letter differ.
        if urlsafe_b64encode(urlsafe_b64decode(whole)) != whole:
            return None
        parts = box.decrypt(whole).decode().split(_MARK)
    except (InvalidToken, ValueError):
        return None
    return parts if len(parts) == count else None


def _text(value: bytes) -> str:
    return value.decode("latin-1")


def _told(vouched: Vouched) -> tuple[str, str]:
    return vouched.session_key, vouched.remote_user or ""


def _vouched(session_key: str, remote_user: str) -> Vouched:
    return Vouched(session_key, remote_user or None)
