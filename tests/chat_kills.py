"""Kills the chat's store in the middle of its work, again and again, and looks what is left.

``python -m tests.chat_kills --rounds 300 [--database URL]``; without a URL it is a SQLite file in
a new folder.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.chat.store.kills import Kills


def main() -> int:
    """Kill and tell; 1 where something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--database", help="postgresql://… or sqlite:////…, empty")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="giestack-kills-") as folder:
        kills = Kills(chosen.database or f"sqlite:///{Path(folder) / 'chat.sqlite'}")
        for number in range(1, chosen.rounds + 1):
            kills.round(f"round{number}")
            if number % 20 == 0:
                print(f"{number} rounds, {len(kills.stored)} messages acknowledged", flush=True)
        there = kills.check()
    print(f"{chosen.rounds} kills, {len(kills.stored)} acknowledged, {there} stored")
    for one in kills.wrong:
        print(one, file=sys.stderr)
    print("nothing lost, nothing twice, no gaps" if not kills.wrong else "WRONG")
    return 1 if kills.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
