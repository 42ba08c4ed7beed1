"""What sessions print, and what they use."""

from collections.abc import Callable, Sequence

from giestack.docker.docker import Docker
from giestack.docker.errors import Conflict, NotFound
from giestack.spawner.docker.following import Follower
from giestack.spawner.docker.making import Making
from giestack.spawner.docker.sessions import Session, Sessions
from giestack.spawner.docker.usage import stats_of
from giestack.spawner.docker.words import in_words
from giestack.spawner.engine import Launch, Stats
from giestack.spawner.process.environment import secret_values
from giestack.spawner.process.output import cleaned, hiding


class Reading:
    """Reads it from one engine; secrets that are known are taken out of what is printed."""

    def __init__(self, name: str, docker: Docker, making: Making, sessions: Sessions) -> None:
        """``name`` is that of the engine."""
        self._name = name
        self._containers = docker.containers
        self._making = making
        self._sessions = sessions

    async def logs(self, session_id: str, tail: int) -> Sequence[str]:
        """As `giestack.spawner.engine.Engine` says."""
        session, container = self._known(session_id)
        if session is None or not container or tail <= 0:
            return []
        with in_words(self._name, "to tell what was printed"):
            try:
                lines = await self._containers.logs(container, tail)
            except (Conflict, NotFound):
                # It is gone, or being removed.
                return []
        hide = _hiding(session.launch)
        return [cleaned(line, hide) for line in lines]

    def follow(
        self, session_id: str, tail: int, line: Callable[[str], None], end: Callable[[], None]
    ) -> Callable[[], None]:
        """As `giestack.spawner.engine.Engine` says; also of one that has no container yet."""
        session, container = self._known(session_id)
        if session is None or not (container or session.starting is not None):
            end()
            return _nothing
        follower = Follower(tail, line, end, _hiding(session.launch))
        session.followers = [one for one in session.followers if not one.is_over]
        session.followers.append(follower)
        if session.starting is None:
            follower.attach(self._containers, container)
        return follower.leave

    def attach(self, session: Session) -> None:
        """Its start is over: whoever waits for its lines hears them, or that there are none."""
        container = self._making.containers.get(session.launch.session_id)
        known = self._sessions.known.get(session.launch.session_id)
        for follower in list(session.followers):
            if container is None or session.stopping or known is not session:
                follower.end()
            else:
                follower.attach(self._containers, container)

    async def stats(self, session_id: str) -> Stats | None:
        """As `giestack.spawner.engine.Engine` says.

        Memory is without the files that are kept only while there is room for them.
        """
        session, container = self._known(session_id)
        if session is None or session.address is None:
            return None
        with in_words(self._name, "to tell what it uses"):
            try:
                answer = await self._containers.stats(container)
            except NotFound:
                return None
        found, session.sample = stats_of(answer, session.sample)
        return found

    def _known(self, session_id: str) -> tuple[Session | None, str]:
        """A session and the id of its container, "" where it has none."""
        container = self._making.containers.get(session_id, "")
        return self._sessions.known.get(session_id), container


def _hiding(launch: Launch) -> Callable[[str], str]:
    return hiding([*secret_values(launch), launch.api_key])


def _nothing() -> None:
    """There is nothing to stop."""
