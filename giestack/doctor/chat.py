"""Checks of the chat."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import text

from giestack.database import BadDatabaseURL, DatabaseUnavailable, ask, open_engine
from giestack.doctor.check import Check, Finding, fail, ok, warn
from giestack.doctor.deployment import Deployment
from giestack.settings.databases import sqlite_path

GROUP = "chat"


def checks(deployment: Deployment) -> Sequence[Check]:
    """All checks of this group; none without a chat."""
    chat = deployment.settings.chat
    if chat is None:
        return ()

    def database() -> Iterator[Finding]:
        path = sqlite_path(chat.database)
        yield _file(Path(path)) if path is not None else _server(chat.database)

    def moderators() -> Iterator[Finding]:
        if chat.moderators or deployment.settings.galaxy.admin_users:
            yield ok("there are people who keep order")
        else:
            yield warn(
                "nobody can mute or ban: there are neither moderators nor Galaxy administrators",
                "set chat.moderators to a list of e-mail addresses",
            )

    return (
        Check("chat.database", GROUP, "the chat's database", database),
        Check("chat.moderators", GROUP, "who keeps order", moderators),
    )


def _file(path: Path) -> Finding:
    if not path.exists():
        if path.parent.exists() and not os.access(path.parent, os.W_OK):
            return fail(
                f"{path} can't be made: this user may not write to its folder",
                "let the service's user write there, or set chat.database",
            )
        return ok(f"{path} is not there yet: giestack makes it when it starts")
    if not os.access(path, os.R_OK | os.W_OK):
        return fail(
            f"this user may not read and write {path}", "let it belong to the service's user"
        )
    return _server(f"sqlite:///{path}", str(path))


def _server(url: str, name: str = "the chat's database") -> Finding:
    try:
        engine = open_engine(url)
    except BadDatabaseURL as error:
        return fail(f"{name}: {error}", "mend chat.database")
    try:
        ask(engine, lambda connection: connection.execute(text("SELECT 1")).scalar())
        if url.startswith("sqlite"):
            ask(engine, lambda one: one.execute(text("PRAGMA schema_version")).scalar())
    except DatabaseUnavailable as error:
        return fail(f"{name}: {error}", "see that it runs and that chat.database is right")
    finally:
        engine.dispose()
    return ok(f"{name} can be opened")
