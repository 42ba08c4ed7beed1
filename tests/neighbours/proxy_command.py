"""``giestack-proxy``, started in a Galaxy's folder."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.neighbours.galaxy import Galaxy
from tests.neighbours.program import CleanUp, Program

# Not the script of the same name: it is there only where giestack was installed anew.
COMMAND = (
    sys.executable,
    "-c",
    "import sys; from giestack.proxy_command import main; sys.exit(main())",
)


def write_galaxy_yml(folder: Path, galaxy: Galaxy, **options: Any) -> Path:
    """Write Galaxy's configuration below its root, where it is looked for."""
    told: Mapping[str, Any] = {
        "id_secret": galaxy.id_secret,
        "database_connection": galaxy.database_url,
        "galaxy_infrastructure_url": "https://galaxy.example.org",
        **options,
    }
    file = folder / "config" / "galaxy.yml"
    file.parent.mkdir(exist_ok=True)
    # JSON is YAML.
    file.write_text(json.dumps({"galaxy": told}), encoding="utf-8")
    return file


def start_proxy(test: CleanUp, folder: Path, log: Path, options: Sequence[str]) -> Program:
    """Start it there; what it prints goes into another folder."""
    command = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', str(folder), *COMMAND, *options]
    return Program(test, command, log)
