"""A network of their own for programs of a test, from which they reach ports of this machine.

Chromium gives up whatever it is asking for when a network interface of its machine comes or goes
(ERR_NETWORK_CHANGED), as those of containers do. People's browsers are on other machines.
"""

import ctypes
import fcntl
import os
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tests.neighbours.galaxy import new_folder
from tests.neighbours.program import CleanUp

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
_libc = ctypes.CDLL(None, use_errno=True)


class Elsewhere:
    """The network, with nothing but 127.0.0.1 in it. Its ports end with the test.

    Only root can make one; anybody else stays in this machine's network.
    """

    def __init__(self, test: CleanUp) -> None:
        self._test = test
        self._there = -1
        if os.geteuid() == 0:
            self._there = _in_a_thread(new_network)
            test.addCleanup(lambda: os.close(self._there))

    def program(self, path: str) -> str:
        """The path of a program that is the one at ``path``, run there."""
        if self._there < 0:
            return path
        script = Path(new_folder(self._test), Path(path).name)
        network = f"/proc/{os.getpid()}/fd/{self._there}"
        script.write_text(f'#!/bin/sh\nexec nsenter --net={network} {path} "$@"\n', "utf-8")
        script.chmod(0o755)
        return str(script)

    def lead(self, port: int) -> None:
        """Have that port of its 127.0.0.1 lead to the same one here."""
        if self._there < 0:
            return
        listener = _in_a_thread(lambda: self._listener(port))
        threading.Thread(target=_accept, args=(listener, port), daemon=True).start()
        self._test.addCleanup(lambda: listener.shutdown(socket.SHUT_RDWR))

    def _listener(self, port: int) -> socket.socket:
        _must(_libc.setns(self._there, _CLONE_NEWNET))
        return socket.create_server(("127.0.0.1", port), backlog=128)


def new_network() -> int:
    """Make a network for this thread; a file that stands for it."""
    _must(_libc.unshare(_CLONE_NEWNET))
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))
    return os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)


def _must(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _in_a_thread(function: Callable[[], T]) -> T:
    """What a function returns that changes its thread for good."""
    found: list[T] = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def _accept(listener: socket.socket, port: int) -> None:
    with listener:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_pass_on, args=(client, port), daemon=True).start()


def _pass_on(client: socket.socket, port: int) -> None:
    try:
        with client, socket.create_connection(("127.0.0.1", port)) as server:
            back = threading.Thread(target=_copy, args=(server, client), daemon=True)
            back.start()
            _copy(client, server)
            back.join()
    except OSError:
        pass  # nobody listens there just now


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    for each in (source, target):
        try:
            each.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
