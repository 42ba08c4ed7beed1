"""RStudio, EtherCalc and a plain page as sessions: what they need, through the real proxy.

The programs are stand-ins that need of a proxy what the real ones need.
"""

import json
import socket
import sys
from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from websockets.sync.client import connect

from tests.neighbours import ethercalc_program, rstudio_program
from tests.neighbours.certificates import DAY, certificate
from tests.neighbours.galaxy import ALICE, cookie
from tests.neighbours.giestack import COOKIE, Answer
from tests.neighbours.program import PATIENCE
from tests.neighbours.sessions import SessionCase, Sessions

PYTHON = [sys.executable, "-I", "-S"]
RSTUDIO: dict[str, Any] = {
    "title": "RStudio",
    "command": [*PYTHON, rstudio_program.__file__, "--port={port}"],
    "env": {"DISABLE_AUTH": "true"},
    "strip_path": True,
    "headers": {"X-RStudio-Root-Path": "{base_path}"},
    "readiness": {"path": "/", "timeout": 30},
}
ETHERCALC: dict[str, Any] = {
    "title": "EtherCalc",
    "command": [*PYTHON, ethercalc_program.__file__, "--port={port}", "--basepath={base_path}"],
    "strip_path": True,
    "readiness": {"path": "/", "timeout": 30},
}
PLAIN: dict[str, Any] = {
    "command": [*PYTHON, "-m", "http.server", "--bind=127.0.0.1", "{port}"],
    "strip_path": True,
    "readiness": {"path": "/", "timeout": 30},
}
FORM = "application/x-www-form-urlencoded"


class ProgramCase(SessionCase):
    def get(self, sessions: Sessions, path: str, **more: Any) -> Answer:
        return sessions.ask(path, cookie=cookie(ALICE), **more)


class RStudioTests(ProgramCase):
    def test_it_opens_without_a_login_of_its_own(self):
        sessions = self.start(profiles={"rstudio": RSTUDIO})
        url = sessions.ready("rstudio")["url"]
        answer = self.get(sessions, url)
        self.assertEqual(answer.status, 200)
        self.assertIn(f'<base href="{url}">', answer.body.decode())
        # Who has an old link to the login is sent on, below the session.
        answer = self.get(sessions, f"{url}auth-sign-in")
        self.assertEqual((answer.status, answer.headers["Location"]), (302, url))

    def test_what_is_in_a_path_stays_in_it(self):
        sessions = self.start(profiles={"rstudio": RSTUDIO})
        url = sessions.ready("rstudio")["url"]
        answer = self.get(sessions, f"{url}files/a%2Fb/c%20d/%C3%A9")
        self.assertEqual(answer.json, ["a/b", "c d", "é"])

    def test_nobody_else_says_where_it_is(self):
        sessions = self.start(profiles={"rstudio": RSTUDIO})
        url = sessions.ready("rstudio")["url"]
        claims = {"x-rstudio-root-path": "/evil", "X_RStudio_Root_Path": "/evil"}
        told = self.get(sessions, f"{url}told?x=%2F", headers=claims).json
        self.assertEqual(told["path"], "/told?x=%2F")
        fields = [(name.lower(), value) for name, value in told["headers"]]
        self.assertEqual([v for n, v in fields if "rstudio" in n], [url.rstrip("/")])
        self.assertEqual(dict(fields)["x-forwarded-prefix"], url.rstrip("/"))
        self.assertNotIn(cookie(ALICE), json.dumps(told))

    def test_its_own_login(self):
        sessions = self.start(profiles={"rstudio": {**RSTUDIO, "env": {}}})
        url = sessions.ready("rstudio")["url"]
        answer = self.get(sessions, f"{url}?x=1")
        self.assertEqual(answer.status, 302)
        self.assertEqual(answer.headers["Location"], f"{url}auth-sign-in?appUri=%2F%3Fx%3D1")
        exponent, modulus = self.get(sessions, f"{url}auth-public-key").body.decode().split(":")
        self.assertEqual((int(exponent, 16), int(modulus, 16) % 2), (65537, 1))
        said = self.sign_in(sessions, url, "wrong")
        self.assertIn(f"Location: {url}auth-sign-in?error=2", said)
        said = self.sign_in(sessions, url, "rstudio")
        self.assertIn(f"Location: {url}\r\n", said)
        own = said.partition("Set-Cookie: ")[2].partition(";")[0]
        self.assertIn(f"Path={url.rstrip('/')};", said)
        both = {"Cookie": f"{COOKIE}={cookie(ALICE)}; {own}"}
        self.assertEqual(sessions.ask(url, headers=both).status, 200)

    def sign_in(self, sessions: Sessions, url: str, password: str) -> str:
        """Send the form as jQuery does behind a front that speaks HTTP/2; the answer's head."""
        form = {
            "v": rstudio_program.encrypted(f"rstudio\n{password}"),
            "persist": "1",
            "clientPath": "/rstudio/auth-sign-in",
            "appUri": "",
        }
        body = urlencode(form).encode()
        head = (
            f"POST {url}auth-do-sign-in HTTP/1.1\r\nhost: 127.0.0.1:{sessions.port}\r\n"
            f"cookie: {COOKIE}={cookie(ALICE)}\r\nconnection: close\r\n"
            f"content-type: {FORM}; charset=UTF-8\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", sessions.port), PATIENCE) as connection:
            connection.sendall(head.encode() + body)
            connection.settimeout(PATIENCE)
            said = b""
            while data := connection.recv(65536):
                said += data
        return said.decode()


class KeyTests(ProgramCase):
    def test_a_key_to_galaxys_api(self):
        sessions = self.start(profiles={"plain": {**PLAIN, "title": "Page", "api_key": True}})
        # Galaxy has made one for alice.
        session = sessions.ready("plain")
        with closing(self.galaxy.connect()) as database, database:
            database.execute("UPDATE api_keys SET deleted = 1")
        sessions.api(f"sessions/{session['id']}/restart", method="POST")
        told = sessions.until_it_is(session, "failed")
        self.assertIn("API key", told["reason"])
        self.assertIn("Preferences", told["reason"])
        told = json.dumps(told) + sessions.program.output
        self.assertNotIn("a" * 32, told)


class HeaderTests(ProgramCase):
    def test_what_no_header_can_hold_is_not_even_started(self):
        profile = {**PLAIN, "title": "Page", "headers": {"X-Name": "{options.name}"}}
        profile["options"] = {"name": {"type": "text", "default": "Łódź"}}
        sessions = self.start(profiles={"plain": profile})
        told = sessions.until_it_is(sessions.request("plain"), "failed")
        self.assertIn("{options.name} in the header “X-Name”", told["reason"])
        sessions.until_nothing_runs()


class EtherCalcTests(ProgramCase):
    def test_a_sheet_that_all_see(self):
        sessions = self.start(profiles={"ethercalc": ETHERCALC})
        self.work(sessions, sessions.ready("ethercalc")["url"])

    def test_what_it_sends_leads_below_the_session(self):
        sessions = self.start(profiles={"ethercalc": ETHERCALC})
        url = sessions.ready("ethercalc")["url"]
        self.assertIn(f'<base href="{url}">', self.get(sessions, url).body.decode())
        answer = self.get(sessions, f"{url}_new")
        self.assertEqual(answer.status, 302)
        self.assertEqual(self.get(sessions, answer.headers["Location"]).status, 200)

    def work(self, sessions: Sessions, url: str) -> None:
        one, other = self.talk(sessions, url), self.talk(sessions, url)
        with one, other:
            one.send(json.dumps({"sheet": "a", "text": "1,2"}))
            for each in (one, other):
                self.assertEqual(json.loads(each.recv(PATIENCE)), {"sheet": "a", "text": "1,2"})
            answer = self.get(sessions, f"{url}_/a")
            self.assertEqual((answer.status, answer.body), (200, b"1,2"))
            answer = self.get(sessions, f"{url}_/a", method="PUT", body=b"3" * 100_000)
            self.assertEqual(answer.status, 201)
            self.assertEqual(len(json.loads(other.recv(PATIENCE))["text"]), 100_000)

    def talk(self, sessions: Sessions, url: str) -> Any:
        return connect(
            f"ws://127.0.0.1:{sessions.port}{url}socket.io/1/websocket/a",
            additional_headers={"Cookie": f"{COOKIE}={cookie(ALICE)}"},
            max_size=None,
        )


class PlainTests(ProgramCase):
    def test_a_page(self):
        sessions = self.start(profiles={"plain": PLAIN})
        url = sessions.ready("plain")["url"]
        self.assertIn(b"Directory listing for /", self.get(sessions, url).body)


class HttpsTests(EtherCalcTests):
    """The same over HTTPS, with a certificate of an authority of the site's own."""

    def start(self, **more: Any) -> Sessions:
        ca_file, _, signer = certificate(self.galaxy.folder, "ca")
        chain, key, _ = certificate(self.galaxy.folder, "session", signer)
        more["profiles"] = {
            name: self.over_tls(profile, chain, key, ca_file)
            for name, profile in more["profiles"].items()
        }
        return super().start(**more)

    def over_tls(self, profile: Any, chain: Path, key: Path, ca_file: Path) -> dict[str, Any]:
        command = [*profile["command"], f"--cert={chain}", f"--key={key}"]
        return {**profile, "scheme": "https", "ca_file": str(ca_file), "command": command}

    def test_it_is_tls_on_the_wire(self):
        sessions = self.start(profiles={"ethercalc": ETHERCALC})
        url = sessions.ready("ethercalc")["url"]
        told = self.get(sessions, f"{url}told").json
        self.assertIs(told["secure"], True)
        fields = {name.lower(): value for name, value in told["headers"]}
        # What the visitor sees is another matter.
        self.assertEqual(fields["x-forwarded-proto"], "https")
        self.assertEqual(fields["host"], f"127.0.0.1:{sessions.port}")


class WrongTlsTests(SessionCase):
    kinds: Collection[str] = ("stranger", "named", "old", "plain")

    def test_what_is_wrong_is_said(self):
        folder = self.galaxy.folder
        ca_file, _, signer = certificate(folder, "ca")
        other, _, _ = certificate(folder, "other")
        good = certificate(folder, "good", signer)
        named = certificate(folder, "named", signer, hosts=("x.example",))
        old = certificate(folder, "old", signer, begins=-2 * DAY, ends=-DAY)
        profiles, expected = {}, {}
        for name, options, trusted, words in (
            ("stranger", self.tls(good), other, "does not lead to the configured ca_file"),
            ("named", self.tls(named), ca_file, "has a certificate that is not for 127.0.0.1"),
            ("old", self.tls(old), ca_file, "has a certificate that has expired"),
            ("plain", [], ca_file, "does not speak TLS"),
        ):
            if name not in self.kinds:
                continue
            expected[name] = words
            profiles[name] = {
                **ETHERCALC,
                "scheme": "https",
                "ca_file": str(trusted),
                "command": [*ETHERCALC["command"], *options],
                # As long as Python may need to start, four times at once.
                "readiness": {"path": "/", "timeout": 8},
            }
        sessions = self.start(profiles=profiles)
        asked = {name: sessions.request(name) for name in profiles}
        for name, session in asked.items():
            told = sessions.until_it_is(session, "failed")
            self.assertIn("EtherCalc did not answer: ", told["reason"])
            self.assertIn(expected[name], told["reason"])

    def tls(self, made: Any) -> list[str]:
        return [f"--cert={made[0]}", f"--key={made[1]}"]
