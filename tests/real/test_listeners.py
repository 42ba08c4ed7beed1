"""What giestack listens on: TLS with several names, UNIX sockets, IPv6, systemd's sockets."""

import os
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.neighbours.backend import WEBSOCKET, Conversation, Listener, Mirror
from tests.neighbours.certificates import DAY, certificate
from tests.neighbours.fronted_site import Visitor, tool_host
from tests.neighbours.fronts import HOST, NOBODY, TOOLS_DOMAIN, VISITOR, Nginx
from tests.neighbours.galaxy import ALICE, PATH_IN_URL, PLAIN, Galaxy, cookie, new_folder
from tests.neighbours.giestack import COOKIE, TWISTD, Giestack
from tests.neighbours.program import PATIENCE, Program, eventually, free_port

HOOK = Path(__file__).parents[2] / "etc" / "certbot-deploy-hook.sh"
HTML = "Accept: text/html"


def request(path, *fields, host=HOST):
    user = f"Cookie: {COOKIE}={cookie(ALICE)}"
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", user, *fields]
    return "\r\n".join([*lines, "", ""]).encode()


def answer_to(talk, sent):
    """Send a request, and return the status of the answer; its body is read, too."""
    talk.send(sent)
    head = talk.head()
    fields = head.lower().split(b"content-length: ")
    talk.exactly(int(fields[1].split(b"\r\n")[0]))
    return int(head.split()[1])


class CertificateTests(SynchronousTestCase):
    """The tutorial's two names on one listener, and certbot."""

    def setUp(self):
        self.made, self.folder = new_folder(self), new_folder(self) / "tls"
        self.root, _, self.signer = certificate(self.made, "root")
        self.port = free_port()
        self.galaxy, self.tool = Galaxy(self), Listener(self)
        self.galaxy.publish(PATH_IN_URL, self.tool.port)
        self.renew(HOST, HOST, reload="true")
        self.renew(TOOLS_DOMAIN, f"*.{TOOLS_DOMAIN}", reload="true")
        self.giestack = Giestack(
            self,
            self.galaxy,
            {
                "galaxy": {"url": f"https://{HOST}/", "cookie_domain": HOST},
                "proxy": {"listen": [f"tls:{self.folder}:{self.port}:interface=127.0.0.1"]},
            },
            wait=False,
        )
        self.giestack.program.until_it_accepts(self.port)

    def renew(self, lineage, name, *, reload=None, key=None):
        """Have certbot renew a certificate, and run the hook."""
        folder = self.made / "live" / lineage
        folder.mkdir(parents=True, exist_ok=True)
        one, own_key, _ = certificate(self.made, lineage, self.signer, hosts=[name], ends=DAY * 9)
        (folder / "fullchain.pem").write_bytes(one.read_bytes())
        (folder / "privkey.pem").write_bytes((key or own_key).read_bytes())
        subprocess.run(
            [HOOK],
            env={
                "PATH": os.environ["PATH"],
                "RENEWED_LINEAGE": str(folder),
                "GIESTACK_TLS": str(self.folder),
                "GIESTACK_GROUP": str(os.getgid()),
                "GIESTACK_RELOAD": reload or f"kill -HUP {self.giestack.program.pid}",
            },
            check=True,
        )

    def connect(self, name):
        """Speak TLS to this host; returns the conversation and the certificate's names."""
        context = ssl.create_default_context(cafile=str(self.root))
        context.check_hostname = False
        # As browsers do.
        context.set_alpn_protocols(["h2", "http/1.1"])
        plain = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        secure = context.wrap_socket(plain, server_hostname=name)
        self.addCleanup(secure.close)
        self.assertEqual(secure.selected_alpn_protocol(), "http/1.1")
        told: Any = secure.getpeercert()
        self.serial = told["serialNumber"]
        return Conversation(secure), [value for _, value in told["subjectAltName"]]

    def said(self, words):
        """How often giestack has said this."""
        return self.giestack.program.output.count(words)

    def test_names(self):
        for name, given in (
            (HOST, HOST),
            (tool_host(PATH_IN_URL), f"*.{TOOLS_DOMAIN}"),
            ("stranger.example.org", HOST),
            (None, HOST),
        ):
            talk, names = self.connect(name)
            self.assertEqual(names, [given])
        talk, _ = self.connect(HOST)
        self.assertEqual(answer_to(talk, request("/giestack/api/v1/whoami")), 200)
        self.assertEqual((self.folder / f"{HOST}.pem").stat().st_mode & 0o777, 0o640)

    def test_renewed_while_somebody_works(self):
        talk, _ = self.connect(HOST)
        self.assertEqual(answer_to(talk, request("/giestack/api/v1/whoami")), 200)
        host = tool_host(PATH_IN_URL)
        tunnel, _ = self.connect(host)
        old = self.serial
        tunnel.send(request("/", *WEBSOCKET, host=host))
        behind = self.tool.accept()
        behind.answer_websocket(behind.head())
        tunnel.head()

        self.renew(TOOLS_DOMAIN, f"*.{TOOLS_DOMAIN}")
        self.giestack.program.until(lambda: self.said("was reloaded"), "a reload")
        self.connect(host)
        new = self.serial
        self.assertNotEqual(new, old)

        # One that does not fit, and one that is damaged: what is there stays.
        _, wrong, _ = certificate(self.made, "wrong")
        self.renew(TOOLS_DOMAIN, f"*.{TOOLS_DOMAIN}", key=wrong)
        self.giestack.program.until(lambda: self.said("Reload refused") == 1, "a refusal")
        file = self.folder / f"{TOOLS_DOMAIN}.pem"
        refusal = f"{file}: the key does not belong to any certificate there"
        self.assertIn(refusal, self.giestack.program.output)
        file.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n")
        self.giestack.program.send(signal.SIGHUP)
        self.giestack.program.until(lambda: self.said("Reload refused") == 2, "a refusal")
        self.assertIn(f"{file} can't be read as PEM", self.giestack.program.output)
        self.connect(host)
        self.assertEqual(self.serial, new)

        # Nobody who was inside has noticed.
        tunnel.send(b"to the tool")
        self.assertEqual(behind.exactly(11), b"to the tool")
        behind.send(b"and back")
        self.assertEqual(tunnel.exactly(8), b"and back")
        self.assertEqual(answer_to(talk, request("/giestack/api/v1/whoami")), 200)
        self.assertNotIn("Traceback", self.giestack.program.output)


class NginxBySocket(Nginx):
    """As the sample says in its first lines."""

    def giestack(self):
        self.path = self.folder / "proxy.sock"
        return {"server 127.0.0.1:8800;": f"server unix:{self.path};"}


class SocketTests(SynchronousTestCase):
    def test_behind_nginx(self):
        galaxy, mirror = Galaxy(self), Mirror(self)
        path = galaxy.publish(PLAIN, mirror.port)
        front = NginxBySocket(self, 0, mirror.port)
        settings: Any = {
            "galaxy": {"url": f"https://{HOST}/"},
            "proxy": {"listen": [f"unix:{front.path}:mode=660"]},
        }
        giestack = Giestack(self, galaxy, settings, wait=False)
        visitor = Visitor(front)

        def look():
            if os.geteuid() == 0:
                # nginx is in the group of giestack.
                os.chown(front.path, -1, NOBODY)
            return [answer for answer in [visitor.ask(path, ALICE)] if answer.status == 200]

        def arrives():
            [answer] = giestack.program.until(look, "an answer")
            return {name.lower(): value for name, value in answer.json["headers"]}

        told = arrives()
        self.assertEqual(front.path.stat().st_mode & 0o777, 0o660)
        # Whoever may open the socket is a front, and has no address of its own.
        self.assertEqual(told["x-forwarded-for"], VISITOR)
        self.assertEqual((told["x-forwarded-proto"], told["host"]), ("https", visitor.authority))
        log = (giestack.files / "var" / "access.log").read_text
        eventually(lambda: f"\n{VISITOR} " in "\n" + log(), "a line in the access log")

        # What a killed one leaves behind is in nobody's way.
        giestack.program.send(signal.SIGKILL)
        giestack.program.wait()
        self.assertTrue(front.path.exists())
        command = [TWISTD, "-n", "--pidfile=", "giestack", "--config", str(giestack.config)]
        giestack.program = Program(self, command, giestack.files, output="second")
        arrives()
        giestack.program.send(signal.SIGTERM)
        self.assertEqual(giestack.program.wait(), 0)
        self.assertFalse(front.path.exists())


class AddressTests(SynchronousTestCase):
    def test_ipv6(self):
        galaxy, mirror = Galaxy(self), Mirror(self)
        path = galaxy.publish(PLAIN, mirror.port)
        port = free_port()
        settings: Any = {
            "proxy": {
                "listen": [f"tcp:{port}:interface=\\:\\:1"],
                "trusted_proxies": ["::1", "2001:db8:1::/48"],
            }
        }
        giestack = Giestack(self, galaxy, settings, wait=False)

        def ask(claimed):
            with socket.create_connection(("::1", port), PATIENCE) as connection:
                talk = Conversation(connection)
                talk.send(request(path, f"X-Forwarded-For: {claimed}", "Connection: close"))
                return talk.head() + talk.until_the_end()[0]

        giestack.program.until(lambda: b" 200 " in ask("2001:db8::6"), "an answer")
        # The last front is in a trusted network, however it is written.
        ask("2001:DB8::7, 2001:db8:0001:0::2")
        log = giestack.files / "var" / "access.log"
        addresses = {"2001:db8::6", "2001:DB8::7"}
        eventually(
            lambda: addresses == {line.partition(" ")[0] for line in log.read_text().splitlines()},
            "the visitors' addresses in the access log",
        )


SYSTEMD = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_FDNAMES="proxy", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""
"""What systemd does for a unit with a socket (sd_listen_fds(3))."""


class SystemdTests(SynchronousTestCase):
    def test_its_socket(self):
        galaxy, mirror = Galaxy(self), Mirror(self)
        path = galaxy.publish(PLAIN, mirror.port)
        settings = {"proxy": {"listen": ["systemd:domain=INET:name=proxy"]}}
        giestack = Giestack(self, galaxy, settings, wait=False)
        giestack.program.end()
        command = [TWISTD, "-n", "--pidfile=", "giestack", "--config", str(giestack.config)]
        giestack.program = Program(
            self,
            [sys.executable, "-c", SYSTEMD, str(giestack.port), *command],
            giestack.files,
            output="second",
        )
        giestack.program.until(
            lambda: giestack.ask(path, cookie=cookie(ALICE)).status == 200, "an answer"
        )
