"""The environment of a session: what a program needs, and nothing of giestack's own."""

import os
from collections.abc import Mapping
from pathlib import Path

from giestack.spawner.engine import Launch
from giestack.spawner.process.family import VARIABLE
from giestack.spawner.templates import fill, secrets_of

SESSION_VARIABLE = "GIESTACK_SESSION"
"""The environment variable that says of which session a process is."""

SECRETS_VARIABLE = "GIESTACK_SECRETS"
"""The environment variable that names the folder with the profile's secrets."""

# The interpreter may not start without the last one.
_KEPT = ("LANG", "SHELL", "TZ", "USER", "LOGNAME", "LD_LIBRARY_PATH")
_FIRST = {"LANG": "C.UTF-8", "SHELL": "/bin/sh"}


def search_path(environ: Mapping[str, str], python: Path) -> str:
    """Where programs are looked for: first beside the interpreter, then where giestack looks."""
    return os.pathsep.join((str(python.parent), environ.get("PATH", os.defpath)))


def session_environment(
    environ: Mapping[str, str], python: Path, user: str, home: Path, run: Path
) -> dict[str, str]:
    """Return what every session gets; ``user`` where ``environ`` does not tell."""
    found = {**_FIRST, "USER": user, "LOGNAME": user}
    found |= {name: environ[name] for name in _KEPT if name in environ}
    found |= {name: value for name, value in environ.items() if name.startswith("LC_")}
    return found | {
        "PATH": search_path(environ, python),
        "HOME": str(home),
        "TMPDIR": str(run / "tmp"),
        "JUPYTER_RUNTIME_DIR": str(run / "jupyter"),
        "XDG_RUNTIME_DIR": str(run / "xdg"),
    }


def launch_environment(
    launch: Launch, values: Mapping[str, str], family: str, run: Path
) -> dict[str, str]:
    """Return what a launch adds; the marks by which its processes are found stand last."""
    known = {**values, **secrets_of(launch)}
    found = {name: fill(value, known) for name, value in launch.profile.env.items()}
    found |= launch.env
    if launch.profile.secrets:
        found[SECRETS_VARIABLE] = str(run / "secrets")
    return found | {VARIABLE: family, SESSION_VARIABLE: session_mark(family, launch.session_id)}


def session_mark(family: str, session_id: str) -> str:
    """The value of `SESSION_VARIABLE`."""
    return f"{family}/{session_id}"


def secret_values(launch: Launch) -> list[str]:
    """What must not be seen in what a session prints."""
    telling = ("KEY", "TOKEN", "SECRET", "PASSWORD")
    found = {
        value
        for name, value in {**launch.profile.env, **launch.env}.items()
        if len(value) >= 8 and any(word in name.upper() for word in telling)
    }
    return [*launch.profile.secrets.values(), *found]
