"""The fake engine behind mutual TLS, as dockerd's ``--tlsverify`` has it."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.ssl import Certificate, PrivateCertificate

from giestack.docker.location import Location, TlsFiles
from tests.docker.fake_docker import FakeDocker
from tests.neighbours.certificates import certificate


class TlsFakeDocker(FakeDocker):
    """It listens on a port of 127.0.0.1, and nowhere else.

    :ivar location: where, and as whom.
    """

    location: Location

    def listen(self, site: Any) -> Any:
        files, options = _identity()
        port = self.reactor.listenSSL(0, site, options, interface="127.0.0.1")
        self.location = Location(f"tcp://127.0.0.1:{port.getHost().port}", files)
        return port


@cache
def _identity() -> tuple[TlsFiles, Any]:
    """Who the engine and its client are: files of the client's, and how the engine listens."""
    folder = TemporaryDirectory(prefix="fake-docker-tls-")
    # It goes with the process.
    _folders.append(folder)
    ca, _, signer = certificate(Path(folder.name), "ca")
    cert, key, _ = certificate(Path(folder.name), "cert", signer)
    own = PrivateCertificate.loadPEM(cert.read_bytes() + key.read_bytes())
    options = own.options(Certificate.loadPEM(ca.read_bytes()))
    return TlsFiles(ca, cert, key), options


_folders: list[TemporaryDirectory[str]] = []
