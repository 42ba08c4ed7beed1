"""What stands between a launch and a running program: folders, environment, the command line.

Everything here waits for the disk and belongs into a thread.
"""

import os
import pwd
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from giestack.address import Address
from giestack.settings.spawner_schema import Profile
from giestack.spawner.engine import EngineError, Launch
from giestack.spawner.process.environment import (
    launch_environment,
    search_path,
    session_environment,
)
from giestack.spawner.process.folders import Folders
from giestack.spawner.process.limits import reaper_options, tasks_of_user
from giestack.spawner.process.ports import LOOPBACK
from giestack.spawner.process.program_check import troubles_of
from giestack.spawner.templates import fill, values_of

# unix(7)
_LONGEST_SOCKET = 107


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that is needed to start a program.

    :ivar options: for `giestack.spawner.process.reaper`.
    """

    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    options: Sequence[str]
    address: Address


def uses_socket(profile: Profile) -> bool:
    """Whether the program is told to listen on a UNIX socket."""
    return any("{socket}" in text for text in (*profile.command, *profile.env.values()))


class Preparing:
    """Gets launches ready: ``family`` is the mark of all processes of this engine."""

    def __init__(
        self, folders: Folders, environ: Mapping[str, str], python: Path, family: str
    ) -> None:
        self._folders = folders
        self._environ = environ
        self._python = python
        self._family = family

    def prepare(self, launch: Launch, port: int | None) -> Prepared:
        """Make the folders of a session; ``port`` is None for a socket. Raises `EngineError`."""
        profile = launch.profile
        for trouble in self._troubles(profile):
            raise EngineError(trouble)
        # Before there is anything to clean up.
        options = reaper_options(profile, tasks_of_user(os.geteuid()) if profile.pids else 0)
        home = self._folders.home(launch.owner.key)
        run = self._folders.make(launch.session_id, profile.secrets)
        socket = "" if port is not None else str(run / "socket")
        if len(os.fsencode(socket)) > _LONGEST_SOCKET:
            raise EngineError(
                f"The path {socket} is too long for a socket: give giestack a shorter data_dir."
            )
        values = values_of(launch, port=port, socket=socket)
        environment = session_environment(self._environ, self._python, _user(), home, run)
        environment |= launch_environment(launch, values, self._family, run)
        command = [fill(part, values) for part in profile.command]
        _check(command, environment)
        if port is None:
            address = Address(path=socket)
        else:
            ca_file = None if profile.ca_file is None else str(profile.ca_file)
            address = Address(
                LOOPBACK,
                port,
                tls=profile.scheme == "https",
                ca_file=ca_file,
                session=launch.session_id,
            )
        return Prepared(
            command, environment, [f"--folder={home}", f"--remove={run}", *options], address
        )

    def troubles(self, profiles: Sequence[Profile]) -> list[str]:
        """What would keep these profiles from starting, in words with the remedy."""
        found = [trouble for profile in profiles for trouble in self._troubles(profile)]
        return [*self._folders.troubles(), *found]

    def _troubles(self, profile: Profile) -> list[str]:
        path = search_path(self._environ, self._python)
        return [
            f"The profile “{profile.name}” cannot be started: {trouble}."
            for trouble in troubles_of(profile, path)
        ]


def _check(command: Sequence[str], environment: Mapping[str, str]) -> None:
    for name in environment:
        if not name or "=" in name:
            raise EngineError(f"“{name}” cannot be the name of an environment variable.")
    for text in (*command, *environment, *environment.values()):
        try:
            zero = b"\0" in os.fsencode(text)
        except UnicodeEncodeError:
            zero = True
        if zero:
            raise EngineError("The command or its environment has characters that none can have.")


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
