"""Programs that stand in for others, on a PATH of their own."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase


class Programs:
    """A folder that is all of PATH beside the system's own during a test.

    :ivar image: where the image is noted that `DOCKER` has got.
    :ivar said: what the programs have noted in ``$SAID``, a line each.
    """

    def __init__(self, test: SynchronousTestCase) -> None:
        self.folder = Path(test.mktemp()).absolute()
        self.folder.mkdir()
        self._said = self.folder / "said"
        self._set(test, PATH=f"{self.folder}:/usr/bin:/bin", SAID=str(self._said))
        for name in [one for one in os.environ if one.startswith(("DOCKER_", "PIP_"))]:
            test.addCleanup(os.environ.__setitem__, name, os.environ.pop(name))
        self.image = self.folder / "image"
        self._set(test, IMAGE=str(self.image))

    def _set(self, test: SynchronousTestCase, **values: str) -> None:
        for name, value in values.items():
            former = os.environ.get(name)
            if former is None:
                test.addCleanup(os.environ.pop, name)
            else:
                test.addCleanup(os.environ.__setitem__, name, former)
            os.environ[name] = value

    @property
    def said(self) -> list[str]:
        return self._said.read_text().splitlines() if self._said.exists() else []

    def add(self, name: str, script: str) -> Path:
        """Put a shell script there; return it."""
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def alone(self) -> None:
        """Nothing else is on PATH from now on."""
        os.environ["PATH"] = str(self.folder)


DOCKER = """
echo "docker $*" >> "$SAID"
case "$1 $2" in
  "version --format") echo 20.10.24 ;;
  "image inspect") [ -e "$IMAGE" ] || exit 1
    case "$4" in
      *Size*) echo 350000000 ;;
      *Id*) echo "sha256:$(cat "$IMAGE")" ;;
      *) cat "$IMAGE" ;;
    esac ;;
  import*) for word; do
      case "$word" in *recipe=*) echo "${word#*recipe=}" > "$IMAGE" ;; esac
    done ;;
esac
"""
"""Docker's client: images that it gets are in the file ``$IMAGE``, by the recipe."""
