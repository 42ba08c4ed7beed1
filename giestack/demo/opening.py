"""Opens the demo: its folder, its host and its session map, as the last run has left them."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from giestack.demo.folder import DemoError, DemoFolder
from giestack.demo.host import HostDatabase
from giestack.demo.session_map import SessionMap
from giestack.identity.cookie import BadSecret, CookieCodec
from giestack.spawner.process.family import sweep


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo stands on.

    :ivar codec: for the reactor's thread alone.
    """

    folder: DemoFolder
    codec: CookieCodec = field(repr=False)
    host: HostDatabase
    session_map: SessionMap


def open_demo(path: Path, utcnow: Callable[[], datetime]) -> Demo:
    """Open the demo in a folder, made where it is missing; raise `DemoError`.

    Waits for the disk: for use before the reactor runs. Ends what a killed demo has left
    there, so that no route leads to a port that may be somebody else's by now. ``utcnow`` is
    the wall clock, naive UTC.
    """
    folder = DemoFolder(path)
    try:
        codec = CookieCodec(folder.id_secret())
        host = HostDatabase(folder.database, utcnow)
        session_map = SessionMap(folder.session_map)
        session_map.clear()
        host.end_tools()
        sweep(folder.family)
    except BadSecret as error:
        folder.close()
        raise DemoError(f"{folder.id_secret_file} is damaged: {error}") from None
    except (sqlite3.Error, OSError) as error:
        folder.close()
        raise DemoError(f"cannot write in {folder.path}: {error}") from None
    except DemoError:
        folder.close()
        raise
    return Demo(folder, codec, host, session_map)
