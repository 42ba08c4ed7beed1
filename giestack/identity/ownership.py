"""Whose interactive tool is it?"""

from collections.abc import Collection, Mapping
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from giestack.identity.cache import Cache, put
from giestack.identity.cookie import CookieCodec, MalformedId
from giestack.identity.entry_point import EntryPointOwner
from giestack.visitor import Anonymous, Identity, Unavailable, Visitor

Owner = EntryPointOwner | Unavailable | None
"""An answer of `Ownership`: None where Galaxy has no such entry point."""


def may_enter(owner: EntryPointOwner, visitor: Visitor) -> bool:
    """Tell whether a visitor may use an entry point, by Galaxy's own rule.

    Galaxy 26.1 (``InteractiveToolManager.can_access_job``): a user enters the tools of jobs
    that are theirs, an anonymous visitor those that this very session has started.
    Administrators are no exception. Whether the tool is active is another question.
    """
    if isinstance(visitor, Identity):
        return visitor.host == "galaxy" and owner.user_id == visitor.user_id
    if isinstance(visitor, Anonymous):
        return owner.session_id == visitor.session_id
    return False


class OwnerLookup(Protocol):
    """Where owners are looked up."""

    def owners(self, ids: Collection[int]) -> Deferred[Mapping[int, EntryPointOwner]]:
        """Find owners by entry point ids in one question; unknown ids are left out.

        Fails with `DatabaseUnavailable`.
        """


class Ownership:
    """Finds the owner of an entry point by the key in its URL, and remembers the answer.

    ``clock`` measures how long: ``ttl`` seconds for an active entry point, ``negative_ttl``
    (at most ``ttl``) for one that has ended or that Galaxy does not know. ``size`` bounds
    the entry points that are remembered.
    """

    def __init__(
        self,
        lookup: OwnerLookup,
        codec: CookieCodec,
        clock: IReactorTime,
        ttl: float,
        *,
        negative_ttl: float = 2.0,
        size: int = 10_000,
    ) -> None:
        self._lookup = lookup
        self._codec = codec
        self._ttl = ttl
        self._negative_ttl = min(ttl, negative_ttl)
        self._size = size
        self._ids: dict[str, int] = {}
        self._cache: Cache[int, EntryPointOwner | None] = Cache(
            self._ask, clock, self._lifetime, size, "Galaxy's entry points"
        )

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
        """How many entry points are remembered."""
        return len(self._cache)

    def reload(self, codec: CookieCodec) -> None:
        """Read keys by another configuration from now on; nothing remembered counts."""
        self._codec = codec
        self._ids.clear()
        self._cache.clear()

    def owner(self, key: str) -> Owner | Deferred[Owner]:
        """Return whose entry point a session map's key names, at once where it is known.

        None where Galaxy has no such entry point or could not have made the key. The
        Deferred never fails unless it is cancelled.
        """
        number = self._ids.get(key)
        if number is None:
            try:
                number = self._codec.entry_point_id(key)
            except MalformedId:
                return None
            put(self._ids, key, number, self._size)
        kept = self._cache.get(number)
        if kept is not None:
            return kept.value
        return self._cache.fetch(number)

    def _ask(self, ids: Collection[int]) -> Deferred[Mapping[int, EntryPointOwner | None]]:
        return self._lookup.owners(ids).addCallback(
            lambda owners: {number: owners.get(number) for number in ids}
        )

    def _lifetime(self, owner: EntryPointOwner | None) -> float:
        return self._ttl if owner is not None and owner.active else self._negative_ttl
