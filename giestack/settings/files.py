"""The only module of the settings that touches files and folders."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from giestack.settings.load import Loaded, parse
from giestack.settings.problems import Problem, SettingsError
from giestack.settings.reading import World

LARGEST = 4 * 1024 * 1024
PLACES = ("./giestack.yml", "/etc/giestack/giestack.yml")


def find_config(explicit: str | None, environ: Mapping[str, str], cwd: Path) -> Path:
    """The configuration file: `explicit`, ``$GIESTACK_CONFIG``, or where one is looked for.

    The first two are taken at their word, whether the file is there or not. Raises
    `SettingsError` where there is none at all.
    """
    named = explicit or environ.get("GIESTACK_CONFIG")
    if named:
        return Path(cwd, named)
    for place in PLACES:
        path = Path(cwd, place)
        if is_there(path):
            return path
    looked = ", ".join(("--config", "$GIESTACK_CONFIG", *PLACES))
    raise SettingsError(
        (Problem("", f"no configuration: looked at {looked}. To try giestack out, use --demo"),)
    )


def is_there(path: Path) -> bool:
    """Tell whether something has this name, be it nothing that can be read.

    So a link to a disk that is not mounted, or a folder that nobody may look into, is an error
    that names it, and not as if nothing had been configured.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return os.path.islink(path.parent) and not os.path.exists(path.parent)
    except OSError:
        pass
    return True


def load(
    path: Path | None,
    environ: Mapping[str, str],
    cwd: Path,
    overrides: Mapping[str, object] | None = None,
) -> Loaded:
    """Read a configuration file and all files that it names; raises `SettingsError`.

    Without a path there are only the `overrides` of the command line (see `parse`); relative
    paths are then relative to `cwd`. Problems of the file as a whole have its name as path.
    """
    file = cwd if path is None else Path(cwd, path)
    folder = cwd if path is None else file.parent
    world = World(folder.absolute(), environ, _read_text, _is_file)
    try:
        return parse("" if path is None else _read_text(file), world, overrides)
    except SettingsError as error:
        problems = (replace(one, path=one.path or str(file)) for one in error.problems)
        raise SettingsError(tuple(problems), error.warnings) from None
    except OSError as error:
        text = f"cannot be read: {error.strerror}"
    except ValueError:
        text = "cannot be read: it is no UTF-8 text"
    raise SettingsError((Problem(str(file), text),))


def _read_text(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise OSError(0, f"it is larger than {LARGEST} bytes")
    return content.decode("utf-8")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False  # no permission to look, or a name that no file can have
