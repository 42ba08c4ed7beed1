"""A container for a few seconds, to try out what sessions will need."""

import time
from typing import Literal

from giestack.doctor.asking import NoAnswer, Place, connect
from giestack.doctor.deployment import place_of_url
from giestack.doctor.engine_api import EngineApi, segment

PORT = 8000
LABEL = "giestack.doctor"
_SECONDS = 6.0
Reached = Literal["reached", "not reached", "no client"]

_MARKS: tuple[tuple[str, Reached], ...] = (
    ("GALAXY=1", "reached"),
    ("GALAXY=0", "not reached"),
    ("GALAXY=?", "no client"),
)

# Listens with whatever the image has, and asks for Galaxy with whatever it has.
_SCRIPT = """
(python3 -m http.server 8000 || busybox httpd -f -p 8000 || httpd -f -p 8000 || nc -lk -p 8000) \
  >/dev/null 2>&1 &
can() { command -v "$1" >/dev/null; }
asks() {
  if can curl; then curl -sk -m 4 -o /dev/null "$URL"
  elif can python3; then python3 -c '
import os, ssl, urllib.request as r
r.urlopen(os.environ["URL"], timeout=4, context=ssl._create_unverified_context())'
  elif can wget; then wget -q -T 4 --no-check-certificate -O /dev/null "$URL"
  else false; fi
}
# A program that is there need not work: connecting says enough.
if asks 2>/dev/null || { can nc && nc -w 4 "$HOST" "$PORT" </dev/null; }; then echo GALAXY=1
elif can curl || can python3 || can wget || can nc; then echo GALAXY=0
else echo "GALAXY=?"; fi
sleep 8
"""


class Trial:
    """What was found out; the container is gone when this is made.

    :ivar image: of which it was made.
    :ivar published: where its port was published.
    :ivar reached: why it was not reached there; None: it was.
    :ivar galaxy: whether Galaxy was reached from inside.
    """

    def __init__(
        self, api: EngineApi, image: str, at: str, galaxy_url: str | None, network: str = ""
    ) -> None:
        """
        :param at: where published ports are to be reached.
        :param network: that sessions are on; "": the engine's own choice.
        """
        self.image = image
        self.published = at
        self.reached: str | None = None
        self.galaxy: Reached = "not reached"
        made = api.post("/containers/create", _body(image, at, galaxy_url, network))
        container = f"/containers/{segment(str(made.get('Id')))}"
        try:
            api.post(f"{container}/start")
            self._look(api, container, at)
        finally:
            api.delete(f"{container}?force=1&v=1")

    def _look(self, api: EngineApi, container: str, at: str) -> None:
        end = time.monotonic() + _SECONDS
        self.reached = "nothing is published"
        told: Reached | None = None
        while time.monotonic() < end and (self.reached is not None or told is None):
            if self.reached is not None:
                self._connect(api, container, at)
            printed = api.text(f"{container}/logs?stdout=1")
            told = next((word for mark, word in _MARKS if mark in printed), None)
            time.sleep(0.2)
        self.galaxy = told or "not reached"

    def _connect(self, api: EngineApi, container: str, at: str) -> None:
        ports = (api.get(f"{container}/json").get("NetworkSettings") or {}).get("Ports") or {}
        bound = (ports.get(f"{PORT}/tcp") or [{}])[0].get("HostPort")
        if not bound:
            return
        self.published = f"{at}:{bound}"
        try:
            connect(Place(at, int(bound)), seconds=2.0).close()
        except NoAnswer as error:
            self.reached = str(error)
        else:
            self.reached = None


def _body(image: str, at: str, galaxy_url: str | None, network: str) -> dict[str, object]:
    place = place_of_url(galaxy_url or "")
    return {
        "Image": image,
        "Entrypoint": ["/bin/sh", "-c", _SCRIPT],
        "Cmd": [],
        "Env": [f"URL={galaxy_url or ''}api/version", f"HOST={place.host}", f"PORT={place.port}"],
        "Labels": {LABEL: "1"},
        "ExposedPorts": {f"{PORT}/tcp": {}},
        "HostConfig": {
            "PortBindings": {f"{PORT}/tcp": [{"HostIp": _binding(at), "HostPort": ""}]},
            "NetworkMode": network or "default",
            "Memory": 256 * 1024**2,
            "PidsLimit": 64,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
        },
    }


def _binding(at: str) -> str:
    """Where to publish: there if it is an address, else everywhere the engine would."""
    return at if at.replace(".", "").isdigit() or ":" in at else ""
