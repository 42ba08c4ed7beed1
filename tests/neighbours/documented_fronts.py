"""Web servers that are configured as Galaxy's own documentation says."""

from pathlib import Path

from tests.neighbours.fronts import Apache, Front, Nginx

DATA = Path(__file__).parents[1] / "data" / "fronts"


def both_families(port: int) -> list[str]:
    """Endpoints for what ``localhost`` is."""
    return [f"tcp:{port}:interface=127.0.0.1", f"tcp:{port}:interface=\\:\\:1"]


class _Documented(Front):
    """A file that knows nothing of plain HTTP, and giestack by the name localhost."""

    def giestack(self) -> dict[str, str]:
        return {"localhost:8800": f"localhost:{self.giestack_port}"}

    def places(self) -> dict[str, str]:
        text = self.sample.read_text(encoding="utf-8")
        return {old: new for old, new in super().places().items() if old in text}


class ToolsNginx(_Documented, Nginx):
    """The page on InteractiveTools, and the tutorial."""

    sample = DATA / "tools-nginx.conf"


class EnvironmentsNginx(_Documented, Nginx):
    """The page on Interactive Environments; it loses the query of kernels' WebSockets."""

    sample = DATA / "gie-nginx.conf"


class EnvironmentsApache(_Documented, Apache):
    """The same page."""

    sample = DATA / "gie-apache.conf"

    def giestack(self) -> dict[str, str]:
        galaxys = {"localhost:8080": "127.0.0.1:8080"}
        return {**super().giestack(), **galaxys}
