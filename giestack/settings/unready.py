"""Parts of the contract that this version does not have yet: asked for, they are refused.

Shrink the table when a part arrives; nothing else has to change.
"""

from giestack.settings.problems import Report
from giestack.settings.schema import Settings

NOT_YET = {
    "openbis": "no openBIS yet; remove the section",
    "spawner": "no spawner yet; remove the section",
    "chat": "no chat yet; remove the section",
    "proxy.interactivetools_domains": "no interactive tools by domain yet; remove the key",
    "proxy.forward": "no double proxy yet; remove the section",
    "proxy.go_api": "no Go gxproxy API yet; remove the section",
    "proxy.hub_api": "no configurable-http-proxy API yet; remove the section",
    "galaxy.touch_last_action": "no writing of last_action yet; remove the key",
}
"""Keys that must have their default."""

NO_MAPS_YET = {
    "postgresql": "no PostgreSQL session maps yet",
    "json": "no JSON session maps yet",
    "xml": "no XML session maps yet",
    "cookie": "no cookie-routed environments (GIE) yet",
}
"""Session maps by what they are; ``cookie`` is Galaxy's dynamic_proxy_session_map."""


def missing_part(path: str) -> str | None:
    """What this version lacks for a key, in words; None: nothing."""
    return next(
        (text for key, text in NOT_YET.items() if path == key or path.startswith(f"{key}.")), None
    )


def missing_map(kind: str) -> str | None:
    """What this version lacks for a kind of session map, in words; None: nothing."""
    return NO_MAPS_YET.get(kind)


def refuse_unready(settings: Settings, given: Settings, report: Report) -> None:
    """Note a problem for everything that was asked for and is not there yet.

    `given` is the configuration as it is written, `settings` with what follows from it.
    """
    default = Settings()
    for path, text in NOT_YET.items():
        if _value(given, path) != _value(default, path):
            report.problem(path, f"this version of giestack has {text}")
    for number, source in enumerate(settings.proxy.session_maps):
        part = missing_map(source.kind)
        if part is not None:
            path = f"proxy.session_maps[{number}]"
            report.problem(path, f"this version of giestack has {part}")


def _value(settings: object, path: str) -> object:
    for name in path.split("."):
        settings = getattr(settings, name)
    return settings
