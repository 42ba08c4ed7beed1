"""What a session runs, well behaved or not: ``session_program.py HOW PORT MARK``.

It listens on a port of 127.0.0.1 and answers each request on a connection of its own; the path
may end with ``/exit/STATUS`` or ``/environ``. ``MARK`` is there to be found on the command line.
"""

import json
import os
import signal
import socket
import sys
import time


def main(how: str, port: str, mark: str) -> None:
    print(f"{how} begins", flush=True)
    if how == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if how in ("family", "stubborn"):
        _daemon({}, mark)
    if how in ("family", "stubborn", "daemon"):
        _daemon(dict(os.environ), mark)
    if how == "loud":
        for number in range(200):
            print(f"line {number}", flush=True)
    if how == "mute":
        time.sleep(600)
    if how == "gone":
        sys.exit(4)
    with socket.create_server(("127.0.0.1", int(port)), backlog=64) as listener:
        kept = []
        while True:
            connection, _ = listener.accept()
            if how == "hang":
                kept.append(connection)
            else:
                with connection:
                    _answer(connection, how)


def _answer(connection: socket.socket, how: str) -> None:
    if how == "slam":
        return
    try:
        head = connection.recv(65536)
        if how == "babble":
            connection.sendall(b"220 ftp.example.org ready\r\n")
            return
        path = head.split(b" ")[1].decode("ascii") if b" " in head else ""
        if "/exit/" in path:
            print("told to end", flush=True)
            os._exit(int(path.rpartition("/")[2]))
        told = dict(os.environ) if path.endswith("/environ") else {"pid": os.getpid()}
        body = json.dumps(told).encode()
        status = b"500 Internal Server Error" if how == "broken" else b"200 OK"
        connection.sendall(
            b"HTTP/1.1 %b\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
            % (status, len(body), body)
        )
    except OSError:
        pass


def _daemon(environment: dict[str, str], mark: str) -> None:
    """A process in a session of its own, whose parent has ended, that ends for nobody."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            code = "import signal,time;signal.signal(15,signal.SIG_IGN);time.sleep(600)"
            os.execve(sys.executable, [sys.executable, "-I", "-S", "-c", code, mark], environment)
        os._exit(0)
    os.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
