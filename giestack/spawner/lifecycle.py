"""The life of a session, as a machine: what happened goes in, what to do comes out.

The machine knows no clock, no engine and no page. What it does stands in `Actions`; whoever
implements them answers by inputs, at once or later, also never or twice: what comes too late
for the state that the session is in by then is ignored.

Wherever a session may be in an engine, the only way out leads through `Actions.remove` or
`Actions.collapse` and the input `removed`. So nothing is left running, whatever happens.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol

from automat import TypeMachineBuilder

from giestack.address import Address
from giestack.spawner.view import State

if TYPE_CHECKING:
    from automat._typed import TypedState

P = ParamSpec("P")


class Inputs(Protocol):
    """What can happen to a session."""

    def requested(self) -> None:
        """Somebody wants it to run."""

    def found(self, address: Address) -> None:
        """An engine has it running, from before giestack was started."""

    def admitted(self) -> None:
        """There is room for it."""

    def pull_began(self) -> None:
        """The engine fetches its image."""

    def creation_began(self) -> None:
        """The engine makes what it runs in."""

    def start_began(self) -> None:
        """The engine starts its program."""

    def launched(self, address: Address) -> None:
        """Its program runs; it will listen at the address."""

    def answered(self) -> None:
        """It has answered for the first time."""

    def failed(self, reason: str) -> None:
        """It could not be started, or it ended as it should not."""

    def finished(self, reason: str) -> None:
        """It ended by itself, as it should when it is told to from inside."""

    def culled(self, reason: str) -> None:
        """It has been idle, or has lived, for as long as it may."""

    def dismissed(self) -> None:
        """Somebody wants it to be gone."""

    def restart_requested(self) -> None:
        """Somebody wants it to be stopped, if it runs, and to run again."""

    def removed(self) -> None:
        """Nothing of it is left in the engine."""


class Actions(Protocol):
    """What a session can be told to do."""

    def show(self, state: State) -> None:
        """Let everybody know the state."""

    def enqueue(self) -> None:
        """Wait for room; `Inputs.admitted` is the answer."""

    def dequeue(self) -> None:
        """Wait no more."""

    def launch(self) -> None:
        """Let the engine start it; `launched` or `failed` is the answer."""

    def probe(self, address: Address) -> None:
        """Wait until it answers; `answered` or `failed` is the answer."""

    def publish(self) -> None:
        """Let its owner in."""

    def withdraw(self) -> None:
        """Let nobody in any more."""

    def remove(self, reason: str) -> None:
        """End what is under way and remove it from the engine; `removed` is the answer.

        The reason is for its owner, "" where they know it.
        """

    def collapse(self, reason: str) -> None:
        """Keep its last words, show ``failed`` with them, then do as `remove`."""

    def forget(self) -> None:
        """It is gone for good."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One arrow of the machine, by names; for the diagram and for tests."""

    state: str
    happened: str
    then: str


TRANSITIONS: list[Transition] = []
"""All arrows but those that ignore something."""

_builder = TypeMachineBuilder(Inputs, Actions)  # type: ignore[type-abstract] # it makes none

new = _builder.state("new")
queued = _builder.state("queued")
pulling = _builder.state("pulling")
creating = _builder.state("creating")
starting = _builder.state("starting")
ready = _builder.state("ready")
stopping = _builder.state("stopping")
restarting = _builder.state("restarting")
deleting = _builder.state("deleting")
failing = _builder.state("failing")
stopped = _builder.state("stopped")
failed = _builder.state("failed")
gone = _builder.state("gone")

LAUNCHING = (pulling, creating, starting)
STATES = (
    *(new, queued, *LAUNCHING, ready),
    *(stopping, restarting, deleting, failing),
    *(stopped, failed, gone),
)


def _when(
    states: "tuple[TypedState[Inputs, Actions], ...]",
    happened: Callable[Concatenate[Inputs, P], None],
    then: "TypedState[Inputs, Actions]",
    do: Callable[Concatenate[Inputs, Actions, P], None],
) -> None:
    for state in states:
        state.upon(happened).to(then)(do)
        TRANSITIONS.append(Transition(state.name, happened.__name__, then.name))


# What to do, between what happened and the state that follows.


def _enqueue(_: Inputs, session: Actions) -> None:
    session.show("queued")
    session.enqueue()


def _adopt(_: Inputs, session: Actions, address: Address) -> None:
    session.show("starting")
    session.probe(address)


def _launch(_: Inputs, session: Actions) -> None:
    session.show("creating")
    session.launch()


def _pull(_: Inputs, session: Actions) -> None:
    session.show("pulling")


def _create(_: Inputs, session: Actions) -> None:
    session.show("creating")


def _start(_: Inputs, session: Actions) -> None:
    session.show("starting")


def _open(_: Inputs, session: Actions) -> None:
    session.publish()
    session.show("ready")


def _fail_unlaunched(_: Inputs, session: Actions, reason: str) -> None:
    session.dequeue()
    session.collapse(reason)


def _fail(_: Inputs, session: Actions, reason: str) -> None:
    session.collapse(reason)


def _crash(_: Inputs, session: Actions, reason: str) -> None:
    session.withdraw()
    session.collapse(reason)


def _stop(_: Inputs, session: Actions, reason: str) -> None:
    session.withdraw()
    session.show("stopping")
    session.remove(reason)


def _abandon(_: Inputs, session: Actions) -> None:
    session.show("stopping")
    session.remove("")


def _close(_: Inputs, session: Actions) -> None:
    session.withdraw()
    session.show("stopping")
    session.remove("")


def _show_stopping(_: Inputs, session: Actions) -> None:
    session.show("stopping")


def _show_stopped(_: Inputs, session: Actions) -> None:
    session.show("stopped")


def _leave_queue(_: Inputs, session: Actions) -> None:
    session.dequeue()
    session.forget()


def _forget(_: Inputs, session: Actions) -> None:
    session.forget()


def _nothing(_: Inputs, session: Actions) -> None:
    pass


def _ignore(_: Inputs, session: Actions, what: object = None) -> None:
    pass


_ENDED = (stopped, failed)

_when((new, *_ENDED), Inputs.requested, queued, _enqueue)
_when(_ENDED, Inputs.restart_requested, queued, _enqueue)
_when((new,), Inputs.found, starting, _adopt)
_when((new,), Inputs.failed, failing, _fail)
_when((queued,), Inputs.admitted, creating, _launch)
_when((queued,), Inputs.failed, failing, _fail_unlaunched)
_when(LAUNCHING, Inputs.pull_began, pulling, _pull)
_when(LAUNCHING, Inputs.creation_began, creating, _create)
_when(LAUNCHING, Inputs.start_began, starting, _start)
_when(LAUNCHING, Inputs.launched, starting, _adopt)
_when(LAUNCHING, Inputs.failed, failing, _fail)
_when(LAUNCHING, Inputs.restart_requested, restarting, _abandon)
_when(LAUNCHING, Inputs.dismissed, deleting, _abandon)
_when((starting,), Inputs.answered, ready, _open)
_when((ready,), Inputs.failed, failing, _crash)
_when((ready,), Inputs.finished, stopping, _stop)
_when((ready,), Inputs.culled, stopping, _stop)
_when((ready,), Inputs.restart_requested, restarting, _close)
_when((ready,), Inputs.dismissed, deleting, _close)
_when((stopping, deleting, failing), Inputs.restart_requested, restarting, _show_stopping)
_when((stopping, restarting, failing), Inputs.dismissed, deleting, _show_stopping)
_when((stopping,), Inputs.removed, stopped, _show_stopped)
_when((restarting,), Inputs.removed, queued, _enqueue)
_when((deleting,), Inputs.removed, gone, _forget)
_when((failing,), Inputs.removed, failed, _nothing)
_when((queued,), Inputs.dismissed, gone, _leave_queue)
_when((new, *_ENDED), Inputs.dismissed, gone, _forget)

_INPUTS: tuple[Callable[..., None], ...] = (
    *(Inputs.requested, Inputs.found, Inputs.admitted, Inputs.pull_began),
    *(Inputs.creation_began, Inputs.start_began, Inputs.launched, Inputs.answered),
    *(Inputs.failed, Inputs.finished, Inputs.culled, Inputs.dismissed),
    *(Inputs.restart_requested, Inputs.removed),
)


def _ignore_the_rest() -> None:
    meant = {(arrow.state, arrow.happened) for arrow in TRANSITIONS}
    for state in STATES:
        for happened in _INPUTS:
            if (state.name, happened.__name__) not in meant:
                state.upon(happened).loop()(_ignore)


_ignore_the_rest()

life = _builder.build()
"""Makes a machine: ``life(actions)`` returns its `Inputs`."""
