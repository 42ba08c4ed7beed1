"""What pip is told on this machine, for a pip that runs in a file system of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

CERTIFICATES = "/build/certificates.pem"
"""Where the certificates of this machine are in that file system."""

_KEPT = ("index-url", "extra-index-url", "trusted-host", "proxy", "default-timeout", "timeout")
_LINE = re.compile(r"^(.+?)\.([a-z-]+)='(.*)'$", re.MULTILINE)
_BUNDLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_USUAL = (Path("/etc/ssl/certs/ca-certificates.crt"), Path("/etc/pki/tls/certs/ca-bundle.crt"))


def listed() -> str:
    """What ``pip config list`` says here; "" where it fails."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def environment(environ: Mapping[str, str], listed: str) -> dict[str, str]:
    """The environment to run pip with there, made of the one here and what `listed` returned.

    Indexes and proxies stay what they are. What is a file here is not to be had there.
    """
    kept = {
        name: value
        for name, value in environ.items()
        if not name.startswith(("PIP_", "PYTHON", "SSL_CERT")) and name not in _BUNDLES
    }
    # Variables win over files in pip; there they are the last ones.
    for section, name, value in _LINE.findall(listed):
        words = [word for word in value.split() if not word.startswith(("file:", "/", "."))]
        if name in _KEPT and words and section in ("global", "install", ":env:"):
            kept[f"PIP_{name.upper().replace('-', '_')}"] = " ".join(words)
    return {
        **kept,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_CERT": CERTIFICATES,
        "LC_ALL": "C.UTF-8",
    }


def certificates(environ: Mapping[str, str]) -> bytes:
    """The certificates that this machine trusts, as PEM; pip's own where it has none."""
    named = [Path(environ[name]) for name in _BUNDLES if environ.get(name)]
    for path in (*named, *_USUAL):
        if path.is_file():
            return path.read_bytes()
    from pip._vendor import certifi

    return Path(certifi.where()).read_bytes()


def copyable() -> Path:
    """The folder of pip itself; raise ImportError where there is none."""
    import pip

    return Path(os.path.dirname(pip.__file__))
