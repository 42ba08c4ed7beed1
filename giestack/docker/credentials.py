"""Who we are to a registry: what ``docker login`` has left in Docker's ``config.json``."""

import base64
import json
import os
import re
import shutil
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IReactorProcess, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from giestack.docker.errors import DockerError
from giestack.docker.location import LocationError, read_config
from giestack.docker.references import HUB, BadReference, parsed

Run = Callable[[str, bytes], Awaitable[tuple[int, bytes]]]
"""Starts a program, which is looked for in PATH, with the argument ``get`` and this as its
standard input; returns its exit status and what it prints. Raises OSError where there is none,
TimeoutError (Twisted's) where it takes too long."""

PATIENCE = 30.0
"""Seconds that such a program may take."""

_HUB_KEY = "https://index.docker.io/v1/"
_HUB_NAMES = (_HUB_KEY, "index.docker.io", HUB, "registry-1.docker.io")
_LONGEST = 65_536
_SHOWN = 200
_NOT_FOUND = b"credentials not found"
_BY_TOKEN = "<token>"
_plain_name = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*").fullmatch


class Credentials:
    """Credentials for registries; they are read anew each time, since people log in and out."""

    def __init__(self, folder: Path, run: Run) -> None:
        """
        :param folder: see `giestack.docker.location.config_folder`.
        :param run: starts the programs that keep credentials; see `runner`.
        """
        self._folder = folder
        self._run = run

    async def for_image(self, reference: str) -> str:
        """The value of ``X-Registry-Auth`` for an image's registry; "" where we are nobody.

        :raises DockerError: (status 0) they can't be had, in words without any secret.
        """
        try:
            registry = parsed(reference).registry
        except BadReference as bad:
            raise DockerError(0, str(bad)) from None
        if not registry:
            return ""
        try:
            config = read_config(self._folder)
        except LocationError as error:
            raise DockerError(0, str(error)) from None
        names = _HUB_NAMES if registry == HUB else (registry,)
        helper = self._program(config, names)
        found = await self._ask(helper, names[0]) if helper else {}
        found = found or _written(config, names, self._folder / "config.json")
        if not found:
            return ""
        text = json.dumps({**found, "serveraddress": names[0]})
        return base64.urlsafe_b64encode(text.encode()).decode()

    def _program(self, config: Mapping[str, Any], names: tuple[str, ...]) -> str:
        helpers = config.get("credHelpers")
        known = helpers if isinstance(helpers, Mapping) else {}
        helper = next((known[name] for name in names if known.get(name)), None)
        helper = helper or config.get("credsStore") or ""
        if not isinstance(helper, str) or (helper and not _plain_name(helper)):
            file = self._folder / "config.json"
            raise DockerError(0, f"{file} names a credential helper that there can't be")
        return helper

    async def _ask(self, helper: str, server: str) -> dict[str, str]:
        """Ask a program for the credentials of one registry; empty where it has none."""
        program = f"docker-credential-{helper}"
        known = f"{program}, which {self._folder / 'config.json'} names for {server},"
        try:
            status, output = await self._run(program, server.encode())
        except OSError as error:
            raise DockerError(0, f"{known} can't be started: {error.strerror}") from None
        except TimeoutError:
            raise DockerError(0, f"{known} has not answered in {PATIENCE:g} seconds") from None
        if status:
            if _NOT_FOUND in output:
                return {}
            # When it fails it prints why, and no credentials.
            words = " ".join(output.decode("utf-8", "replace").split())[:_SHOWN]
            raise DockerError(0, f"{known} has failed with status {status}: {words or 'no words'}")
        try:
            found = json.loads(output)
            name, secret = found["Username"], found["Secret"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise DockerError(0, f"{known} has printed no credentials") from None
        if not isinstance(name, str) or not isinstance(secret, str):
            raise DockerError(0, f"{known} has printed no credentials")
        if name == _BY_TOKEN:
            return {"identitytoken": secret}
        return {"username": name, "password": secret} if name or secret else {}


def _written(config: Mapping[str, Any], names: tuple[str, ...], file: Path) -> dict[str, str]:
    """What ``auths`` says for a registry; empty where it says nothing."""
    auths = config.get("auths")
    known = auths if isinstance(auths, Mapping) else {}
    by_host = {_host_of(key): value for key, value in known.items()}
    for name in names:
        entry = known.get(name, by_host.get(_host_of(name)))
        if not isinstance(entry, Mapping):
            continue
        found = _entry(entry, f"auths of {name} in {file}")
        if found:
            return found
    return {}


def _entry(entry: Mapping[str, Any], where: str) -> dict[str, str]:
    for token in ("identitytoken", "registrytoken"):
        if isinstance(entry.get(token), str) and entry[token]:
            return {token: entry[token]}
    text = entry.get("auth")
    if isinstance(text, str) and text:
        return _decoded(text, where)
    found = {key: entry.get(key) for key in ("username", "password")}
    texts = {key: value for key, value in found.items() if isinstance(value, str) and value}
    return texts if len(texts) == len(found) else {}


def _decoded(text: str, where: str) -> dict[str, str]:
    try:
        name, _, password = base64.b64decode(text, validate=True).decode().partition(":")
    except ValueError:
        name, password = "", ""
    password = password.strip("\0")
    if not name or not password:
        raise DockerError(0, f"auth in the {where} can't be read; docker login writes it anew")
    return {"username": name, "password": password}


def _host_of(key: str) -> str:
    """The registry that a key of ``auths`` means: once they were URLs."""
    return re.sub(r"^https?://", "", key).partition("/")[0]


def runner(reactor: Any) -> Run:
    """What starts programs by a reactor, in the environment of this process."""

    async def run(program: str, standard_input: bytes) -> tuple[int, bytes]:
        path = shutil.which(program)
        if path is None:
            raise FileNotFoundError(2, "there is no such program in PATH")
        asking = _Asking(standard_input)
        processes: IReactorProcess = reactor
        clock: IReactorTime = reactor
        processes.spawnProcess(asking, os.fsencode(path), [program, "get"], env=None)
        asking.done.addTimeout(PATIENCE, clock)
        status: int = await asking.done
        return status, asking.output

    return run


class _Asking(ProcessProtocol):
    """One question to a program; when nobody waits for the answer it is killed."""

    def __init__(self, question: bytes) -> None:
        self.done: Deferred[int] = Deferred(lambda _: self._kill())
        self.output = b""
        self._question = question

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(self._question)
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        self.output = (self.output + data)[:_LONGEST]

    def processEnded(self, reason: Failure) -> None:
        if not self.done.called:
            status = getattr(reason.value, "exitCode", None)
            self.done.callback(-1 if status is None else status)

    def _kill(self) -> None:
        assert self.transport is not None
        try:
            self.transport.signalProcess("KILL")
        except ProcessExitedAlready:
            pass
