"""Labels: all that is known of a session, on its container, and on what belongs to it.

They hold what it takes to find a session again and to serve it, also when its profile is gone;
never variables, secrets or keys.
"""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from giestack.settings.spawner_schema import Profile
from giestack.spawner.engine import Launch
from giestack.spawner.owner import Owner

PREFIX = "org.giestack."
INSTANCE = f"{PREFIX}instance"
SESSION = f"{PREFIX}session"
KIND = f"{PREFIX}kind"
PROFILE = f"{PREFIX}profile"
USER = f"{PREFIX}user"
_OWNER, _LAUNCH, _SERVE = f"{PREFIX}owner", f"{PREFIX}launch", f"{PREFIX}serve"

Kind = Literal["session", "slot", "secrets", "claim", "network"]
"""What a container, volume or network is: ``slot``: a container that is nobody's yet; ``claim``:
the empty volume that says whose a slot has become."""

_KINDS: Mapping[object, Kind] = {kind: kind for kind in get_args(Kind)}
_HOSTS: Mapping[str, Literal["galaxy", "openbis"]] = {"galaxy": "galaxy", "openbis": "openbis"}
_SCHEMES: Mapping[str, Literal["http", "https"]] = {"http": "http", "https": "https"}
_session_id = re.compile(r"[a-z0-9]{1,64}").fullmatch

# How a session is served hangs on how its container was made, whatever its profile says now.
_MADE = ("scheme", "port", "path", "strip_path", "headers")
_TIMES = ("idle_timeout", "max_lifetime", "stop_timeout")


@dataclass(frozen=True, slots=True)
class Names:
    """The names of what belongs to one giestack; `instance` is its own."""

    instance: str

    @property
    def network(self) -> str:
        """The network of all sessions."""
        return f"giestack-{self.instance}"

    @property
    def filter(self) -> str:
        """What to ask an engine for, as ``label=``: all that belongs to this giestack."""
        return f"{INSTANCE}={self.instance}"

    def container(self, session_id: str) -> str:
        """The container of a session or slot."""
        return f"giestack-{self.instance}-{session_id}"

    def secrets(self, session_id: str) -> str:
        """The volume with the secrets of a session or slot."""
        return self.container(session_id)

    def claim(self, session_id: str) -> str:
        """The empty volume whose labels say whose a slot has become."""
        return f"{self.container(session_id)}-claim"

    def labels(self, kind: Kind, session_id: str = "") -> dict[str, str]:
        """The labels that everything of ours has; see `labels_of` for those of sessions."""
        found = {INSTANCE: self.instance, KIND: kind}
        return found | {SESSION: session_id} if session_id else found

    def are_ours(self, labels: object) -> bool:
        """Whether something with these labels belongs to this giestack."""
        return isinstance(labels, Mapping) and labels.get(INSTANCE) == self.instance


def kind_of(names: Names, labels: object) -> Kind | None:
    """What something with these labels is; None where it is not ours, or not known."""
    if not isinstance(labels, Mapping) or not names.are_ours(labels):
        return None
    kind = labels.get(KIND)
    return _KINDS.get(kind) if isinstance(kind, str) else None


def session_of(names: Names, labels: object) -> str:
    """The id of the session or slot that something belongs to; "" where there is none of ours."""
    if not isinstance(labels, Mapping) or not names.are_ours(labels):
        return ""
    found = labels.get(SESSION)
    return found if isinstance(found, str) and _session_id(found) else ""


def session_of_container(names: Names, found: Mapping[str, Any]) -> str:
    """The id of the session or slot whose container this is; "" where it is none of ours.

    Labels alone don't say so: a container has those of its image as well, which may be anybody's,
    or a copy of a session. A name comes only from whoever has created it.

    :param found: as Docker's list shows it.
    """
    session_id = session_of(names, found.get("Labels"))
    named = f"/{names.container(session_id)}" in (found.get("Names") or ())
    return session_id if named else ""


def labels_of(names: Names, launch: Launch, kind: Kind = "session") -> dict[str, str]:
    """The labels from which `launch_of` makes the launch again.

    For a ``slot`` they are those of its profile alone: it has no owner.
    """
    profile = launch.profile
    found = names.labels(kind, launch.session_id) | {PROFILE: profile.name}
    if kind == "slot":
        return found
    owner = launch.owner
    return found | {
        USER: owner.key,
        _OWNER: _written(
            {
                "host": owner.host,
                "user_id": owner.user_id,
                "encoded_id": owner.encoded_id,
                "username": owner.username,
                "email": owner.email,
            }
        ),
        _LAUNCH: _written(
            {
                "name": launch.name,
                "options": dict(launch.options),
                "base_url": launch.base_url,
                "galaxy_url": launch.galaxy_url,
                "created": launch.created,
            }
        ),
        _SERVE: _written(_serve(profile)),
    }


def launch_of(names: Names, labels: object, profiles: Mapping[str, Profile] = {}) -> Launch | None:
    """The launch that labels of a session or claim tell of, without what labels never hold.

    Its profile is the present one of that name, served as its container was made; where there
    is none any more it is as much of it as serving takes.

    :param labels: whatever an engine says they are.
    :returns: None where that is no session of ours, or can't be read.
    """
    session_id = session_of(names, labels)
    if not session_id or kind_of(names, labels) not in ("session", "claim"):
        return None
    assert isinstance(labels, Mapping)
    try:
        return _launch(session_id, labels, profiles)
    except (_Unreadable, ValueError, RecursionError):
        return None


class _Unreadable(Exception):
    """A label does not hold what it should."""


def _launch(session_id: str, labels: Mapping[Any, Any], profiles: Mapping[str, Profile]) -> Launch:
    found = _Fields(labels.get(_LAUNCH))
    options = found.mapping("options")
    if not all(isinstance(value, str | int) for value in options.values()):
        raise _Unreadable
    return Launch(
        session_id=session_id,
        owner=_owner(_Fields(labels.get(_OWNER))),
        profile=_profile(labels.get(PROFILE), _Fields(labels.get(_SERVE)), profiles),
        name=found.text("name"),
        options=options,
        base_url=found.text("base_url"),
        galaxy_url=found.text("galaxy_url"),
        created=found.number("created"),
    )


def _owner(found: "_Fields") -> Owner:
    host = _HOSTS.get(found.text("host"))
    if host is None:
        raise _Unreadable
    return Owner(
        host,
        found.whole("user_id"),
        found.text("encoded_id"),
        found.text_or_none("username"),
        found.text("email"),
    )


def _serve(profile: Profile) -> dict[str, object]:
    return {
        "title": profile.title,
        "ca_file": None if profile.ca_file is None else str(profile.ca_file),
        **{key: getattr(profile, key) for key in _TIMES},
        **{key: getattr(profile, key) for key in _MADE if key != "headers"},
        "headers": dict(profile.headers),
    }


def _profile(name: object, found: "_Fields", profiles: Mapping[str, Profile]) -> Profile:
    scheme = _SCHEMES.get(found.text("scheme"))
    if not isinstance(name, str) or scheme is None:
        raise _Unreadable
    port, headers = found.whole("port"), found.mapping("headers")
    if not 0 <= port <= 65535 or not all(isinstance(value, str) for value in headers.values()):
        raise _Unreadable
    ca_file = found.text_or_none("ca_file")
    known = profiles.get(name) or Profile(
        name=name,
        title=found.text("title"),
        idle_timeout=found.number("idle_timeout"),
        max_lifetime=found.number("max_lifetime"),
        stop_timeout=found.number("stop_timeout"),
    )
    return replace(
        known,
        scheme=scheme,
        ca_file=None if ca_file is None else Path(ca_file),
        port=port,
        path=found.text("path"),
        strip_path=found.flag("strip_path"),
        headers=headers,
    )


def _written(found: Mapping[str, object]) -> str:
    # In ASCII, which holds every text, also one that is no UTF-8.
    return json.dumps(found, separators=(",", ":"))


class _Fields:
    """The values in a label, each of the kind that it must be."""

    def __init__(self, label: object) -> None:
        found = json.loads(label) if isinstance(label, str) else None
        if not isinstance(found, dict):
            raise _Unreadable
        self._found = found

    def text(self, key: str) -> str:
        found = self._found.get(key)
        if not isinstance(found, str):
            raise _Unreadable
        return found

    def text_or_none(self, key: str) -> str | None:
        return None if self._found.get(key) is None else self.text(key)

    def whole(self, key: str) -> int:
        found = self._found.get(key)
        if not isinstance(found, int) or isinstance(found, bool):
            raise _Unreadable
        return found

    def number(self, key: str) -> float:
        found = self._found.get(key)
        if not isinstance(found, int | float) or isinstance(found, bool):
            raise _Unreadable
        # Whole numbers in JSON may be larger than any float.
        if not abs(found) <= sys.float_info.max:
            raise _Unreadable
        return found

    def flag(self, key: str) -> bool:
        found = self._found.get(key)
        if not isinstance(found, bool):
            raise _Unreadable
        return found

    def mapping(self, key: str) -> dict[str, Any]:
        found = self._found.get(key)
        if not isinstance(found, dict):
            raise _Unreadable
        return found
