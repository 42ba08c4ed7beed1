"""Galaxy as the host of giestack: its sessions, its interactive tools, its database."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed

from giestack.access import Standing
from giestack.database import Database, open_engine
from giestack.gate import UseOf
from giestack.identity.api_key import ApiKeys
from giestack.identity.cookie import CookieCodec, MalformedCookie
from giestack.identity.entry_point import EntryPoint, EntryPointOwner
from giestack.identity.galaxy import GalaxyDatabase
from giestack.identity.last_action import LastAction
from giestack.identity.ownership import Ownership, may_enter
from giestack.identity.preference import Preferences
from giestack.identity.rules import GalaxyPolicy
from giestack.identity.sessions import Sessions
from giestack.parts import Part
from giestack.settings.schema import GalaxySettings
from giestack.visitor import Anonymous, Identity, Refused, Unavailable, Visitor

_NO_HOST = Refused("no host database is configured")


def galaxy_policy(galaxy: GalaxySettings) -> GalaxyPolicy:
    """What of Galaxy's options decides about sessions."""
    return GalaxyPolicy(
        admin_users=frozenset(galaxy.admin_users),
        session_duration=galaxy.session_duration,
        require_login=galaxy.require_login,
        use_remote_user=galaxy.use_remote_user,
        remote_user_maildomain=galaxy.remote_user_maildomain,
        single_user=galaxy.single_user,
    )


class Galaxy:
    """What the other parts ask Galaxy for.

    :ivar codec: reads its cookies and ids.
    :ivar database: its database.
    :ivar tables: the questions to that database.
    :ivar sessions: who is asking.
    :ivar check: tells who sends these cookies; see `Sessions.check`.
    :ivar check_key: tells whom a session key stands for; see `Sessions.check_key`.
    :ivar entry_points: lists those of a visitor's unfinished jobs.
    :ivar api_key: finds a user's key to its API; see `ApiKeys.key_of`.
    :ivar chat_preference: whether a user had switched chat on there, by id; None: not said.
    :ivar last_action: tells it who is at work.
    """

    def __init__(
        self, reactor: Any, galaxy: GalaxySettings, ttl: float, utcnow: Callable[[], datetime]
    ) -> None:
        """
        :param ttl: seconds for which a checked session is believed.
        :param utcnow: the wall clock, naive UTC as in Galaxy's tables.
        """
        assert galaxy.database_connection is not None and galaxy.id_secret is not None
        self.codec = CookieCodec(galaxy.id_secret)
        self.database = Database(open_engine(galaxy.database_connection), reactor)
        self.tables = GalaxyDatabase(self.database)
        self._policy = galaxy_policy(galaxy)
        self.sessions = Sessions(self.tables, self.codec, self._policy, reactor, utcnow, ttl)
        self.check = self.sessions.check
        self.check_key = self.sessions.check_key
        self.entry_points = self.tables.entry_points
        self.api_key = ApiKeys(self.database).key_of
        self.chat_preference = Preferences(self.database).communication_server
        self._ownership = Ownership(self.tables, self.codec, reactor, ttl)
        # Opens nothing before there is something to write.
        writes = open_engine(galaxy.database_connection, writes=True)
        self.last_action = LastAction(Database(writes, reactor), reactor, utcnow)

    def configure(self, galaxy: GalaxySettings) -> None:
        """Judge sessions by other options from now on; its secret and database stay."""
        policy = galaxy_policy(galaxy)
        if policy != self._policy:
            self._policy = policy
            self.sessions.reload(self.codec, policy)

    def parts(self) -> Sequence[Service]:
        """What must run for this to work, in order."""
        return (
            Part(self.database.start, self.database.stop),
            Part(self.sessions.start, self.sessions.stop),
            Part(self.last_action.start, self.last_action.stop),
        )

    def use_of(self, galaxy: GalaxySettings) -> UseOf | None:
        """Who wants to know of the use of tools and sessions, as these options have it."""
        return self.last_action.use_of if galaxy.touch_last_action else None

    def keys(self, entry_point_id: int) -> Sequence[str]:
        """The keys under which a session map may hold an entry point (since 23.2, and before)."""
        return (self.codec.entry_point_key(entry_point_id), self.codec.encode_id(entry_point_id))

    def spellings(self, key: str) -> Sequence[str]:
        """All keys of the entry point that has this one, which comes first."""
        keys = self.keys(self.codec.entry_point_id(key))
        return sorted(keys, key=lambda one: one != key)

    def session_of(self, cookie: str) -> str | None:
        """The session key that a session map's cookie stands for; None: no Galaxy made it."""
        try:
            return self.codec.decode(cookie.encode("latin-1", "replace"))
        except MalformedCookie:
            return None

    def hold(
        self, visitor: Identity | Anonymous | None, cut: Callable[[str], None]
    ) -> Callable[[], None]:
        """Have a connection cut when its visitor's session ends; see `Sessions.hold`."""
        return unheld(visitor, cut) if visitor is None else self.sessions.hold(visitor, cut)

    def standing(self, key: str, visitor: Identity | Anonymous) -> Standing | Deferred[Standing]:
        """How a visitor stands to the entry point with this key."""
        owner = self._ownership.owner(key)
        if isinstance(owner, Deferred):
            return owner.addCallback(_standing, visitor)
        return _standing(owner, visitor)

    async def identify(self, identity: Identity) -> Visitor:
        """Who a session stands for now."""
        found = self.sessions.check_key(identity.session_key)
        return await found if isinstance(found, Deferred) else found

    def ask(self) -> Deferred[object]:
        """Look up a session that does not exist, to see whether the database answers."""
        asked: Deferred[Any] = self.tables.sessions(("",))
        return asked


class NoHost:
    """Stands in where there is no host database: nobody is known, nothing is anybody's."""

    def check(self, cookies: tuple[bytes, ...], remote_user: str | None = None) -> Visitor:
        """There are no sessions."""
        return _NO_HOST

    def check_key(self, session_key: str, remote_user: str | None = None) -> Visitor:
        """There are no sessions."""
        return _NO_HOST

    def entry_points(self, visitor: Identity | Anonymous) -> Deferred[Sequence[EntryPoint]]:
        """There are no interactive tools to list."""
        nothing: Sequence[EntryPoint] = ()
        return succeed(nothing)

    def keys(self, entry_point_id: int) -> Sequence[str]:
        """No session map's keys are known."""
        return ()

    def session_of(self, cookie: str) -> str | None:
        """Nobody can tell what a cookie stands for but itself."""
        return cookie

    def hold(
        self, visitor: Identity | Anonymous | None, cut: Callable[[str], None]
    ) -> Callable[[], None]:
        """Nothing ever cuts a connection."""
        return unheld(visitor, cut)

    def use_of(self, galaxy: GalaxySettings) -> UseOf | None:
        """There is nobody to tell of use."""
        return None

    async def api_key(self, user_id: int) -> str:
        """Nobody has a key."""
        return ""

    def standing(self, key: str, visitor: Identity | Anonymous) -> Standing:
        """No interactive tool is this visitor's."""
        return "other"


def unheld(visitor: Identity | Anonymous | None, cut: Callable[[str], None]) -> Callable[[], None]:
    """Hold a connection under no session: nothing ever cuts it."""
    return lambda: None


def _standing(
    owner: EntryPointOwner | Unavailable | None, visitor: Identity | Anonymous
) -> Standing:
    if owner is None:
        return "gone"
    if isinstance(owner, Unavailable):
        return "unavailable"
    if not owner.active:
        return "gone"
    return "owner" if may_enter(owner, visitor) else "other"
