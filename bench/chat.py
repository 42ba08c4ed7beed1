"""``make bench-chat``: what the chat can do, beside Flask-SocketIO on eventlet and Node's ``ws``.

A room of 200 people, each with a session and a WebSocket of their own. Messages come when they are
due, whatever became of those before, and each goes to all 200: a delivery. The servers take turns
on one core, one C program on the other core is all the people. Capacity is the last step before
less than 98 % of the deliveries come in time, or 99 of 100 take more than 250 ms, in two tries of a
step; a step is 1.35 times the one before.

All look a session up, parse JSON, check it and write it anew. giestack stores every message on disk
before it acknowledges it and before anybody sees it; the other two keep nothing.
"""

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from threading import Event, Thread

from bench import chat_generator, chat_packages, chat_report, report
from bench.chat_contenders import GIESTACK, NAMES, ROOM, Contender, Ground
from bench.chat_generator import LOAD_CORE, Load, Spoken, on_core
from bench.chat_packages import WS
from bench.chat_report import HELD, Extras, Result, part_of
from bench.ending import Promise, ended, say
from bench.processes import LOOPBACK, Failed, Programs, busy, settle

MEASUREMENTS = ("room", "idle", "held")

_PEOPLE = 200
_USUAL = 300.0
"""Messages a second; 60,000 deliveries."""

_STEP = 1.35
_SLOWEST, _FASTEST = 10.0, 20_000.0
_DELIVERED, _LATE = 0.98, 250.0

_IDLE = 2_000
_ASK = 0.025
_TOO_BUSY = 0.1


class Bench:
    """One run.

    :ivar results: by the chats' names; so are `versions`.
    """

    def __init__(self, programs: Programs, options: Namespace) -> None:
        self._options = options
        self._ground = Ground(programs)
        self._program = chat_generator.build(programs.folder)
        self.results = {name: Result() for name in options.names}
        self.versions: dict[str, str] = {}
        self.extras = Extras()

    def run(self) -> None:
        """Measure what the options ask for.

        :raises Failed: where a chat does not do what it should.
        """
        if "room" in self._options.measurements:
            self._each_round("room", self._room)
        if "idle" in self._options.measurements:
            self._each_round("idle", self._idle)
        if "held" in self._options.measurements and GIESTACK in self._options.names:
            self._held()

    def _each_round(self, what: str, measure: Callable[[Contender, Result], None]) -> None:
        for number in range(self._options.rounds):
            for name in self._options.names:
                say(f"{what}, round {number + 1}: {name}")
                contender = self._ground.start(name)
                self.versions[name] = contender.version
                measure(contender, self.results[name])
                contender.program.end()

    def _load(self, contender: Contender) -> Load:
        return Load(self._program, contender.target, ROOM, self._ground.people.cookies)

    def _room(self, contender: Contender, result: Result) -> None:
        with self._load(contender) as load:
            load.open(_PEOPLE)
            load.join()
            # What is new has not yet compiled and cached what it needs.
            load.speak(_USUAL / 3, 1)
            self._usual(load, contender, result)
            best, cpu = self._ramp(load, contender)
            result.capacity.append(best.per_second / 1e3)
            result.per_cpu.append(best.deliveries / cpu / 1e3)
            result.load.append(best.cpu)
            if contender.name == GIESTACK:
                self._pages(load, contender, best.rate / 2)
            load.close()

    def _usual(self, load: Load, contender: Contender, result: Result) -> None:
        began = time.monotonic()
        found, cpu = self._speak(load, contender, _USUAL, self._options.seconds)
        if found.missing or found.refused:
            lost = f"{found.missing} deliveries are missing, {found.refused} requests were refused"
            raise Failed(f"{contender.name}: {lost}")
        result.p50.append(found.p50)
        result.p99.append(found.p99)
        result.core.append(cpu / (time.monotonic() - began))
        result.delivery.append(cpu / found.deliveries * 1e6)
        if found.stored_p50:
            result.stored.append(found.stored_p50)

    def _speak(
        self, load: Load, contender: Contender, rate: float, seconds: float
    ) -> tuple[Spoken, float]:
        """What became of messages, and the seconds of CPU that the server has used."""
        before = contender.program.cpu()
        found = load.speak(rate, seconds)
        cpu = contender.program.cpu() - before
        if self._options.verbose:
            print(f"{contender.name}: {found}", flush=True)
        return found, cpu

    def _ramp(self, load: Load, contender: Contender) -> tuple[Spoken, float]:
        """The last good step.

        :raises Failed: where there is none.
        """
        rate = _USUAL
        best = self._step(load, contender, rate)
        up = best is not None
        while best is None and rate > _SLOWEST:
            rate /= _STEP
            best = self._step(load, contender, rate)
        while up and rate < _FASTEST:
            rate *= _STEP
            step = self._step(load, contender, rate)
            if step is None:
                break
            best = step
        if best is None:
            raise Failed(f"{contender.name} can't keep up with {_SLOWEST:.0f} messages a second")
        return best

    def _step(self, load: Load, contender: Contender, rate: float) -> tuple[Spoken, float] | None:
        for _ in range(2):
            found, cpu = self._speak(load, contender, rate, self._options.step)
            said_so = found.gaps or found.refused
            if found.missing and not said_so:
                lost = f"{found.missing} deliveries are missing at {rate:.0f} messages/s"
                raise Failed(f"{contender.name}: {lost}")
            if not said_so and found.part >= _DELIVERED and found.p99 <= _LATE:
                return found, cpu
        return None

    def _pages(self, load: Load, contender: Contender, rate: float) -> None:
        path, headers = self._ground.page
        asker = _Asker(contender.proxy_port, path, headers)
        with asker.asking() as times:
            time.sleep(self._options.seconds / 2)
        self.extras.quiet += times
        with asker.asking() as times:
            self._speak(load, contender, rate, self._options.seconds * 2)
        self.extras.pages += times
        if self._options.verbose:
            print(f"pages at {rate:.0f} messages/s: p99 {part_of(times, 0.99):.1f} ms", flush=True)

    def _idle(self, contender: Contender, result: Result) -> None:
        patience = self._options.patience
        with self._load(contender) as load:
            # What the first ones need is needed once.
            load.open(64)
            load.close()
            before = settle(contender.program, patience)
            cpu = contender.program.cpu()
            result.connects.append(load.open(_IDLE))
            result.arrival.append((contender.program.cpu() - cpu) / _IDLE * 1e3)
            more = settle(contender.program, patience) - before
            result.idle.append(more / _IDLE / 1e3)
            load.close()

    def _held(self) -> None:
        contender = self._ground.start(GIESTACK)
        self.versions[GIESTACK] = contender.version
        say(f"{HELD:,} idle connections for {self._options.hold} s")
        with self._load(contender) as load:
            load.open(HELD)
            time.sleep(self._options.hold)
            self.extras.held = load.ping()
            load.close()
        contender.program.end()


class _Asker:
    """Somebody who asks the proxy for a page forty times a second, in a thread."""

    def __init__(self, port: int, path: str, headers: dict[str, str]) -> None:
        self._connection = HTTPConnection(LOOPBACK, port, timeout=30)
        self._path, self._headers = path, headers

    @contextmanager
    def asking(self) -> Iterator[list[float]]:
        """Ask during a ``with`` block; afterwards its value has the ms of all answers.

        :raises Failed: where a page is refused.
        """
        over, times, wrong = Event(), [], []

        def ask() -> None:
            due = time.monotonic()
            while not over.wait(max(0.0, due - time.monotonic())):
                self._connection.request("GET", self._path, headers=self._headers)
                response = self._connection.getresponse()
                response.read()
                # From when it was due, so that no answer hides behind another.
                times.append((time.monotonic() - due) * 1e3)
                if response.status != 200:
                    wrong.append(response.status)
                due += _ASK

        thread = Thread(target=ask, daemon=True)
        thread.start()
        try:
            yield times
        finally:
            over.set()
            thread.join()
        if wrong:
            raise Failed(f"a page of the proxy was answered with {wrong[0]}")


def _options(arguments: list[str] | None) -> Namespace:
    parser = ArgumentParser(prog="python -m bench.chat", description="What chats can do.")
    parser.add_argument("--rounds", type=int, default=3, help="how often each takes its turn [3]")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=(*NAMES, *MEASUREMENTS),
        default=[],
        metavar="WORD",
        help=f"chats ({', '.join(NAMES)}) and measurements ({', '.join(MEASUREMENTS)})",
    )
    parser.add_argument("--quick", action="store_true", help="a rough look: one short round")
    parser.add_argument("--anyway", action="store_true", help="also on a machine that is busy")
    parser.add_argument("--verbose", action="store_true", help="print every step")
    options = parser.parse_args(arguments)
    options.seconds, options.step, options.patience, options.hold = 5, 3, 10, 60
    if options.quick:
        options.rounds = 1
        options.seconds, options.step, options.patience, options.hold = 2, 1, 3, 5
    options.names = [name for name in NAMES if name in options.only] or NAMES
    options.measurements = [m for m in MEASUREMENTS if m in options.only] or MEASUREMENTS
    return options


def _run(options: Namespace) -> list[Promise]:
    node = chat_packages.install_ws().node if WS in options.names else None
    others = busy(3)
    if others > _TOO_BUSY and not options.anyway:
        raise Failed(
            f"the machine is {others:.0%} busy with other things, so the figures would say "
            "nothing; --anyway measures all the same"
        )
    with Programs() as programs, on_core(LOAD_CORE):
        bench = Bench(programs, options)
        bench.run()
    say("")
    print(report.machine(node))
    print(f"{others:.0%} busy with other things before the start; one core for the server, one for")
    print("the load. giestack stores every message on disk, the others keep nothing.", end="\n\n")
    print(*chat_report.spread(bench.results), sep="\n", end="\n\n")
    if any(name != "held" for name in options.measurements):
        print(*chat_report.table(bench.results, bench.versions), sep="\n", end="\n\n")
    for line in (*chat_report.limited(bench.results), *chat_report.pages(bench.extras)):
        print(line)
    return chat_report.promises(bench.results, bench.extras)


def main(arguments: list[str] | None = None) -> int:
    """Run, print, and return 1 where a promise is not kept."""
    options = _options(arguments)
    return ended(lambda: _run(options))


if __name__ == "__main__":
    sys.exit(main())
