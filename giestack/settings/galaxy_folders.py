"""Where Galaxy has its root and its data, as far as its configuration tells."""

from dataclasses import dataclass
from pathlib import Path

from giestack.settings.document import NOTHING
from giestack.settings.galaxy_file import GalaxyFile
from giestack.settings.reading import World


@dataclass(frozen=True, slots=True)
class Folders:
    """Galaxy's folders.

    :ivar root: Galaxy's root, where it is started.
    :ivar data: its ``data_dir``.
    """

    root: Path
    data: Path


def folders(galaxy: GalaxyFile, world: World) -> Folders:
    """Find Galaxy's folders as Galaxy and Gravity do, as far as the files tell.

    The root is ``root_dir``, Gravity's ``galaxy_root``, ``$GALAXY_ROOT_DIR``, or the folder
    above ``config/``. ``data_dir`` is ``database`` below it; but ``data`` beside the file where
    Galaxy is an installed package with its database there.
    """
    beside = galaxy.path.parent
    told = (
        galaxy.options.get("root_dir", NOTHING).text,
        galaxy.gravity.get("galaxy_root", NOTHING).text,
        world.environ.get("GALAXY_ROOT_DIR", ""),
    )
    above = beside.parent if beside.name == "config" else beside
    source = (
        folder
        for folder in (beside.parent, beside)
        if world.is_file(folder / "lib/galaxy/__init__.py")
    )
    root = next((beside / folder for folder in told if folder), None) or next(source, above)
    data = galaxy.options.get("data_dir", NOTHING).text
    if data:
        return Folders(root, root / data)
    packaged = beside / "data"
    if world.is_file(packaged / "universe.sqlite"):
        return Folders(root, packaged)
    return Folders(root, root / "database")
