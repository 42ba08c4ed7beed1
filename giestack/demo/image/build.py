"""``make demo-image``: builds the demo's image, and says how far it is.

Debian packages come from Debian's mirror, Python packages from where pip is configured to get
them; nothing is asked of a registry.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from argparse import ArgumentParser, Namespace
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from giestack.demo.image import pip_settings
from giestack.demo.image.engine import EngineError, check_engine, import_image, size_of, stands
from giestack.demo.image.progress import Progress
from giestack.demo.image.recipe import DEBIAN, IMAGE, INSIDE, SUITE, Recipe

_HOW_TO_INSTALL = "mmdebstrap is not installed here. As root: apt-get install mmdebstrap"
_LAST_LINES = 20
_UNNEEDED = ("doc", "man", "locale", "info")
_STEPS = {
    "running apt-get update": f"reading the package lists of Debian {SUITE}",
    "downloading packages with apt": "downloading Debian packages (about 40 MB)",
    "extracting archives": "unpacking them",
    "installing essential packages": "installing Debian's essential packages",
    "installing remaining packages": f"installing {', '.join(DEBIAN)}",
    "installing Python packages": "downloading and installing Python packages",
    "trying JupyterLab": "trying JupyterLab",
    "removing what nobody needs": "removing what nobody needs",
    "adding the user": "adding the user and giestack's files",
    "creating tarball": "packing",
}
"""How lines of mmdebstrap and of our script begin, and what that means."""


class BuildError(Exception):
    """There is no image; the text says why and what helps."""


def build(tag: str, recipe: Recipe, progress: Progress) -> None:
    """Make the image and give it to the engine; raise `BuildError` or `EngineError`."""
    if shutil.which("mmdebstrap") is None:
        raise BuildError(_HOW_TO_INSTALL)
    with tempfile.TemporaryDirectory(prefix="giestack-image-") as name:
        folder = Path(name)
        # Where mmdebstrap is not root, it is another user.
        folder.chmod(0o755)
        archive = folder / "root.tar"
        _lay_out(folder, recipe)
        environ = pip_settings.environment(os.environ, pip_settings.listed())
        environ["PACKAGES"] = " ".join(recipe.packages)
        _run(_mmdebstrap(folder, archive), environ, progress)
        progress.step(f"handing {archive.stat().st_size / 1e6:.0f} MB to Docker")
        import_image(archive, tag, recipe.changes())


def _lay_out(folder: Path, recipe: Recipe) -> None:
    """Write what goes into the new file system, and the script that is run on it."""
    root = folder / "root"
    recipe.write(root)
    # The image's own Python runs it: so it is what fits there that is chosen and compiled.
    compiled = shutil.ignore_patterns("__pycache__")
    shutil.copytree(pip_settings.copyable(), root / "build" / "pip", ignore=compiled)
    certificates = root / pip_settings.CERTIFICATES.lstrip("/")
    certificates.write_bytes(pip_settings.certificates(os.environ))
    with tarfile.open(folder / "files.tar", "w") as tar:
        tar.add(root, ".", filter=_of_root)
    script = folder / "inside.sh"
    script.write_text(INSIDE, encoding="utf-8")
    script.chmod(0o755)


def _of_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Whoever builds the image: nobody there may change what is root's."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.isdir() else 0o644
    return member


def _mmdebstrap(folder: Path, archive: Path) -> list[str]:
    return [
        "mmdebstrap",
        "--variant=essential",
        f"--include={','.join(DEBIAN)}",
        *(f"--dpkgopt=path-exclude=/usr/share/{one}/*" for one in _UNNEEDED),
        '--aptopt=Acquire::Languages "none"',
        f"--customize-hook=tar-in {folder}/files.tar /",
        f"--customize-hook={folder}/inside.sh",
        SUITE,
        str(archive),
    ]


def _run(command: Sequence[str], environ: Mapping[str, str], progress: Progress) -> None:
    """Run mmdebstrap; its lines become steps."""
    last: deque[str] = deque(maxlen=_LAST_LINES)
    with subprocess.Popen(
        command,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            _tell(line.strip(), progress)
            last.append(line.rstrip())
    if process.returncode:
        raise BuildError("\n".join(["The image could not be built. The last lines:", *last]))


def _tell(line: str, progress: Progress) -> None:
    kind, _, text = line.partition(": ")
    step = next((step for begin, step in _STEPS.items() if text.startswith(begin)), "")
    if kind == "I" and step:
        progress.step(step)
    elif line.startswith(("Collecting", "Downloading", "Installing")):
        progress.note(line)


def _prepare(program: str) -> None:
    """Have a program install the Debian packages that building needs."""
    if subprocess.run([program, "--packages", "mmdebstrap"], check=False).returncode:
        raise BuildError("The image could not be built without them.")


def _options(arguments: Sequence[str] | None) -> Namespace:
    parser = ArgumentParser(prog="giestack.demo.image.build", description=__doc__)
    parser.add_argument("--tag", default=IMAGE, help=f"its name [{IMAGE}]")
    parser.add_argument("--packages", default="", help="more packages from PyPI")
    parser.add_argument("--force", action="store_true", help="build it though it is there")
    parser.add_argument("--prepare", help="what installs Debian packages: tools/prepare.sh")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the image where it is not there; return the exit status."""
    options = _options(arguments)
    recipe = Recipe(tuple(options.packages.split()))
    progress = Progress(sys.stdout)
    try:
        version = check_engine(os.environ)
        if stands(options.tag, recipe.digest) and not options.force:
            progress.done(f"{options.tag} is there already (FORCE=1 builds it anew)")
            return 0
        if options.prepare:
            _prepare(options.prepare)
        progress.done(
            f"Building {options.tag} with {', '.join(recipe.packages)} for Docker {version}: "
            "about 100 MB to download, about a minute"
        )
        build(options.tag, recipe, progress)
        size = size_of(options.tag) / 1e6
        progress.done(f"{options.tag} is there: {size:.0f} MB, in {progress.elapsed:.0f} s")
    except (BuildError, EngineError, OSError) as error:
        progress.done("")
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        progress.done("")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
