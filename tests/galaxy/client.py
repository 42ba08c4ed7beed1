"""A visitor of a Galaxy and of giestack: a browser's cookies, and Galaxy's API by them."""

import http.client
import json
from collections.abc import Mapping
from contextlib import closing
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import quote

from tests.galaxy.server import BOOTSTRAP, START, Server
from tests.neighbours.giestack import COOKIE, Answer
from tests.neighbours.program import PATIENCE

USERS = ("admin", "alice", "bob")


class Visitor:
    """Somebody with a browser at a Galaxy; nobody in particular before `log_in`.

    ``cookie`` is a session that the browser has already.

    :ivar set_cookie: the attributes of Galaxy's own cookie, as it was set last.
    :ivar named: the header in which a front says who it is; empty where none does.
    """

    def __init__(self, server: Server, cookie: str | None = None) -> None:
        self._server = server
        self.set_cookie: dict[str, str] = {}
        self.named: dict[str, str] = {}
        self._name: str | None = None
        self._cookie = cookie

    @property
    def cookie(self) -> str:
        """The value of Galaxy's session cookie."""
        assert self._cookie is not None, "no session yet"
        return self._cookie

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request to Galaxy, JSON where there is a body; keep the cookie that it sets."""
        sent = {"Host": f"localhost:{self._server.port}", **self.named, **(headers or {})}
        if self._cookie is not None:
            sent["Cookie"] = f"{COOKIE}={self._cookie}"
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=PATIENCE)
        with closing(connection):
            connection.request(method, path, data, sent)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        for line in answer.headers.get_all("set-cookie") or []:
            morsel = SimpleCookie(line).get(COOKIE)
            if morsel is not None:
                self._cookie = morsel.value
                self.set_cookie = {name: str(value) for name, value in morsel.items()}
        return answer

    def done(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """Send a request that must be answered with 200; the JSON of the answer."""
        answer = self.ask(method, path, body, headers)
        assert answer.status == 200, (method, path, answer.status, answer.body[:2000])
        return answer.json if answer.body else None

    @property
    def fields(self) -> dict[str, str]:
        """What its browser sends to any port of this machine."""
        return {"Host": "localhost", "Cookie": f"{COOKIE}={self.cookie}"}

    def arrive(self) -> "Visitor":
        """Look at a page: Galaxy makes an anonymous session."""
        self.ask("GET", "/login/start")
        return self

    def log_in(self, name: str) -> "Visitor":
        """Log in as one of `USERS`."""
        self._name = name
        self.arrive()
        form = {"login": f"{name}@example.org", "password": f"password-{name}"}
        self.done("POST", "/user/login", {**form, "session_csrf_token": self._token()})
        assert self.done("GET", "/api/users/current")["username"] == name
        return self

    def log_out(self) -> None:
        self.ask("GET", f"/user/logout?session_csrf_token={quote(self._token())}")

    def impersonate(self, name: str) -> None:
        """Become somebody else, as an administrator may."""
        users = {user["username"]: user["id"] for user in self.done("GET", "/api/users")}
        self.done_or_moved(f"/admin/impersonate?id={users[name]}")
        assert self.done("GET", "/api/users/current")["username"] == name

    def done_or_moved(self, path: str) -> None:
        answer = self.ask("GET", path)
        assert answer.status in (200, 302), (answer.status, answer.body[:500])

    def _token(self) -> str:
        token: str = self.done("GET", "/context")["session_csrf_token"]
        return token

    # Interactive tools.

    def end_tools(self) -> None:
        """End all that run for this user, or session, also where it has been left meanwhile."""
        visitor = self if self._name is None else Visitor(self._server).log_in(self._name)
        for tool in visitor.entry_points().values():
            visitor.ask("DELETE", f"/api/entry_points/{tool['id']}")

    def start(self, tool: str) -> str:
        """Have a tool started; the id of its job."""
        history = self.done("GET", "/history/current_history_json")["id"]
        wanted = {"tool_id": tool, "history_id": history, "inputs": {}}
        answer = self.done("POST", "/api/tools", wanted)
        job: str = answer["jobs"][0]["id"]
        return job

    def entry_points(self) -> dict[str, dict[str, Any]]:
        """The entry points of this visitor's running tools, by label."""
        found = self.done("GET", "/api/entry_points?running=true")
        return {one["label"]: one for one in found}


def with_users(server: Server) -> Server:
    """Wait until a Galaxy answers, and see to it that it has `USERS`."""
    bootstrap = Visitor(server)
    key = {"x-api-key": BOOTSTRAP}
    server.program.until(
        lambda: bootstrap.ask("GET", "/api/version").status == 200, "Galaxy", START
    )
    there = {user["username"] for user in bootstrap.done("GET", "/api/users", **key)}
    for name in USERS:
        if name not in there:
            wanted = {"username": name, "email": f"{name}@example.org"}
            bootstrap.done("POST", "/api/users", {**wanted, "password": f"password-{name}"}, **key)
    return server
