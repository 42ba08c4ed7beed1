"""The engines and registries that other tests rely on."""

import http.client
import json
import ssl
import subprocess
import time
import urllib.request

from twisted.trial.unittest import SynchronousTestCase

from tests.neighbours.docker import Dockerd, docker
from tests.neighbours.docker_traces import other_engines
from tests.neighbours.program import accepts, eventually
from tests.neighbours.registry import PASSWORD, USER, Registry
from tests.neighbours.tools_image import have_tools_image

PORTS = {"8888/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}
MARK = "giestack-neighbours"


class EngineTests(SynchronousTestCase):
    def setUp(self):
        self.engine = docker()
        self.api = self.engine.api
        self.addCleanup(lambda: self.assertEqual(self.api.left(MARK), []))
        self.addCleanup(self.api.remove_all, MARK)

    def run_program(self, *command, **host):
        name = f"{MARK}-{command[1]}"
        body = {
            "Image": self.engine.tools,
            "Cmd": list(command),
            "HostConfig": {"Init": True, "PortBindings": PORTS, **host},
        }
        self.api.must("POST", "/containers/create", body, name=name)
        self.api.must("POST", f"/containers/{name}/start")
        return name

    def test_programs(self):
        name = self.run_program("program", "listen")
        shown = self.api.must("GET", f"/containers/{name}/json")
        port = shown["NetworkSettings"]["Ports"]["8888/tcp"][0]["HostPort"]

        def answer():
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/a/b?c", timeout=5).read()

        self.assertEqual(eventually(answer, "the program answers"), b"here is /a/b\n")
        self.assertIn(f"container /{name}", self.api.left(MARK))
        name = self.run_program("program", "stubborn")
        self.api.must("POST", f"/containers/{name}/stop", t="1")
        shown = self.api.must("GET", f"/containers/{name}/json")
        self.assertEqual(shown["State"]["ExitCode"], 137)

    def test_a_program_that_eats(self):
        name = self.run_program("program", "eat", Memory=2 * 10**7, MemorySwap=2 * 10**7)
        self.assertEqual(self.api.must("POST", f"/containers/{name}/wait")["StatusCode"], 137)

    def test_mutual_tls(self):
        tls = self.engine.tls
        port = int(tls.url.rpartition(":")[2])

        def ping(context):
            connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context)
            self.addCleanup(connection.close)
            connection.request("GET", "/_ping")
            return connection.getresponse().status

        context = ssl.create_default_context(cafile=str(tls.ca))
        self.assertRaises(OSError, ping, context)
        context.load_cert_chain(tls.cert, tls.key)
        self.assertEqual(ping(context), 200)
        self.assertRaises(ssl.SSLError, ping, ssl.create_default_context())

    def test_a_registry(self):
        for registry in (Registry(self), Registry(self, private=True)):
            digest = registry.push(f"{MARK}/image:1", megabytes=1)
            reference = f"{registry.host}/{MARK}/image"
            headers = ""
            if registry.private:
                said = self.api.ask("POST", "/images/create", fromImage=reference, tag="1")
                self.assertEqual(said[0], 500)
                headers = json.dumps({"username": USER, "password": PASSWORD})
            told = self.api.must(
                "POST", "/images/create", auth=headers, fromImage=reference, tag="1"
            )
            self.addCleanup(self.api.ask, "DELETE", f"/images/{reference}:1")
            self.assertNotIn("error", told[-1])
            shown = self.api.must("GET", f"/images/{reference}:1/json")
            self.assertEqual(shown["RepoDigests"], [f"{reference}@{digest}"])

    def test_a_slow_registry(self):
        registry = Registry(self, rate=10**6)
        registry.push(f"{MARK}/slow:1", megabytes=1)
        reference = f"{registry.host}/{MARK}/slow"
        began = time.monotonic()
        self.api.must("POST", "/images/create", fromImage=reference, tag="1")
        self.addCleanup(self.api.ask, "DELETE", f"/images/{reference}:1")
        self.assertGreater(time.monotonic() - began, 0.9)


class DockerdTests(SynchronousTestCase):
    def test_from_start_to_end(self):
        links = links_of_this_machine()
        engine = Dockerd()
        self.addCleanup(engine.end)
        engine.start()
        api = engine.api
        api.must("DELETE", f"/images/{engine.tools}")
        have_tools_image(api)
        body = {
            "Image": engine.tools,
            "HostConfig": {"Init": True, "PortBindings": PORTS, "Binds": ["vol:/data"]},
        }
        api.must("POST", "/networks/create", {"Name": "net"})
        for name in ("one", "two"):
            api.must("POST", "/containers/create", body, name=name)
            api.must("POST", f"/containers/{name}/start")
        engine.stop()
        self.assertRaises(OSError, api.ask, "GET", "/_ping")
        engine.start()
        (_, state) = api.ask("GET", "/containers/one/json")
        self.assertEqual(state["State"]["Status"], "exited")
        api.must("POST", "/containers/one/start")
        engine.kill()
        self.assertRaises(OSError, api.ask, "GET", "/_ping")
        engine.start()
        api.must("POST", "/containers/one/start")
        shown = api.must("GET", "/containers/one/json")
        port = shown["NetworkSettings"]["Ports"]["8888/tcp"][0]["HostPort"]
        self.assertTrue(accepts(int(port)))
        self.assertIn(pid := engine.pid, other_engines())
        engine.kill()
        engine.end()
        self.assertFalse(accepts(int(port)))
        self.assertFalse(engine.folder.exists())
        # Somebody else's may come and go.
        self.assertNotIn(pid, other_engines())
        self.assertEqual([one for one in links_of_this_machine() if one not in links], [])


def links_of_this_machine():
    """Bridges; others' containers may come and go."""
    shown = subprocess.run(
        ["ip", "-o", "link", "show", "type", "bridge"], capture_output=True, text=True, check=True
    )
    names = [line.split()[1].rstrip(":") for line in shown.stdout.splitlines()]
    return [name for name in names if name.startswith("gst")]
