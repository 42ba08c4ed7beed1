"""Nothing that was acknowledged is lost when the chat is killed in the middle of its work."""

import multiprocessing
import random
from collections import Counter
from typing import Any

from twisted.internet.defer import Deferred

from giestack.chat.store.store import ChatStore
from tests.chat.store import appending
from tests.chat.store_suite import answer_of
from tests.threaded_clock import ThreadedClock

_PATIENCE = 60
_LONGEST_LIFE = 0.15


class Kills:
    """Rounds on one database, and what was told in them.

    :ivar stored: by cid: number of the room and of the event, as acknowledged.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.stored: dict[str, tuple[int, int]] = {}
        self.wrong: list[str] = []
        self._sent: dict[str, int] = {}
        self._started = multiprocessing.get_context("forkserver")
        self._started.set_forkserver_preload([__name__])

    @property
    def unsure(self) -> list[tuple[str, int]]:
        """Messages that were sent and not acknowledged; each client sends them again."""
        return [(cid, room) for cid, room in self._sent.items() if cid not in self.stored]

    def round(self, mark: str) -> None:
        """Start the program, and kill it soon after its first new message was stored."""
        ours, theirs = self._started.Pipe(duplex=False)
        process = self._started.Process(
            target=appending.run, args=(self.url, mark, self.unsure, theirs), daemon=True
        )
        process.start()
        theirs.close()
        try:
            if not self._until_first(ours, mark):
                self.wrong.append("nothing was stored in time")
            process.join(random.uniform(0, _LONGEST_LIFE))
        finally:
            process.kill()
            process.join()
        while self._heard(ours):
            pass
        ours.close()

    def _until_first(self, pipe: Any, mark: str) -> bool:
        while pipe.poll(_PATIENCE):
            told = self._heard(pipe)
            if told is None:
                return False
            if told[0] == "stored" and told[1].startswith(f"{mark}-"):
                return True
        return False

    def _heard(self, pipe: Any) -> Any:
        try:
            told = pipe.recv()
        except (EOFError, OSError):
            return None
        if told[0] == "sent":
            self._sent[told[1]] = told[2]
        elif told[0] == "failed":
            self.wrong.append(told[1])
        else:
            _, cid, room, seq = told
            if self.stored.setdefault(cid, (room, seq)) != (room, seq):
                self.wrong.append(f"{cid} was stored twice")
        return told

    def check(self) -> int:
        """Compare what there is with what was told, as `wrong` says; return how many there are."""
        clock = ThreadedClock()
        store = ChatStore(self.url, clock)
        ann, rooms = answer_of(clock, Deferred.fromCoroutine(appending.prepared(store)))
        messages, after = [], None
        while True:
            page = answer_of(clock, store.export(ann, None, after, 1000))
            messages += page.events
            after = page.next
            if after is None:
                break
        found = {one.cid: one for one in messages}
        for cid, times in Counter(one.cid for one in messages).items():
            if times > 1:
                self.wrong.append(f"{cid} is there {times} times")
        for cid, (room, seq) in self.stored.items():
            one = found.get(cid)
            if one is None or (one.room, one.seq) != (rooms[room], seq):
                self.wrong.append(f"{cid} was acknowledged and is lost")
            elif one.text != f"text {cid}" + (" changed" if one.edited else ""):
                self.wrong.append(f"{cid} says something else")
        for cid in found.keys() - self._sent.keys():
            self.wrong.append(f"{cid} was never sent")
        for room in rooms:
            self._check_numbers(clock, store, room)
        answer_of(clock, store.close())
        return len(messages)

    def _check_numbers(self, clock: ThreadedClock, store: ChatStore, room: str) -> None:
        seqs: list[int] = []
        more = True
        while more:
            page = answer_of(clock, store.events(room, after=len(seqs), limit=1000))
            seqs += [one.seq for one in page.events]
            more = page.more
        last = answer_of(clock, store.room(room)).last
        if seqs != list(range(1, last + 1)):
            self.wrong.append(f"numbers of {room} have gaps")
