"""Checks of the configuration by itself."""

import os
import pwd
import stat
from collections.abc import Iterator, Sequence

from giestack.doctor.check import Check, Finding, fail, ok, warn
from giestack.doctor.deployment import Deployment, password_in, place_of
from giestack.settings.document import Node, lookup
from giestack.settings.places import is_loopback
from giestack.settings.problems import Problem

GROUP = "configuration"
_MEND = "mend it in the configuration, and ask again"

# Keys whose values are secrets, where they stand in giestack's own file as they are.
_SECRETS = (
    "secret",
    "galaxy.id_secret",
    "galaxy.database_connection",
    "proxy.go_api.api_key",
    "proxy.hub_api.token",
    "admin.token",
)
# What other checks say, with more words.
_SAID_ELSEWHERE = ("proxy.interactivetools_auth", "galaxy.id_secret")
_SAME_PORT = "would start another proxy on the same port"


def unreadable(problems: Sequence[Problem]) -> Check:
    """The one check of a configuration that can't be used."""

    def look() -> Iterator[Finding]:
        for problem in problems:
            yield fail(str(problem), _MEND)

    return Check("config.parses", GROUP, "the configuration", look)


def checks(deployment: Deployment) -> Sequence[Check]:
    """All checks of this group."""
    look = _Configuration(deployment)
    return (
        Check("config.parses", GROUP, "the configuration", look.parses),
        Check("config.warnings", GROUP, "what is said when it is read", look.warnings),
        Check("config.permissions", GROUP, "who can read the configuration", look.permissions),
        Check("config.user", GROUP, "the user of the service", look.user),
        Check("config.auth", GROUP, "who is let into interactive tools", look.auth),
        Check("config.admin", GROUP, "the admin listener", look.admin),
    )


class _Configuration:
    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._settings = deployment.settings

    def parses(self) -> Iterator[Finding]:
        what = self._deployment.config or "what the command line says"
        yield ok(f"{what} can be used")

    def warnings(self) -> Iterator[Finding]:
        for problem in self._deployment.warnings:
            if problem.path not in _SAID_ELSEWHERE and _SAME_PORT not in problem.text:
                yield warn(str(problem), _MEND)

    def permissions(self) -> Iterator[Finding]:
        path = self._deployment.config
        if path is None:
            return
        mode = stat.S_IMODE(path.stat().st_mode)
        secrets = [key for key in _SECRETS if _is_plain(lookup(self._deployment.own, key))]
        if mode & stat.S_IWOTH:
            yield fail(f"everybody on this machine can write to {path}", f"chmod o-w {path}")
        if secrets and mode & stat.S_IROTH:
            yield fail(
                f"{path} holds {', '.join(secrets)}, and everybody on this machine can read it",
                f"chmod o-rwx {path}, or keep the secret in a file of its own (file:PATH)",
            )
        elif not mode & stat.S_IWOTH:
            yield ok(f"{path} has mode {mode:04o}")

    def user(self) -> Iterator[Finding]:
        folder = self._settings.data_dir
        try:
            owner = folder.stat().st_uid
        except FileNotFoundError:
            yield ok(f"{folder} is not there yet: giestack makes it when it starts")
            return
        if owner == os.geteuid():
            yield ok(f"this is the user that {folder} belongs to")
        else:
            yield warn(
                f"{folder} belongs to user {_user(owner)}, and this is {_user(os.geteuid())}: what "
                "this one may see tells little about the service",
                f"ask as the service's user: sudo -u {_user(owner)} giestack doctor …",
            )

    def auth(self) -> Iterator[Finding]:
        proxy = self._settings.proxy
        if not proxy.session_maps:
            return
        if proxy.interactivetools_auth == "owner":
            yield ok("interactive tools are for their owners")
        else:
            yield warn(
                "interactive tools are open to whoever knows their URL (interactivetools_auth: "
                "token), as with gx-it-proxy",
                "name Galaxy's file as galaxy.config_file, and remove "
                "proxy.interactivetools_auth: token",
            )

    def admin(self) -> Iterator[Finding]:
        admin = self._settings.admin
        for endpoint in admin.listen:
            place = place_of(endpoint)
            if place is not None and not (place.path or is_loopback(place.host) or place.tls):
                yield warn(
                    f"admin.listen {endpoint} can be reached from other machines in the clear",
                    "let it listen on interface=127.0.0.1, or with TLS (ssl:)",
                )
        if not admin.listen:
            yield ok("there is no admin listener")
        elif admin.token is None:
            yield ok("admin.token is not set: the control API is off")
        elif len(admin.token) < 16:
            yield warn(
                f"admin.token has {len(admin.token)} characters, and can be guessed",
                "make one with: openssl rand -hex 32",
            )
        else:
            yield ok("admin.token is set: the control API is on")


def _is_plain(node: Node) -> bool:
    """Whether a secret stands there itself, and not where to find it."""
    if node.empty or not isinstance(node.value, str):
        return False
    text = node.value
    if text.startswith("file:") or "${" in text:
        return False
    # Of a database's URL only the password is a secret.
    return "://" not in text or password_in(text) is not None


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
