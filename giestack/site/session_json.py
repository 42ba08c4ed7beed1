"""Sessions and profiles as the JSON API shows them."""

from datetime import datetime

from giestack.settings.spawner_schema import Profile
from giestack.spawner.engine import Stats
from giestack.spawner.options import Option, options_of
from giestack.spawner.view import Moment, SessionView


def described_session(
    view: SessionView, collection: str, stats: Stats | None = None, *, email: bool = False
) -> dict[str, object]:
    """Describe a session; ``collection`` is the path of all sessions.

    ``email``: whether the owner's address is told.
    """
    owner: dict[str, object] = {"id": view.owner.encoded_id, "username": view.owner.username}
    if email:
        owner["email"] = view.owner.email
    return {
        "id": view.id,
        "profile": view.profile.name,
        "title": view.profile.title or view.profile.name,
        "name": view.name,
        **_moment(view.moment),
        "options": dict(view.options),
        "url": view.path,
        "events": f"{collection}/{view.id}/events",
        "owner": owner,
        "engine": view.engine,
        "note": view.note,
        "created": _time(view.created),
        "ready_since": _time(view.ready_since),
        "last_used": _time(view.last_used),
        "idle_end": _time(view.idle_end),
        "end": _time(view.end),
        "ending": view.ending,
        "memory": None if stats is None else stats.memory,
        "cpu": None if stats is None else _rounded(stats.cpu, 3),
    }


def described_moment(moment: Moment, path: str) -> dict[str, object]:
    """Describe a moment for the event stream; ``path`` is where the session is entered."""
    told = _moment(moment)
    if moment.state == "ready":
        told["url"] = path
    return told


def described_profile(profile: Profile, note: str, closed: str = "") -> dict[str, object]:
    """Describe a profile, with a form's fields for its options.

    ``note`` is as in `SessionView`, ``closed`` says why it can't be started just now, or "".
    """
    return {
        "name": profile.name,
        "title": profile.title or profile.name,
        "description": profile.description,
        "note": note,
        "closed": closed,
        "options": [_option(option) for option in options_of(profile.options)],
    }


def _option(option: Option) -> dict[str, object]:
    told: dict[str, object] = {
        "name": option.name,
        "title": option.title,
        "description": option.description,
        "type": option.kind,
        "default": option.default,
    }
    if option.kind == "choice":
        told["choices"] = [
            {"value": value, "title": title} for value, title in option.choices.items()
        ]
    if option.kind == "integer":
        told["low"], told["high"] = option.low, option.high
    return told


def _moment(moment: Moment) -> dict[str, object]:
    told: dict[str, object] = {
        "state": moment.state,
        "step": moment.step,
        "percent": _rounded(moment.percent, 1),
        "message": moment.message,
        "eta": _rounded(moment.eta, 1),
        "place": moment.place,
    }
    if moment.reason:
        told["reason"] = moment.reason
    if moment.state == "failed":
        told["log"] = list(moment.log)
    return told


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _time(when: datetime | None) -> str | None:
    return None if when is None else when.isoformat(timespec="seconds")
