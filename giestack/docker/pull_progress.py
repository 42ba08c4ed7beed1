"""How far a pull has come, out of the messages that an engine sends meanwhile."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Pulled:
    """How far a pull has come.

    :ivar bytes: downloaded until now, as compressed in the registry.
    :ivar total: of all layers whose size is known by now; grows as more begin.
    :ivar percent: 0 to 100, downloading and unpacking as two halves; never falls. None: unknown.
    """

    bytes: int = 0
    total: int = 0
    percent: float | None = None


@dataclass(slots=True)
class _Layer:
    total: int = 0
    downloaded: int = 0
    extracted: int = 0
    here: bool = False


class PullProgress:
    """Adds up the layers of one pull."""

    def __init__(self) -> None:
        self._layers: dict[str, _Layer] = {}
        self._percent = 0.0

    def heard(self, message: Mapping[str, Any]) -> Pulled | None:
        """What is known after a message; None where it tells nothing of a layer."""
        name, status = message.get("id"), message.get("status")
        if not isinstance(name, str) or not isinstance(status, str):
            return None
        if name not in self._layers and not _announces(status):
            return None
        layer = self._layers.setdefault(name, _Layer())
        current, total = _detail(message.get("progressDetail"))
        layer.total = max(layer.total, total)
        match status:
            case "Already exists":
                del self._layers[name]
            case "Downloading":
                layer.downloaded = max(layer.downloaded, current)
            case "Download complete" | "Verifying Checksum":
                layer.downloaded = layer.total
            case "Extracting":
                layer.downloaded = layer.total
                layer.extracted = max(layer.extracted, min(current, layer.total))
            case "Pull complete":
                layer.downloaded = layer.extracted = layer.total
                layer.here = True
        return self._sum()

    def _sum(self) -> Pulled:
        layers = self._layers.values()
        total = sum(layer.total for layer in layers)
        downloaded = sum(layer.downloaded for layer in layers)
        sized = sum(1 for layer in layers if layer.total)
        if not sized:
            return Pulled(downloaded, total, self._percent or None)
        # Layers that wait for their turn tell no size: the mean of the others stands for it.
        waiting = sum(1 for layer in layers if not layer.total and not layer.here)
        expected = total + waiting * total / sized
        done = downloaded + sum(layer.extracted for layer in layers)
        self._percent = max(self._percent, min(100.0, 50.0 * done / expected))
        return Pulled(downloaded, total, self._percent)


def _announces(status: str) -> bool:
    return status in (
        "Pulling fs layer",
        "Waiting",
        "Downloading",
        "Verifying Checksum",
        "Download complete",
        "Extracting",
        "Pull complete",
    )


def _detail(detail: object) -> tuple[int, int]:
    """Bytes done and in all; 0 where they are not told, or told in other units."""
    if not isinstance(detail, Mapping) or detail.get("units"):
        return 0, 0
    current, total = detail.get("current"), detail.get("total")
    return (
        max(0, current) if isinstance(current, int) else 0,
        max(0, total) if isinstance(total, int) else 0,
    )
