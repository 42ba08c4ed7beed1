"""The proxies that come from npm, and a Node that is new enough for them."""

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.processes import Failed

FOLDER = Path(__file__).parents[1] / ".prepared" / "proxies"

GX_IT_PROXY = "@galaxyproject/gx-it-proxy"
HTTP_PROXY = "configurable-http-proxy"
_VERSIONS = {GX_IT_PROXY: "0.2.3", HTTP_PROXY: "5.3.0"}

# Debian 12 has Node 18, configurable-http-proxy 5 needs 20. npm has Node itself too.
_OLDEST_NODE = 20
_NODE_VERSION = "20.20.2"
_ARCHITECTURES = {"x86_64": "x64", "aarch64": "arm64"}


_NPM = {
    # sqlite3 would first look for a binary on a host of its own.
    "npm_config_build_from_source": "true",
    "npm_config_fetch_retries": "1",
    "npm_config_fetch_timeout": "60000",
}

# Node believes only the authorities that it brings along, pip and apt the system's.
_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_SYSTEMS_AUTHORITIES = {"NODE_EXTRA_CA_CERTS": _BUNDLE} if Path(_BUNDLE).exists() else {}


@dataclass(frozen=True, slots=True)
class NodePackages:
    """What `install` has made sure of.

    :ivar node: the program.
    :ivar modules: the ``node_modules`` folder.
    """

    node: Path
    modules: Path

    def version(self, package: str) -> str:
        return _version(self.modules, package)


def install(*packages: str) -> NodePackages:
    """Install what is missing of these packages, and say what; quick where nothing is.

    :raises Failed: where npm is missing or fails.
    """
    modules = FOLDER / "node_modules"
    node = _system_node()
    wanted = {name: _VERSIONS[name] for name in packages}
    if node is None:
        package = f"node-linux-{_ARCHITECTURES.get(platform.machine(), platform.machine())}"
        wanted[package] = _NODE_VERSION
        node = modules / package / "bin" / "node"
    missing = {name: v for name, v in wanted.items() if _version(modules, name) != v}
    if missing:
        names = [f"{name}@{version}" for name, version in wanted.items()]
        print(f"==> installing from npm into .prepared/proxies: {' '.join(names)}", flush=True)
        FOLDER.mkdir(parents=True, exist_ok=True)
        # Without the optional packages there is no client of PostgreSQL to be built.
        quiet = ("--no-audit", "--no-fund", "--loglevel=error")
        _npm("install", "--ignore-scripts", "--omit=optional", "--no-package-lock", *quiet, *names)
    if GX_IT_PROXY in wanted:
        _build_sqlite(modules)
    return NodePackages(node, modules)


def _build_sqlite(modules: Path) -> None:
    if not any((modules / "sqlite3").rglob("node_sqlite3.node")):
        print("==> building sqlite3 for gx-it-proxy", flush=True)
        # With the system's SQLite there is little to compile, and no request ever gets there.
        system = {"npm_config_sqlite": "/usr"} if Path("/usr/include/sqlite3.h").exists() else {}
        fast = {"CFLAGS": "-O0", "CXXFLAGS": "-O0", "JOBS": str(os.cpu_count() or 1)}
        _npm("rebuild", "--loglevel=error", "sqlite3", environment={**system, **fast})
    if not any((modules / "sqlite3").rglob("node_sqlite3.node")):
        raise Failed("npm did not build sqlite3, which gx-it-proxy needs")


def _system_node() -> Path | None:
    found = shutil.which("node")
    if found is None:
        return None
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    return Path(found) if int(said.strip().lstrip("v").split(".")[0]) >= _OLDEST_NODE else None


def _version(modules: Path, package: str) -> str:
    try:
        document = json.loads((modules / package / "package.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ""
    version: str = document["version"]
    return version


def _npm(command: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise Failed("npm is not installed (Debian: apt install npm)")
    done = subprocess.run(
        [npm, command, "--prefix", FOLDER, *arguments],
        env={**_SYSTEMS_AUTHORITIES, **os.environ, **_NPM, **(environment or {})},
        cwd=FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Failed(f"npm {command} failed: {(done.stderr or done.stdout)[-2000:].strip()}")
