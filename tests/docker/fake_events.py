"""Events of the fake Docker engine, and the time of day there."""

import datetime
from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from tests.docker.fake_http import STREAMED, Answer, Call, Stream

BUFFERED = 256
"""So many events are kept for those who ask with ``since``, as Docker does."""

NEVER = "0001-01-01T00:00:00Z"


class Events:
    """Those that were, and those who listen."""

    def __init__(self) -> None:
        self._told: deque[dict[str, Any]] = deque(maxlen=BUFFERED)
        self._listeners: list[tuple[Stream, dict[str, list[str]]]] = []
        self._last = 0

    @property
    def listeners(self) -> int:
        """How many listen just now."""
        return len(self._listeners)

    def now(self) -> int:
        """Nanoseconds since the epoch; no two calls get the same."""
        present = datetime.datetime.now(datetime.UTC)
        since = present - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
        self._last = max(self._last + 1, since // datetime.timedelta(microseconds=1) * 1000)
        return self._last

    def stamp(self) -> str:
        """The same as text, in Docker's form."""
        seconds, nanoseconds = divmod(self.now(), 10**9)
        moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds:09}Z"

    def tell(self, kind: str, action: str, target: str, attributes: Mapping[str, str]) -> None:
        """Something has happened."""
        now = self.now()
        event = {
            "Type": kind,
            "Action": action,
            "Actor": {"ID": target, "Attributes": dict(attributes)},
            "scope": "local",
            "time": now // 10**9,
            "timeNano": now,
        }
        if kind == "container":
            event |= {"status": action, "id": target, "from": attributes.get("image", "")}
        self._told.append(event)
        for stream, filters in list(self._listeners):
            if _fits(event, filters):
                stream.line(event)

    def forget(self) -> None:
        """As a restarted engine: what was is not known any more."""
        self._told.clear()

    def cut(self) -> None:
        """Cut the connections of all who listen."""
        for stream, _ in list(self._listeners):
            stream.cut()

    def listen(self, call: Call) -> Answer:
        """GET /events."""
        filters = call.filters()
        stream = call.stream()
        since, until = call.query.get("since"), call.query.get("until")
        if since:
            earliest = Decimal(since) * 10**9
            for event in list(self._told):
                if event["timeNano"] >= earliest and _fits(event, filters):
                    stream.line(event)
        if until:
            stream.end()
            return STREAMED
        listener = (stream, filters)
        self._listeners.append(listener)
        stream.on_end(lambda: self._listeners.remove(listener))
        return STREAMED


def matches_labels(labels: Mapping[str, str], wanted: Sequence[str]) -> bool:
    """Whether all of ``name`` and ``name=value`` are there."""
    for one in wanted:
        name, equals, value = one.partition("=")
        if name not in labels or (equals and labels[name] != value):
            return False
    return True


def _fits(event: Mapping[str, Any], filters: Mapping[str, Sequence[str]]) -> bool:
    attributes = event["Actor"]["Attributes"]
    name = attributes.get("name", "")
    found: dict[str, bool] = {
        "type": event["Type"] in filters.get("type", ()),
        "event": event["Action"] in filters.get("event", ()),
        "action": event["Action"] in filters.get("action", ()),
        "label": matches_labels(attributes, filters.get("label", ())),
        "image": attributes.get("image") in filters.get("image", ()),
    }
    for kind in ("container", "network", "volume"):
        wanted = filters.get(kind, ())
        found[kind] = event["Type"] == kind and any(
            event["Actor"]["ID"].startswith(one) or name == one for one in wanted
        )
    return all(found.get(each, True) for each in filters)
