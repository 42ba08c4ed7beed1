"""Puts the chat together: its store, its core, its edge, and the door that is its alone."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import Deferred

from giestack.chat.arriving import Identify, Preference
from giestack.chat.chat import Chat
from giestack.chat.edge import Edge, Hold
from giestack.chat.rules import Rules
from giestack.chat.store.store import ChatStore
from giestack.chat.surroundings import Audit
from giestack.chat.websocket import ChatSocket
from giestack.ops.chat_metrics import Commits
from giestack.proxy.decision import HandOver, Request
from giestack.settings.schema import ChatSettings
from giestack.site.chat_files import WidgetFiles
from giestack.site.chat_resource import ChatSite
from giestack.site.refusals import RefusalPages
from giestack.site.streams import Streams


def rules_of(chat: ChatSettings) -> Rules:
    """What the chat goes by."""
    return Rules(
        enabled=chat.enabled,
        opt_in=chat.opt_in,
        rooms=chat.rooms,
        impersonation=chat.impersonation,
        moderators=frozenset(address.lower() for address in chat.moderators),
        deny=chat.filter.deny,
        mask=chat.filter.mask,
        length=chat.limits.length,
        frame=chat.limits.frame,
        rate=chat.limits.rate,
        burst=chat.limits.burst,
        edit_seconds=chat.limits.edit_seconds,
        sockets_per_user=chat.limits.sockets_per_user,
        retention_days=chat.retention_days,
    )


class Chatting:
    """The chat's parts.

    :ivar chat: what they are about.
    :ivar store: where it keeps everything.
    :ivar commits: how long commits took.
    """

    def __init__(
        self,
        reactor: Any,
        settings: ChatSettings,
        audit: Audit,
        hold: Hold,
        preference: Preference | None,
        identify: Identify | None = None,
    ) -> None:
        """
        :param identify: tells who somebody is now who was let in before.
        :raises BadDatabaseURL: where ``chat.database`` can't be used at all.
        """
        self.commits = Commits()
        rules = rules_of(settings)
        self.store = ChatStore(settings.database, reactor, self.commits, now=now_ms)
        self.chat = Chat(self.store, rules, reactor, now_ms, audit, preference, identify)
        self._edge = Edge(reactor, self.chat.arrive, hold, frame=rules.frame)
        self._files = WidgetFiles.read()

    def configure(self, settings: ChatSettings) -> None:
        """Go by other settings from now on, but for ``database``."""
        rules = rules_of(settings)
        self.chat.configure(rules)
        self._edge.configure(frame=rules.frame)

    def start(self) -> None:
        """Open the store, and look after connections."""
        self.chat.start()
        self._edge.start()

    def stop(self) -> Any:
        """Close the store; fires when all that was accepted is there."""
        self._edge.stop()
        return self.chat.stop()

    def questions(self) -> Mapping[str, Callable[[], Deferred[Sequence[str]]]]:
        """What to ask to learn whether people can come in; see `giestack.ops.health.Readiness`."""
        return {"chat": self._troubles}

    def _troubles(self) -> Deferred[Sequence[str]]:
        async def asked() -> Sequence[str]:
            if not self.chat.ready:
                return ["its store is not open yet"]
            # Something cheap that has to ask the database.
            await self.store.room("")
            return ()

        return Deferred.fromCoroutine(asked())

    def take_over(self, decision: HandOver, request: Request) -> ChatSocket:
        """Be a `giestack.proxy.front.TakeOver`."""
        return self._edge.socket(decision.visitor)

    def site(
        self,
        refusals: RefusalPages,
        streams: Streams,
        origins: frozenset[bytes],
        *,
        spawning: bool,
    ) -> ChatSite:
        """The addresses of the chat that are no WebSocket."""
        return ChatSite(
            self.chat,
            refusals,
            self._files,
            streams,
            lambda: datetime.now(UTC),
            origins,
            spawning=spawning,
        )


def now_ms() -> int:
    """The time, ms since 1970 UTC."""
    return round(datetime.now(UTC).timestamp() * 1000)
