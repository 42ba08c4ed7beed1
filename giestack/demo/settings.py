"""The configuration that ``--demo`` stands for."""

from typing import Any

from giestack.demo.host import ADMIN_USERS


def demo_settings(port: int = 8800) -> dict[str, Any]:
    """Return what a configuration file for the demo would hold, as YAML would give it.

    Paths are relative to the demo's folder; the secret stays in its file there. One port of
    127.0.0.1 is all that is listened on.
    """
    return {
        "galaxy": {
            "id_secret": "file:id_secret",
            "database_connection": "sqlite:///galaxy.sqlite",
            "admin_users": ADMIN_USERS,
            "url": f"http://127.0.0.1:{port}/",
        },
        "proxy": {
            "listen": [f"tcp:{port}:interface=127.0.0.1"],
            "interactivetools_auth": "owner",
            "session_maps": ["interactivetools_map.sqlite"],
        },
        "admin": {"listen": []},
        "data_dir": "var",
    }
