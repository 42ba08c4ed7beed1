"""The schema of the store has a version; what is older is brought up to date, in steps."""

import secrets
from collections.abc import Callable, Sequence

from sqlalchemy import Connection, insert, inspect, select, update

from giestack.chat.store.engines import Engines, back_up, make_file
from giestack.chat.store.tables import meta, metadata
from giestack.database import DatabaseUnavailable, ask

Step = Callable[[Connection], None]

STEPS: Sequence[Step] = ()
"""What leads from version 1 to 2, from 2 to 3, and so on. A new database needs none of them: it
is made as `giestack.chat.store.tables` has it."""

_LOCK = 0x67696563686174  # "giechat"


class SchemaTooNew(DatabaseUnavailable):
    """A newer giestack has used this database; this one would harm it."""


def upgrade(engines: Engines, steps: Sequence[Step] = STEPS) -> str:
    """Make the schema or bring it up to date, in one transaction; return the log's epoch.

    A SQLite file that has something in it is copied before to ``FILE.vN.bak``, N being its
    version. Of several nodes that start at a time one does it, and the others wait for it. This
    may take a while: it is not for the reactor's thread.

    :raises SchemaTooNew: where there are no steps back.
    :raises DatabaseUnavailable: where it did not work; then nothing has changed.
    """

    def work(connection: Connection) -> str:
        if engines.path is None:
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        if inspect(connection).has_table(meta.name):
            epoch = _upgraded(connection, engines, steps)
        else:
            epoch = _made(connection, engines, 1 + len(steps))
        connection.commit()
        return epoch

    try:
        if engines.path is not None:
            make_file(engines.path)
    except OSError as error:
        raise DatabaseUnavailable(f"{engines.path}: {error.strerror}") from None
    return ask(engines.write, work)


def _made(connection: Connection, engines: Engines, version: int) -> str:
    metadata.create_all(connection)
    engines.words.make(connection)
    known = {"version": str(version), "epoch": secrets.token_urlsafe(12)}
    connection.execute(insert(meta), [{"name": k, "value": v} for k, v in known.items()])
    return known["epoch"]


def _upgraded(connection: Connection, engines: Engines, steps: Sequence[Step]) -> str:
    known = {row.name: row.value for row in connection.execute(select(meta))}
    version, newest = int(known["version"]), 1 + len(steps)
    if version > newest:
        raise SchemaTooNew(
            f"the chat's database has version {version} of its tables, and this giestack"
            f" knows {newest}: use a newer one, or go back to the copy from before"
        )
    if version < newest:
        if engines.path is not None:
            back_up(engines.path, engines.path.with_name(f"{engines.path.name}.v{version}.bak"))
        for step in steps[version - 1 :]:
            step(connection)
        changed = update(meta).where(meta.c.name == "version")
        connection.execute(changed.values(value=str(newest)))
    return str(known["epoch"])
