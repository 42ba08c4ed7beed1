"""What the doctor looks at: the configuration and what is around it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_urlsafe
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from giestack import probe
from giestack.doctor.asking import Place
from giestack.settings.document import Node
from giestack.settings.endpoints import parse
from giestack.settings.galaxy_defaults import private_id_secret
from giestack.settings.galaxy_file import GalaxyFile
from giestack.settings.places import HttpUrl
from giestack.settings.problems import Problem
from giestack.settings.schema import Settings

_ANY = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One giestack and its surroundings.

    :ivar settings: what is configured, with all that follows from it.
    :ivar warnings: what was said when it was read.
    :ivar config: giestack's own file; None: there is none, the command line says all.
    :ivar own: what that file says by itself.
    :ivar galaxy: Galaxy's file as it stands; None: none is named.
    :ivar front: where visitors come in; None: not told.
    :ivar cookie: somebody's session cookie, to compare with; None: not told.
    :ivar explain: every check of a cookie in words, the verdict last; see
        `giestack.identity.explain`.
    :ivar now: the wall clock, in seconds since the epoch.
    """

    settings: Settings
    warnings: tuple[Problem, ...] = ()
    config: Path | None = None
    own: Node = field(repr=False)
    galaxy: GalaxyFile | None = field(default=None, repr=False)
    front: HttpUrl | None = None
    cookie: str | None = field(default=None, repr=False)
    explain: Callable[[str], Sequence[str]] | None = None
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    now: Callable[[], float] = lambda: datetime.now(UTC).timestamp()

    @property
    def key(self) -> bytes | None:
        """What passes are signed with; None without a secret that giestack alone knows, too."""
        secret = self.settings.secret or private_id_secret(self.settings.galaxy.id_secret)
        return None if secret is None else probe.key_of(secret)

    def pass_header(self) -> dict[str, str]:
        """A field that lets a running giestack say how a request arrives."""
        assert self.key is not None
        return {probe.HEADER.decode(): probe.signed(self.key, self.now(), token_urlsafe(18))}

    def secrets(self) -> list[str | None]:
        """Every text that must not be shown."""
        settings = self.settings
        proxy, spawner = settings.proxy, settings.spawner
        found = [
            settings.secret,
            settings.galaxy.id_secret,
            settings.admin.token,
            proxy.go_api.api_key,
            proxy.hub_api.token,
            self.cookie,
        ]
        urls = [settings.galaxy.database_connection, *(one.url for one in proxy.session_maps)]
        if settings.chat is not None:
            urls.append(settings.chat.database)
        found += [password_in(url) for url in urls]
        for profile in spawner.profiles if spawner else ():
            found += profile.secrets.values()
        return found


def password_in(url: str | None) -> str | None:
    """The password in a database's URL; None: there is none."""
    try:
        return None if url is None else make_url(url).password
    except (ArgumentError, ValueError):
        return None


def place_of(endpoint: str) -> Place | None:
    """Where a listener can be reached from this machine; None for one that systemd has made."""
    description = parse(endpoint)
    values = description.values
    if description.kind == "systemd":
        return None
    if description.kind == "unix":
        return Place(path=values["address"])
    interface = values.get("interface", "")
    host = _ANY.get(interface, interface)
    return Place(host, int(values["port"]), tls=description.kind in ("ssl", "tls"))


def place_of_url(url: str) -> Place:
    """Where an http or https URL leads to."""
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    return Place(parts.hostname or "", parts.port or (443 if tls else 80), tls=tls)


def option(deployment: Deployment, name: str) -> str | None:
    """An option of Galaxy's file as text; None where it is not set."""
    if deployment.galaxy is None:
        return None
    node = deployment.galaxy.options.get(name)
    return None if node is None or node.empty else str(node.value).strip()


def is_on(text: str | None) -> bool:
    """Whether Galaxy takes an option's text for true."""
    return text is not None and text.lower() in ("true", "yes", "on", "1", "t", "y")
