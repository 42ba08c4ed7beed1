"""What the pages and the API ask of the spawner. Who may ask for what is decided before."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from twisted.internet.defer import Deferred

from giestack.settings.spawner_schema import Profile
from giestack.spawner.engine import Circumstances, Stats
from giestack.spawner.view import Moment, SessionView
from giestack.visitor import Identity, Operator

NOWHERE = Circumstances()


class Spawning(Protocol):
    """The sessions of all users; `giestack.spawner.spawner.Spawner` is one."""

    def profiles(self, visitor: Identity) -> Sequence[Profile]:
        """What a visitor may start, in the configured order."""

    def note(self, profile: Profile) -> str:
        """What people should know before they start it, as `SessionView.note`; "" for nothing."""

    def closed(self, profile: Profile) -> str:
        """Why no session of a profile can be started just now, for people; "" if one can."""

    def request(
        self,
        visitor: Identity,
        profile: str,
        name: str | None,
        options: Mapping[str, object],
        *,
        circumstances: Circumstances = NOWHERE,
    ) -> tuple[SessionView, bool]:
        """Ask for a session, or join the visitor's own of that profile and name.

        One that has stopped or failed is started again. Returns the session, and whether it is
        new. Raises `giestack.spawner.view.SpawnRefused`.
        """

    @property
    def knows_all(self) -> bool:
        """Whether a session that is not known is not there: else it may be found yet."""

    def view(self, session_id: str) -> SessionView | None:
        """One session; None where there is none of that id."""

    def views(self, visitor: Identity | None = None) -> Sequence[SessionView]:
        """The sessions of a visitor, or of everybody; the newest first."""

    def stop(self, session_id: str, by: Identity | Operator) -> None:
        """Stop a session and forget it: it is ``stopping`` now and gone soon.

        One that has ended is gone at once; one that is not there is no failure.
        """

    def restart(self, session_id: str, by: Identity) -> None:
        """Stop a session, if it runs, and start it again with the same options.

        Raises `SpawnRefused` where it may not be started any more.
        """

    def subscribe(
        self, session_id: str, changed: Callable[[Moment], None], end: Callable[[], None]
    ) -> Callable[[], None]:
        """Call ``changed`` now, and whenever a session's moment changes.

        ``end`` is called when there is nothing more to come: the session is gone, or giestack
        ends. Returns what to call to hear no more; neither is called after that.
        """

    def logs(self, session_id: str, tail: int) -> Deferred[Sequence[str]]:
        """The last lines a session printed; of one that failed what was kept of them."""

    def follow(
        self, session_id: str, tail: int, line: Callable[[str], None], end: Callable[[], None]
    ) -> Callable[[], None]:
        """As `giestack.spawner.engine.Engine.follow`."""

    def stats(self, session_ids: Sequence[str]) -> Deferred[Mapping[str, Stats]]:
        """What ready sessions use now, at most some seconds old; those not known are left out.

        Takes some hundredths of a second at most, and never fails.
        """
