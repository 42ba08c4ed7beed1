"""An application behind Galaxy's login, as gx-cookie-proxy had them: it believes REMOTE_USER."""

import json
import threading
from wsgiref.simple_server import WSGIRequestHandler, make_server

from twisted.trial.unittest import SynchronousTestCase

from tests.neighbours.backend import conversation, request
from tests.neighbours.galaxy import ADMIN, ALICE, ANONYMOUS, LOGGED_OUT, Galaxy, cookie
from tests.neighbours.giestack import Giestack

FORGED = ("REMOTE_USER", "Remote-User", "remote_user", "rEmOtE-uSeR", "Remote.User", "Remote!User")


class Quiet(WSGIRequestHandler):
    def log_message(self, format, *args):
        pass


def application(environ, start_response):
    """Tell what a WSGI application is told of its user and its place."""
    told = {name: value for name, value in environ.items() if "USER" in name or "MAIL" in name}
    told["path"] = environ["PATH_INFO"]
    told["cookie"] = environ.get("HTTP_COOKIE", "")
    body = json.dumps(told).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


class WSGITests(SynchronousTestCase):
    def setUp(self):
        server = make_server("127.0.0.1", 0, application, handler_class=Quiet)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        backend = f"http://127.0.0.1:{server.server_port}"
        services = [
            {"path": "/apollo", "backend": backend},
            {"path": "/kept", "backend": backend, "strip_path": False, "user_header": "X-Mail"},
            {"path": "/admins", "backend": backend, "require": "admin"},
        ]
        self.giestack = Giestack(self, Galaxy(self), {"proxy": {"services": services}})

    def test_who_is_asking(self):
        told = self.giestack.ask("/apollo/a/b", cookie=cookie(ALICE)).json
        self.assertEqual(told.pop("HTTP_REMOTE_USER"), "alice@example.org")
        self.assertEqual((told.pop("path"), told.pop("cookie")), ("/a/b", ""))
        self.assertEqual(told, {})
        told = self.giestack.ask("/kept/a", cookie=cookie(ALICE)).json
        expected = {"path": "/kept/a", "cookie": "", "HTTP_X_MAIL": "alice@example.org"}
        self.assertEqual(told, expected)
        admin = self.giestack.ask("/admins/", cookie=cookie(ADMIN)).json
        self.assertEqual(admin["HTTP_REMOTE_USER"], "admin@example.org")

    def test_nobody_is_somebody_else(self):
        for case, path, status in (
            (None, "/apollo/", 401),
            (ANONYMOUS, "/apollo/", 401),
            (LOGGED_OUT, "/apollo/", 401),
            (ALICE, "/admins/", 403),
        ):
            value = None if case is None else cookie(case)
            headers = {"REMOTE_USER": "admin@example.org"}
            answer = self.giestack.ask(path, cookie=value, headers=headers)
            self.assertEqual(answer.status, status, case)
        for name in FORGED:
            client = conversation(self, self.giestack.port)
            fields = (f"{name}: admin@example.org", f"Cookie: galaxysession={cookie(ALICE)}")
            client.send(request("/apollo/", *fields, "Connection: close"))
            head, _, body = client.until_the_end()[0].partition(b"\r\n\r\n")
            self.assertIn(b" 200 ", head.splitlines()[0])
            users = [value for key, value in json.loads(body).items() if "USER" in key.upper()]
            self.assertEqual(users, ["alice@example.org"], name)
