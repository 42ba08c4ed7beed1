"""Real web servers in front of giestack, each with a configuration file as an administrator has it.

They run in folders of their own, on free ports, and as nobody. Of the file only names, ports and
paths are replaced.
"""

import os
import shutil
import socket
import ssl
from pathlib import Path

from tests.neighbours.certificates import certificate
from tests.neighbours.galaxy import new_folder
from tests.neighbours.program import PATIENCE, CleanUp, Program, free_port

SAMPLES = Path(__file__).parents[2] / "etc" / "fronts"
HOST = "galaxy.example.org"
TOOLS_DOMAIN = f"ep.interactivetool.{HOST}"
NOBODY = 65534
VISITOR = "127.0.0.2"
"""Where visitors come from; the fronts themselves are 127.0.0.1."""


class Certificates:
    """What a site gets from its authority, for Galaxy's host and for those of interactive tools.

    :ivar live: a folder like certbot's.
    :ivar trust: the context of a client that trusts the authority.
    """

    def __init__(self, folder: Path) -> None:
        made = folder / "made"
        made.mkdir(parents=True)
        self.live = folder / "live"
        root, _, signer = certificate(made, "root")
        for name, host in ((HOST, HOST), (TOOLS_DOMAIN, f"*.{TOOLS_DOMAIN}")):
            one, key, _ = certificate(made, name, signer, hosts=(host,))
            lineage = self.live / name
            lineage.mkdir(parents=True)
            (lineage / "fullchain.pem").write_bytes(one.read_bytes() + root.read_bytes())
            (lineage / "privkey.pem").write_bytes(key.read_bytes())
        self.trust = ssl.create_default_context(cafile=str(root))

    def in_one_file_each(self, folder: Path) -> Path:
        """The same, certificate and key together, as HAProxy wants them."""
        folder.mkdir()
        for lineage in self.live.iterdir():
            parts = [path.read_bytes() for path in sorted(lineage.iterdir())]
            (folder / f"{lineage.name}.pem").write_bytes(b"".join(parts))
        return folder


class Front:
    """A running web server.

    :ivar port: where it speaks TLS.
    :ivar plain_port: where it does not.
    :ivar folder: holds its files; it belongs to nobody, as the program does.
    :ivar program: the process.
    """

    sample: Path

    def __init__(self, test: CleanUp, giestack_port: int, galaxy_port: int) -> None:
        """
        :param giestack_port: of 127.0.0.1, as the next one.
        """
        self.giestack_port = giestack_port
        self.port, self.plain_port = free_port(), free_port()
        self.folder = new_folder(test, "front-")
        self.certificates = Certificates(self.folder)
        text = self.sample.read_text(encoding="utf-8")
        galaxys = {"127.0.0.1:8080": f"127.0.0.1:{galaxy_port}"}
        for old, new in {**self.giestack(), **galaxys, **self.places()}.items():
            assert old in text, f"{self.sample} has no {old}"
            text = text.replace(old, new)
        self.file = self.folder / self.sample.name
        self.file.write_text(text, encoding="utf-8")
        command = self.command()
        if os.geteuid() == 0:
            self._give_away()
            user = ["--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]
            # Should the tests be killed: TERM, as a killed master would leave its workers behind.
            command = ["setpriv", *user, "--pdeathsig", "TERM", *command]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self.folder)}
        self.program = Program(test, command, self.folder, environment)
        self.program.until_it_accepts(self.port)

    def _give_away(self) -> None:
        shutil.chown(self.folder, NOBODY, NOBODY)
        for path in self.folder.rglob("*"):
            shutil.chown(path, NOBODY, NOBODY)

    def giestack(self) -> dict[str, str]:
        """Giestack's address in the file, and what stands for it."""
        return {"127.0.0.1:8800": f"127.0.0.1:{self.giestack_port}"}

    def places(self) -> dict[str, str]:
        """The ports and paths of the file, and what stands for them."""
        raise NotImplementedError

    def command(self) -> list[str]:
        """How it is started in the foreground; may write more files."""
        raise NotImplementedError

    def connect(self, host: str = HOST) -> ssl.SSLSocket:
        """A visitor's connection, to this host."""
        return self.certificates.trust.wrap_socket(self.connect_plainly(), server_hostname=host)

    def connect_plainly(self) -> socket.socket:
        """The same before TLS begins."""
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE, (VISITOR, 0))


class Nginx(Front):
    """nginx."""

    sample = SAMPLES / "nginx.conf"
    more = ""
    """What else stands in ``http { }``, before the site."""

    def places(self) -> dict[str, str]:
        return {
            "listen 80;": f"listen {self.plain_port};",
            "listen [::]:80;": f"listen [::]:{self.plain_port};",
            "listen 443 ssl;": f"listen {self.port} ssl;",
            "listen [::]:443 ssl;": f"listen [::]:{self.port} ssl;",
            "/etc/letsencrypt/live": str(self.certificates.live),
        }

    def command(self) -> list[str]:
        main = self.folder / "main.conf"
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = " ".join(f"{kind}_temp_path {self.folder}/{kind};" for kind in kinds)
        main.write_text(
            f"daemon off; pid {self.folder}/pid; error_log stderr; worker_processes 1;"
            f"events {{ worker_connections 256; }}"
            f"http {{ access_log off; {temporary} {self.more} include {self.file}; }}"
        )
        return ["nginx", "-c", str(main), "-e", "stderr"]


class Apache(Front):
    """Apache."""

    sample = SAMPLES / "apache.conf"
    more = ""
    """What else stands in the server's own file, before the site."""

    def places(self) -> dict[str, str]:
        return {
            "<VirtualHost *:80>": f"<VirtualHost *:{self.plain_port}>",
            "<VirtualHost *:443>": f"<VirtualHost *:{self.port}>",
            "/etc/letsencrypt/live": str(self.certificates.live),
        }

    def command(self) -> list[str]:
        main = self.folder / "main.conf"
        words = (
            "mpm_event authz_core ssl proxy proxy_http proxy_wstunnel headers rewrite reqtimeout"
        )
        modules = [
            f"LoadModule {word}_module /usr/lib/apache2/modules/mod_{word}.so"
            for word in words.split()
        ]
        main.write_text(
            "\n".join(
                [
                    *modules,
                    f"ServerRoot {self.folder}",
                    f"DefaultRuntimeDir {self.folder}",
                    f"PidFile {self.folder}/pid",
                    f"ErrorLog {self.folder}/error.log",
                    "ServerName localhost",
                    f"Listen {self.plain_port}",
                    f"Listen {self.port}",
                    # As Debian has it.
                    "RequestReadTimeout header=20-40,minrate=500",
                    "RequestReadTimeout body=10,minrate=500",
                    self.more,
                    f"Include {self.file}",
                    "",
                ]
            )
        )
        return ["apache2", "-f", str(main), "-DFOREGROUND"]


class HAProxy(Front):
    """HAProxy."""

    sample = SAMPLES / "haproxy.cfg"

    def places(self) -> dict[str, str]:
        folder = self.certificates.in_one_file_each(self.folder / "certs")
        return {
            "bind :80": f"bind :{self.plain_port}",
            "bind [::]:80": f"bind [::]:{self.plain_port}",
            "bind :443": f"bind :{self.port}",
            "bind [::]:443": f"bind [::]:{self.port}",
            "/etc/haproxy/certs/": f"{folder}/",
        }

    def command(self) -> list[str]:
        return ["haproxy", "-db", "-f", str(self.file)]


class Caddy(Front):
    """Caddy."""

    sample = SAMPLES / "Caddyfile"

    def places(self) -> dict[str, str]:
        return {
            "http_port 80": f"http_port {self.plain_port}",
            "https_port 443": f"https_port {self.port}",
            "localhost:2019": f"localhost:{free_port()}",
            "/etc/letsencrypt/live": str(self.certificates.live),
        }

    def command(self) -> list[str]:
        return ["caddy", "run", "--config", str(self.file), "--adapter", "caddyfile"]


FRONTS = (Nginx, Apache, HAProxy, Caddy)
