"""What is said to people about their sessions."""

from collections.abc import Mapping

from giestack.settings.spawner_schema import Profile
from giestack.spawner.admission import Lack, Waiting
from giestack.spawner.engine import Ended
from giestack.spawner.view import State

_UNTIL: Mapping[Lack, str] = {
    "memory": "memory is free on the engine",
    "gpus": "a GPU is free",
    "engine": "the engine can be reached again",
}
INTERNAL = "Something went wrong inside giestack. It is noted in its log."


def on_one_line(text: str) -> str:
    """A text from elsewhere without line ends, escape codes and what else has no picture."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def message_of(
    state: State, title: str, probing: bool, waiting: Waiting | None, reason: str
) -> str:
    """A sentence about the state of a session with this title."""
    if state == "queued":
        return _waiting(title, waiting)
    if state == "starting":
        return f"Waiting for {title} to answer" if probing else f"Starting {title}"
    return {
        "pulling": f"Fetching the image of {title}",
        "creating": f"Preparing {title}",
        "ready": f"{title} is ready",
        "stopping": f"Stopping {title}",
        "stopped": reason or f"{title} was stopped",
        "failed": reason or f"{title} failed",
    }[state]


def _waiting(title: str, waiting: Waiting | None) -> str:
    if waiting is None:
        return f"{title} is about to start"
    if waiting.own_limit:
        return (
            f"{title} waits until another session of yours ends: you have as many as you may have "
            "at a time. Stop one to start this one now"
        )
    until = _UNTIL.get(waiting.lack)
    if waiting.place == 1:
        if until:
            return f"{title} waits until {until}"
        return f"{title} is next: it starts as soon as there is room"
    number = f"{title} is number {waiting.place} in the queue"
    return f"{number} and waits until {until}" if until else number


def shut_down(profile: Profile) -> str:
    """Why a session stopped whose program ended as if told to."""
    return f"{profile.title} was shut down from inside."


def stopped_by_itself(profile: Profile, end: Ended) -> str:
    """Why a session failed whose program ended."""
    return f"{profile.title} stopped unexpectedly: {end.reason}."


def never_started(profile: Profile, seconds: float) -> str:
    """Why a session failed that its engine did not start."""
    return f"{profile.title} was not started within {_span(seconds)}."


def idle(profile: Profile) -> str:
    """Why an idle session was stopped."""
    span = _span(profile.idle_timeout)
    return f"{profile.title} was stopped because it had not been used for {span}."


def lived_long(profile: Profile) -> str:
    """Why an old session was stopped."""
    span = _span(profile.max_lifetime)
    return f"{profile.title} was stopped because it had run for {span}, which is as long as it may."


def _span(seconds: float) -> str:
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = round(seconds / length, 1)
            return f"{count:g} {unit}{'' if count == 1 else 's'}"
    return f"{seconds:g} second{'' if seconds == 1 else 's'}"
