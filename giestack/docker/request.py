"""What is asked of an engine, as a value."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IConsumer
from twisted.python.components import proxyForInterface
from twisted.python.failure import Failure
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

Query = Mapping[str, str | Sequence[str]]
Upload = bytes | IBodyProducer
Kept = Literal["repeated", "told", "avoided"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request to an engine.

    :ivar kind: what it is for, in two words, for those who count.
    :ivar path: below the API's version.
    :ivar query: names with one or more values.
    :ivar body: what is sent: an object as JSON, or bytes, or what produces them.
    :ivar fine: statuses of 300 and more that mean success here.
    :ivar kept: what is done about connections that are kept, as the engine may close them at any
        time: a request that got no answer on one is *repeated*; or who asked is *told*, by
        `giestack.docker.endpoint.Stale`; or they are *avoided*. None: by the method.
    """

    kind: str
    method: str
    path: str
    query: Query | None = None
    body: Mapping[str, Any] | Upload | None = None
    headers: Mapping[str, str] | None = None
    fine: Collection[int] = ()
    kept: Kept | None = None

    @property
    def about_kept(self) -> Kept:
        """What is done about connections that are kept."""
        if not isinstance(self.body, bytes | Mapping | None):
            return "avoided"  # a producer produces once
        return self.kept or ("avoided" if self.method == "POST" else "repeated")


def filtered(filters: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The query that asks for some only: JSON within a value; nothing where all are wanted."""
    wanted = {name: list(values) for name, values in filters.items() if values}
    return {"filters": json.dumps(wanted)} if wanted else {}


def segment(name: str) -> str:
    """A name as one segment of a path."""
    return quote(name, safe="")


def produced(body: Upload) -> "Body":
    """What sends a body."""
    return Body(Content(body) if isinstance(body, bytes) else body)


@implementer(IBodyProducer)
class Content:
    """Bytes that are sent, all at once."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.length = len(content)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self._content)
        return succeed(None)

    def pauseProducing(self) -> None:
        """All was given at once."""

    def resumeProducing(self) -> None:
        """All was given at once."""

    def stopProducing(self) -> None:
        """All was given at once."""


class Body(proxyForInterface(IBodyProducer)):  # type: ignore[misc]
    """A producer that is stopped, too, when its request is cancelled."""

    _is_at_work = False

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        self._is_at_work = True
        producing: Deferred[None] = self.original.startProducing(consumer)
        return producing.addBoth(self._done)

    def stopProducing(self) -> None:
        self._is_at_work = False
        self.original.stopProducing()

    def stop(self) -> None:
        """Nobody wants it any more."""
        if self._is_at_work:
            self.stopProducing()

    def _done(self, result: Any) -> Any:
        if not isinstance(result, Failure) or not result.check(CancelledError):
            self._is_at_work = False
        return result
