"""A real registry of images for tests, and an image to be pulled from it.

It listens on 127.0.0.1, where a Docker engine does without TLS. It ends with the test.
"""

import base64
import gzip
import hashlib
import http.client
import io
import json
import os
import selectors
import socket
import tarfile
import threading
import time

from tests.neighbours.galaxy import new_folder
from tests.neighbours.program import CleanUp, Program, accepts, free_port
from tests.neighbours.tools_image import packed_tools

USER, PASSWORD = "visitor", "open sesame"
# bcrypt, of the password.
_HASH = "$2b$04$JNVOiqTgtgchwVLj0UPkt.CBi3dQNJJbJxIT.a0cY9.8wi3Uy7LmG"

CONFIG = """\
version: 0.1
log: {{level: warn}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
AUTH = "auth: {{htpasswd: {{realm: tests, path: {folder}/htpasswd}}}}\n"

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class Registry:
    """A registry.

    :ivar host: ``127.0.0.1:PORT``, the beginning of its images' names.
    :ivar program: the process.
    :ivar private: whether it wants a password.
    """

    def __init__(self, test: CleanUp, *, private: bool = False, rate: int = 0) -> None:
        """
        :param private: who pulls must be `USER`, with `PASSWORD`.
        :param rate: bytes per second that it gives to each connection; 0: as many as it can.
        """
        folder = new_folder(test)
        self._port = free_port()
        text = CONFIG.format(folder=folder, port=self._port)
        if private:
            text += AUTH.format(folder=folder)
            (folder / "htpasswd").write_text(f"{USER}:{_HASH}\n", encoding="ascii")
        (folder / "config.yml").write_text(text, encoding="ascii")
        self.private = private
        self.program = Program(test, ["docker-registry", "serve", "config.yml"], folder)
        self.program.until(lambda: accepts(self._port), "a registry")
        port = Slow(test, self._port, rate).port if rate else self._port
        self.host = f"127.0.0.1:{port}"

    def push(self, name: str, *, megabytes: int = 4) -> str:
        """Put an image there: the tools, and two layers of so many megabytes that don't shrink.

        :param name: repository and tag.
        :return: the image's digest; its reference is ``{host}/{name}``.
        """
        repository, _, tag = name.partition(":")
        plain = [packed_tools(), *(_noise(f"noise{n}", megabytes) for n in range(2))]
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "Cmd": ["program", "listen"],
                "Env": ["PATH=/bin"],
                "ExposedPorts": {"8888/tcp": {}},
                "Labels": {"giestack-test": name},
            },
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer) for layer in plain]},
            "history": [{"created_by": "a test"} for _ in plain],
        }
        layers = [gzip.compress(layer, 1) for layer in plain]
        kinds = "application/vnd.docker.image.rootfs.diff.tar.gzip"
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._blob(
                repository,
                json.dumps(config).encode(),
                "application/vnd.docker.container.image.v1+json",
            ),
            "layers": [self._blob(repository, layer, kinds) for layer in layers],
        }
        content = json.dumps(manifest).encode()
        self._ask("PUT", f"/v2/{repository}/manifests/{tag}", content, {"Content-Type": MANIFEST})
        return _digest(content)

    def _blob(self, repository: str, content: bytes, kind: str) -> dict[str, object]:
        digest = _digest(content)
        location = self._ask("POST", f"/v2/{repository}/blobs/uploads/", b"", {})
        path = location.split(str(self._port), 1)[-1]
        headers = {"Content-Type": "application/octet-stream"}
        self._ask("PUT", f"{path}&digest={digest}", content, headers)
        return {"mediaType": kind, "size": len(content), "digest": digest}

    def _ask(self, method: str, path: str, content: bytes, headers: dict[str, str]) -> str:
        """The Location of the answer."""
        if self.private:
            told = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            headers = {**headers, "Authorization": f"Basic {told}"}
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request(method, path, content, headers)
            response = connection.getresponse()
            text = response.read()
            assert response.status < 300, f"{method} {path}: {response.status} {text!r}"
            return response.headers.get("Location", "")
        finally:
            connection.close()


class Slow:
    """A port of 127.0.0.1 that leads to another, and lets through so many bytes per second.

    :ivar port: its number.
    """

    def __init__(self, test: CleanUp, port: int, rate: int) -> None:
        self._to = port
        self._rate = rate
        self._ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._listener.settimeout(0.1)
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        test.addCleanup(self.end)

    def end(self) -> None:
        """Close all."""
        self._ended.set()
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            thread = threading.Thread(target=self._forward, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _forward(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._to)) as server:
            selector = selectors.DefaultSelector()
            selector.register(client, selectors.EVENT_READ, (client, server, 0))
            selector.register(server, selectors.EVENT_READ, (server, client, self._rate))
            while not self._ended.is_set():
                for key, _ in selector.select(0.1):
                    if not self._pass_on(*key.data):
                        return

    def _pass_on(self, source: socket.socket, target: socket.socket, rate: int) -> bool:
        try:
            # Twenty pieces a second.
            data = source.recv(max(self._rate // 20, 1))
            target.sendall(data)
        except OSError:
            return False
        if rate:
            time.sleep(len(data) / rate)
        return bool(data)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _noise(name: str, megabytes: int) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size = megabytes * 1024 * 1024
        tar.addfile(info, io.BytesIO(os.urandom(info.size)))
    return packed.getvalue()
