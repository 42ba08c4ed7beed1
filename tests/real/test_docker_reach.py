"""What the program of a session can reach, see and do from inside of its container."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.neighbours import own_network
from tests.neighbours.containers import MB, ContainerCase
from tests.neighbours.docker import docker
from tests.neighbours.galaxy import ALICE, BOB, cookie
from tests.neighbours.own_network import ADDRESS
from tests.neighbours.program import eventually
from tests.neighbours.sessions import SECRET

PASSWORD = "the-password-of-galaxys-database"
STATUS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")


class Place(NamedTuple):
    """Where a session's program is, seen from the engine's host."""

    address: str
    gateway: str
    port: int


class Listener:
    """A port of the host, and how often somebody has come."""

    def __init__(self, test, host):
        self._listener = socket.create_server((host, 0), backlog=64)
        self._listener.setblocking(False)
        test.addCleanup(self._listener.close)
        self.port = self._listener.getsockname()[1]

    def visits(self):
        """How many there were since the last time."""
        count = 0
        while True:
            try:
                self._listener.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1


class ReachCase(ContainerCase):
    def place(self, sessions, session):
        shown = sessions.inspect(session)
        (network,) = shown["NetworkSettings"]["Networks"].values()
        (binding,) = shown["NetworkSettings"]["Ports"]["8888/tcp"]
        return Place(network["IPAddress"], network["Gateway"], int(binding["HostPort"]))

    def reached(self, sessions, session, *targets):
        """Those of (host, port) that a session gets a connection to, and perhaps an answer."""
        tries = [
            f"(printf 'GET / HTTP/1.0\\r\\n\\r\\n' | timeout 2 nc -w 1 {host} {port} >/tmp/{number}"
            f" && echo {number} || grep -q HTTP /tmp/{number} && echo {number}) &"
            for number, (host, port) in enumerate(targets)
        ]
        script = "\n".join(["exec 2>/dev/null", *tries, "wait"])
        printed = sessions.run(session, "sh", "-c", script)[1]
        return {targets[int(number)] for number in printed.split()}

    def addresses(self):
        """All IPv4 addresses of this machine but those of its loopback."""
        shown = json.loads(
            subprocess.run(["ip", "-4", "-json", "address"], check=True, capture_output=True).stdout
        )
        found = [one["local"] for link in shown for one in link["addr_info"]]
        return [one for one in found if not one.startswith("127.")]

    def listening(self, port):
        """The addresses at which somebody listens on a port."""
        shown = subprocess.run(
            ["ss", "-ltnH", f"sport = :{port}"], check=True, capture_output=True, text=True
        ).stdout
        return {line.split()[3].rpartition(":")[0] for line in shown.splitlines()}


class NetworkTests(ReachCase):
    """On an engine that has a packet filter for itself, whatever else runs on this machine."""

    def setUp(self):
        super().setUp()
        own_network.enter(self)

    def begin(self, *, engine=None, **more):
        """A giestack on such an engine."""
        self.engine = self.own_engine(**(engine or {}))
        self.assertTrue(self.engine.isolates)
        return self.start(self.engine, **more)

    def test_not_another_session(self):
        sessions = self.begin()
        alices, bobs = sessions.ready("good"), sessions.request("good", BOB)
        eventually(lambda: sessions.states()[bobs["id"]] == "ready", "bob's session")
        own, other = self.place(sessions, alices), self.place(sessions, bobs)
        self.assertEqual(own.gateway, other.gateway)
        hosts = [other.gateway, *self.addresses()]
        targets = [
            (other.address, 8888),
            (sessions.name_of(bobs), 8888),
            *((host, other.port) for host in hosts),
            *((host, own.port) for host in hosts),
            ("127.0.0.1", other.port),
        ]
        itself = (own.address, 8888)
        self.assertEqual(self.reached(sessions, alices, itself, *targets), {itself})
        for place in (own, other):
            self.assertEqual(self.listening(place.port), {"127.0.0.1"})
        # Nor by IPv6, which the packet filter of this network says nothing of; nor as the other.
        self.assertNotIn("eth0", sessions.run(alices, "cat", "/proc/net/if_inet6")[1])
        status, printed = sessions.run(alices, "arping", "-c", "1", "-I", "eth0", other.address)
        self.assertNotEqual(status, 0)
        self.assertIn("not permitted", printed)
        # Visitors have the one way in.
        self.assertEqual(sessions.ask(bobs["url"], cookie=cookie(ALICE)).status, 403)
        self.assertEqual(sessions.ask(bobs["url"], cookie=cookie(BOB)).status, 200)

    def test_not_the_hosts_own(self):
        sessions = self.begin()
        session = sessions.ready("good")
        engine = urlsplit(self.engine.tls.url).port
        database, everybodys = Listener(self, "127.0.0.1"), Listener(self, "0.0.0.0")
        hosts = [self.place(sessions, session).gateway, *self.addresses(), "127.0.0.1"]
        ports = [sessions.admin_port, sessions.port, engine, 2375, 2376, database.port]
        found = self.reached(sessions, session, *((host, port) for host in hosts for port in ports))
        self.assertEqual(found, set())
        self.assertEqual(database.visits(), 0)
        # What listens everywhere is reached: so it was no mistake of ours above.
        self.reached(sessions, session, (hosts[0], everybodys.port))
        self.assertEqual(everybodys.visits(), 1)

    def test_at_an_address_that_others_reach(self):
        sessions, alices, other = self.at_another_address()
        # Docker's own proxy lets everybody in who reaches the address, as giestack's settings
        # are told to say; no network of Docker's keeps sessions from it.
        way = (ADDRESS, other.port)
        self.assertEqual(self.reached(sessions, alices, way), {way})
        command = [Path(sys.executable).with_name("giestack"), "check-config", sessions.config]
        checked = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertIn("userland-proxy", checked.stdout + checked.stderr)

    def test_at_an_address_that_others_reach_without_dockers_proxy(self):
        sessions, alices, other = self.at_another_address(userland_proxy=False)
        self.assertEqual(self.reached(sessions, alices, (ADDRESS, other.port)), set())

    def at_another_address(self, **engine):
        """Two sessions, one of which tries what it should not reach at any address but that one."""
        sessions = self.begin(engine=engine, settings={"address": ADDRESS})
        alices, bobs = sessions.ready("good"), sessions.ready("good", name="second")
        own, other = self.place(sessions, alices), self.place(sessions, bobs)
        self.assertEqual(self.listening(other.port), {ADDRESS})
        self.assertEqual(sessions.ask(bobs["url"], cookie=cookie(ALICE)).status, 200)
        self.assertEqual(own.gateway, other.gateway)
        hosts = [other.gateway, *self.addresses(), "127.0.0.1"]
        targets = [(host, other.port) for host in hosts if host != ADDRESS]
        found = self.reached(sessions, alices, (other.address, 8888), *targets)
        self.assertEqual(found, set())
        return sessions, alices, other


class InsideTests(ReachCase):
    def setUp(self):
        super().setUp()
        self.engine = docker()
        self.assertTrue(self.engine.tools)

    def statuses(self, sessions, session):
        """What the kernel says of the rights of each process there."""
        printed = sessions.run(session, "sh", "-c", "cat /proc/[0-9]*/status")[1]
        found: list[dict[str, int]] = []
        for line in printed.splitlines():
            name, _, value = line.partition(":")
            if name == "Name":
                found.append({})
            if name in STATUS:
                found[-1][name] = int(value, 16)
        return found

    def test_rights(self):
        sessions = self.start(
            self.engine,
            profiles={"good": {"user": "0"}, "low": {"cap_add": ["net_bind_service"]}},
        )
        session = sessions.ready("good")
        for status in self.statuses(sessions, session):
            self.assertEqual(status, {**dict.fromkeys(STATUS, 0), "NoNewPrivs": 1, "Seccomp": 2})
        granted = sessions.ready("low")
        for status in self.statuses(sessions, granted):
            self.assertEqual((status["CapEff"], status["CapBnd"]), (1 << 10, 1 << 10))
        for command, words in (
            ("mount -t tmpfs none /tmp", "permission denied"),
            ("mount -o remount,rw /sys", "permission denied"),
            ("mknod /tmp/disk b 254 0", "not permitted"),
            ("echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet", "read-only"),
            ("hostname other", "not permitted"),
            ("ip link set eth0 down", "not permitted"),
            ("unshare -r true", "not permitted"),
            ("chown 1000 /etc/passwd", "not permitted"),
            ("chroot / true", "not permitted"),
        ):
            status, printed = sessions.run(session, "sh", "-c", command)
            self.assertNotEqual(status, 0, command)
            self.assertIn(words, printed.lower(), command)

    def test_limits(self):
        limits = {
            "memory": "48M",
            "cpus": 0.5,
            "pids": 100,
            "shm_size": "8M",
            "ulimits": {"nofile": {"soft": 100, "hard": 200}},
        }
        sessions = self.start(self.engine, profiles={"good": limits})
        session = sessions.ready("good")
        for files, wanted in (
            (("memory/memory.limit_in_bytes", "memory.max"), {48 * MB}),
            (("memory/memory.memsw.limit_in_bytes", "memory.swap.max"), {48 * MB, 0}),
            (("pids/pids.max", "pids.max"), {100}),
            (("cpu/cpu.cfs_quota_us", "cpu.max"), {50_000}),
        ):
            paths = " ".join(f"/sys/fs/cgroup/{one}" for one in files)
            printed = sessions.run(session, "sh", "-c", f"cat {paths} 2>/dev/null")[1]
            # Without an account of swap there is no such file, and no limit of it.
            if printed or "swap" not in files[1]:
                self.assertIn(int(printed.split()[0]), wanted, files)
        printed = sessions.run(session, "sh", "-c", "ulimit -Sn; ulimit -Hn; df -k /dev/shm")[1]
        self.assertEqual(printed.split()[:2], ["100", "200"])
        self.assertIn("8192", printed)

    def test_what_it_sees(self):
        instance = f"test{os.getpid()}sees"
        profile = {
            "user": "somebody",
            "env": {"GREETING": "hello"},
            # With the instance's name it is found, and removed, at the end.
            "volumes": {f"home-{instance}-{{user}}": "/home/somebody"},
        }
        sessions = self.start(
            self.engine,
            instance=instance,
            environment={"DATABASE_PASSWORD": PASSWORD},
            profiles={"good": profile},
        )
        session = sessions.ready("good")
        # Its secret, and it alone can be read; not changed.
        secret = "/run/secrets/word"
        self.assertEqual(sessions.run(session, "cat", secret), (0, SECRET))
        self.assertNotEqual(sessions.run(session, "sh", "-c", f"echo x > {secret}")[0], 0)
        self.assertEqual(sessions.run(session, "ls", "/run/secrets")[1].split(), ["word"])
        # Nothing of giestack's or of the secret where others than its processes see it.
        environment = sessions.run(session, "sh", "-c", "cat /proc/[0-9]*/environ")[1]
        self.assertIn("GREETING=hello", environment)
        shown = json.dumps(sessions.inspect(session))
        for hidden in (SECRET, PASSWORD):
            self.assertNotIn(hidden, environment)
            self.assertNotIn(hidden, shown)
        names = {one.partition("=")[0] for one in environment.split("\0") if "=" in one}
        known = "PATH HOSTNAME HOME TERM PWD SHLVL PROXY_PREFIX EP_PATH GALAXY_URL GALAXY_WEB_PORT"
        known += " GREETING REMOTE_HOST CORS_ORIGIN USER_EMAIL GIESTACK_SECRETS"
        self.assertLessEqual(names, set(known.split()))
        # No folder and no socket of the host.
        mounts = sessions.inspect(session)["Mounts"]
        self.assertEqual({one["Type"] for one in mounts}, {"volume"})
        self.assertEqual({one["Destination"] for one in mounts}, {"/run/secrets", "/home/somebody"})
        sockets = "find / -type s -not -path '/proc/*' 2>/dev/null; ls /var/run/docker.sock"
        self.assertEqual(
            sessions.run(session, "sh", "-c", sockets)[1],
            "ls: /var/run/docker.sock: No such file or directory\n",
        )
        for path in (sessions.files, self.galaxy.database, self.engine.socket):
            self.assertNotEqual(sessions.run(session, "ls", str(path))[0], 0)
        # The devices that every container has.
        devices = sessions.run(session, "sh", "-c", "find /dev -type b; ls /dev")[1]
        self.assertNotIn("/dev/", devices)
        known = "console core fd full mqueue null ptmx pts random shm stderr stdin stdout tty"
        self.assertLessEqual(set(devices.split()), {*known.split(), "urandom", "zero"})
