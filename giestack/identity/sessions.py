"""Whose request is it? Session checks with a memory, and connections that end with a session."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from giestack.identity.cache import Cache, put
from giestack.identity.cookie import CookieCodec, MalformedCookie
from giestack.identity.rules import (
    GalaxyPolicy,
    SessionRow,
    refusal_of,
    session_checks,
    visitor_of,
)
from giestack.visitor import Anonymous, Identity, Refused, Unavailable, Visitor

_NO_COOKIE = Refused("no session cookie")
_UNREADABLE = Refused("the session cookie does not decode")
_AMBIGUOUS = Refused("cookies of two different sessions")
_SHORTEST_INTERVAL = 0.2


class SessionLookup(Protocol):
    """Where sessions are looked up."""

    def sessions(self, keys: Collection[str]) -> Deferred[Mapping[str, SessionRow]]:
        """Find sessions by their keys in one question; keys without a session are left out.

        Fails with `DatabaseUnavailable`.
        """


class _Known:
    """A session as the database had it, and whom it stood for when last asked."""

    __slots__ = ("refused", "remote_user", "row", "visitor")

    def __init__(self, row: SessionRow | None, refused: Refused | None) -> None:
        self.row = row
        self.refused = refused
        self.remote_user: str | None = None
        self.visitor: Identity | Anonymous | Refused | None = refused


class _Holder:
    """A connection that lives as long as its session."""

    __slots__ = ("cut", "user_id")

    def __init__(self, user_id: int | None, cut: Callable[[str], None]) -> None:
        self.user_id = user_id
        self.cut = cut


class Sessions:
    """Checks session cookies and remembers the answers.

    ``clock`` measures how long an answer is believed: ``ttl`` seconds for a valid session,
    ``negative_ttl`` (at most ``ttl``) for anything else; ``utcnow`` is the wall clock, naive
    UTC. ``size`` bounds the sessions that are remembered.

    :ivar lookups: checks so far.
    :ivar hits: checks that were answered from memory.
    :ivar cut: connections ended because their session had ended.
    """

    _log = Logger()

    def __init__(
        self,
        lookup: SessionLookup,
        codec: CookieCodec,
        policy: GalaxyPolicy,
        clock: IReactorTime,
        utcnow: Callable[[], datetime],
        ttl: float,
        *,
        negative_ttl: float = 2.0,
        size: int = 10_000,
    ) -> None:
        self.lookups = 0
        self.hits = 0
        self.cut = 0
        self._lookup = lookup
        self._codec = codec
        self._policy = policy
        self._utcnow = utcnow
        self._ttl = ttl
        self._negative_ttl = min(ttl, negative_ttl)
        self._size = size
        self._keys: dict[tuple[bytes, ...], str] = {}
        self._held: dict[str, set[_Holder]] = {}
        self._cache: Cache[str, _Known] = Cache(
            self._ask, clock, self._lifetime, size, "Galaxy's sessions", self._cut_ended
        )
        self._recheck = LoopingCall(self._refresh_held)
        self._recheck.clock = clock

    @property
    def queries(self) -> int:
        """How often the database was asked."""
        return self._cache.queries

    @property
    def errors(self) -> int:
        """How often the database gave no answer."""
        return self._cache.errors

    @property
    def cached(self) -> int:
        """How many sessions are remembered."""
        return len(self._cache)

    def start(self) -> None:
        """Begin to re-check the sessions of held connections."""
        interval = max(self._ttl / 2, _SHORTEST_INTERVAL)
        self._recheck.start(interval, now=False).addErrback(
            lambda failure: self._log.failure("sessions are no longer re-checked", failure)
        )

    def stop(self) -> None:
        """End the re-checks."""
        if self._recheck.running:
            self._recheck.stop()

    def reload(self, codec: CookieCodec, policy: GalaxyPolicy) -> None:
        """Judge by another configuration from now on; nothing remembered counts any more."""
        self._codec = codec
        self._policy = policy
        self._keys.clear()
        self._cache.clear()

    def check(
        self, cookies: tuple[bytes, ...], remote_user: str | None = None
    ) -> Visitor | Deferred[Visitor]:
        """Tell who sent these cookies, at once where it is known.

        ``cookies`` are the raw values of all session cookies of one request. Those that do
        not decode are ignored; none left, or two different sessions left, is `Refused`.
        ``remote_user`` is the ``remote_user_header`` of a trusted peer; it is ignored unless
        the policy uses it. The Deferred never fails unless it is cancelled.
        """
        key = self._keys.get(cookies)
        if key is None:
            found = self._session_key(cookies)
            if isinstance(found, Refused):
                self.lookups += 1
                return found
            key = found
        return self.check_key(key, remote_user)

    def check_key(
        self, session_key: str, remote_user: str | None = None
    ) -> Visitor | Deferred[Visitor]:
        """Tell whom a session key stands for; as `check`, for tickets that name a session."""
        self.lookups += 1
        kept = self._cache.get(session_key)
        if kept is None:
            return self._cache.fetch(session_key).addCallback(self._visitor, remote_user)
        self.hits += 1
        known = kept.value
        if known.visitor is not None and known.remote_user == remote_user:
            return known.visitor
        return self._visitor(known, remote_user)

    def hold(self, visitor: Identity | Anonymous, cut: Callable[[str], None]) -> Callable[[], None]:
        """End a connection with its session: ``cut`` is called with the reason, at most once.

        That happens within ``ttl`` after the session has ended or has become another user's,
        and never because the database cannot be asked. Returns a function to call when the
        connection has ended by itself; it may be called again.
        """
        key = visitor.session_key
        holder = _Holder(visitor.user_id if isinstance(visitor, Identity) else None, cut)
        self._held.setdefault(key, set()).add(holder)

        def release() -> None:
            self._release(key, holder)

        return release

    def _release(self, key: str, holder: _Holder) -> bool:
        """Forget a holder; tell whether it was still known."""
        holders = self._held.get(key, set())
        if holder not in holders:
            return False
        holders.remove(holder)
        if not holders:
            del self._held[key]
        return True

    def _session_key(self, cookies: tuple[bytes, ...]) -> str | Refused:
        if not cookies:
            return _NO_COOKIE
        found: str | None = None
        for cookie in cookies:
            try:
                key = self._codec.decode(cookie)
            except MalformedCookie:
                continue
            if found not in (None, key):
                return _AMBIGUOUS
            found = key
        if found is None:
            return _UNREADABLE
        if len(cookies) == 1:
            put(self._keys, cookies, found, self._size)
        return found

    def _ask(self, keys: Collection[str]) -> Deferred[Mapping[str, _Known]]:
        def know(rows: Mapping[str, SessionRow]) -> Mapping[str, _Known]:
            now = self._utcnow()
            known = {}
            for key in keys:
                row = rows.get(key)
                known[key] = _Known(row, refusal_of(session_checks(row, self._policy, now)))
            return known

        return self._lookup.sessions(keys).addCallback(know)

    def _lifetime(self, known: _Known) -> float:
        return self._ttl if known.refused is None else self._negative_ttl

    def _visitor(self, known: _Known | Unavailable, remote_user: str | None) -> Visitor:
        if isinstance(known, Unavailable):
            return known
        known.visitor = visitor_of(
            known.row, self._policy, self._codec.encode_id, self._utcnow(), remote_user
        )
        known.remote_user = remote_user
        return known.visitor

    def _refresh_held(self) -> Deferred[None] | None:
        return self._cache.refresh(tuple(self._held)) if self._held else None

    def _cut_ended(self, key: str, known: _Known) -> None:
        for holder in tuple(self._held.get(key, ())):
            if known.refused is not None:
                reason = known.refused.reason
            elif known.row is None or holder.user_id != known.row.user_id:
                reason = "the session is now another user's"
            else:
                continue
            # One that is cut may release others.
            if self._release(key, holder):
                self.cut += 1
                with self._log.failuresHandled("ending a connection"):
                    holder.cut(reason)
