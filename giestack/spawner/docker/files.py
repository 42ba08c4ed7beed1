"""The files that a session finds below ``/run/secrets``, as an archive for its volume."""

import re
from collections.abc import Mapping

from giestack.docker.archive import File, packed
from giestack.spawner.engine import Launch

ENVIRONMENT = "giestack.env"
"""The file with the variables of a session that was started before it was known whose it is."""

_READABLE = 0o444
_shell_name = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch


def secret_files(launch: Launch, environment: Mapping[str, str] | None = None) -> bytes:
    """A tar of a file for each secret of the profile, readable by whomever the program runs as.

    :param environment: to be written, too, for a shell to read; None: no such file.
    """
    found = {
        name: File(secret.encode("utf-8", "surrogatepass"), _READABLE)
        for name, secret in launch.profile.secrets.items()
    }
    if environment is not None:
        found[ENVIRONMENT] = File(shell_lines(environment).encode(), _READABLE)
    return packed(found)


def shell_lines(environment: Mapping[str, str]) -> str:
    """``NAME='value'`` lines; names that no shell has are left out."""
    return "".join(
        f"{name}={_quoted(value)}\n" for name, value in environment.items() if _shell_name(name)
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\"'\"'") + "'"
