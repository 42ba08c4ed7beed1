"""What would keep local processes from starting, seen before anybody has clicked.

Looks at files and folders, so it belongs into a thread. Nothing is started or written.
"""

import os
import shutil
from pathlib import Path

from giestack.settings.spawner_schema import Profile
from giestack.spawner.templates import names_in


def path_of(profile: Profile, path_env: str) -> str:
    """The PATH of a profile's sessions: its own where ``env`` says one, else ``path_env``."""
    own = profile.env.get("PATH", "")
    return path_env if not own or names_in(own) else own


def troubles_of(profile: Profile, path_env: str) -> list[str]:
    """Return what is wrong with a profile's program, in words with the remedy; empty: nothing.

    :param path_env: where programs are looked for, as in PATH; `path_of` says what counts.

    The texts name no profile: the caller puts that, or the key ``command``, before them. What
    depends on who starts it is left alone: templates, and paths relative to their home.
    """
    program = profile.command[0] if profile.command else ""
    if not program:
        return ["there is no program: a local process needs one as the first word of command"]
    if names_in(program):
        return []
    if os.sep not in program:
        return _named(program, path_of(profile, path_env))
    return _at(program) if os.path.isabs(program) else []


def _named(program: str, path: str) -> list[str]:
    if shutil.which(program, path=path):
        return []
    return [f"there is no program {program} in PATH ({path}): install it, or write its whole path"]


def _at(program: str) -> list[str]:
    try:
        if os.path.isdir(program):
            return [f"{program} is a folder and no program"]
        # Unlike exists(), it tells a file that is missing from one that can't be reached.
        os.stat(program)
    except FileNotFoundError:
        return [f"there is no program {program}: install it, or mend the path"]
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "its name is no path"
        return [f"the program {program} can't be reached: {why}"]
    if not os.access(program, os.X_OK):
        return [f"the program {program} is not executable: chmod +x, or mend the path"]
    return []


def folder_troubles(folder: Path) -> list[str]:
    """Return why a folder can't be written to, or made, in words; empty: it can."""
    nearest = folder
    try:
        while not nearest.exists() and nearest != nearest.parent:
            nearest = nearest.parent
        if not nearest.is_dir():
            return [f"{nearest} is no folder: move it away, or name another one"]
    except OSError as error:
        return [f"{nearest} can't be reached: {error.strerror}"]
    if os.access(nearest, os.W_OK | os.X_OK):
        return []
    below = "" if nearest == folder else f", so {folder} can't be made"
    return [
        f"{nearest} is not writable for the user who asks{below}: it must belong to the user that "
        "giestack runs as"
    ]
