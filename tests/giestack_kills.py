"""Kills a whole giestack while people talk in its chat, again and again, and looks what is left.

``python -m tests.giestack_kills --rounds 300 [--database postgresql://…]``; without a URL it is a
SQLite file in a new folder.
"""

import argparse
import random
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack

from tests.neighbours.chat_crowd import Crowd
from tests.neighbours.chat_visitor import ChatVisitor, Frame
from tests.neighbours.galaxy import ADMIN, ALICE, BOB, Galaxy
from tests.neighbours.giestack import TWISTD, Giestack
from tests.neighbours.program import CleanUp, Program

ROOMS = ("NGS", "RNA-Seq")
_LONGEST_LIFE = 0.5


class GiestackKills:
    """A giestack with people in its chat; they stay, whatever happens to it.

    :ivar crowd: the people, and what they found wrong.
    """

    def __init__(self, test: CleanUp, database: str | None) -> None:
        self._test = test
        self._lives = 1
        chat = {
            "enabled": True,
            "opt_in": False,
            "listen": [],
            "rooms": ROOMS,
            "limits": {"rate": 0},
        }
        if database is not None:
            chat["database"] = database
        self.giestack = Giestack(test, Galaxy(test), {"chat": chat})
        visitor = self._visitor()
        rooms = [visitor.room(name) for name in ROOMS]
        visitor.leave()
        people = [(case, lambda: self.giestack.port) for case in (ALICE, BOB, ADMIN, BOB)]
        self.crowd = Crowd(people, rooms)
        test.addCleanup(self.crowd.end)

    def _visitor(self) -> ChatVisitor:
        self.giestack.program.until(
            lambda: self.giestack.ask("/giestack/chat/whoami").status == 401, "the chat"
        )
        while True:
            visitor = ChatVisitor(self._test, self.giestack.port, ALICE)
            if visitor.hello is not None:
                return visitor

    def round(self) -> None:
        """Kill it soon after it has acknowledged something new, and start it again."""
        self.crowd.until_more()
        with self.crowd.changed:
            self.crowd.changed.wait_for(lambda: self.crowd.wrong, random.uniform(0, _LONGEST_LIFE))
        self.giestack.program.send(signal.SIGKILL)
        self.giestack.program.wait()
        self._lives += 1
        started_again(self._test, self.giestack, f"output-{self._lives}")

    def check(self) -> list[Frame]:
        """Let everybody finish; compare, see `Crowd.wrong`; return all that was said."""
        self.crowd.fall_silent()
        self.crowd.end()
        visitor = self._visitor()
        log: list[Frame] = []
        for room in self.crowd.rooms:
            log += history(visitor, room)
        self.crowd.check(log)
        return log


def started_again(test: CleanUp, giestack: Giestack, output: str) -> None:
    """Start a giestack again that has ended."""
    command = [TWISTD, "-n", "--pidfile=", "giestack", "--config", str(giestack.config)]
    giestack.program = Program(test, command, giestack.files, output=output)


def history(visitor: ChatVisitor, room: str) -> list[Frame]:
    """All events of a room."""
    found: list[Frame] = []
    more = True
    while more:
        after = found[-1]["seq"] if found else 0
        page = visitor.ask("hist", room=room, after=after, limit=100)
        found += page["events"]
        more = page.get("more", False)
    return found


class _CleanUps:
    """In the place of a test."""

    def __init__(self, ends: ExitStack) -> None:
        self._ends = ends

    def addCleanup(self, function: Callable[[], object]) -> object:
        return self._ends.callback(function)


def main() -> int:
    """Kill and tell; 1 where something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--database", help="postgresql://…, empty")
    chosen = parser.parse_args()
    with ExitStack() as ends:
        kills = GiestackKills(_CleanUps(ends), chosen.database)
        for number in range(1, chosen.rounds + 1):
            kills.round()
            if number % 10 == 0:
                print(f"{number} rounds, {len(kills.crowd.acknowledged)} acknowledged", flush=True)
        log = kills.check()
    print(f"{chosen.rounds} kills, {len(kills.crowd.acknowledged)} acknowledged, {len(log)} stored")
    for one in kills.crowd.wrong:
        print(one, file=sys.stderr)
    print("WRONG" if kills.crowd.wrong else "nothing lost, nothing twice, no gaps")
    return 1 if kills.crowd.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
