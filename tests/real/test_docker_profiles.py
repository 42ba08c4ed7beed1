"""RStudio, EtherCalc and a plain page as containers; what a profile says, seen from inside."""

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.docker.fake_programs import IMAGE
from tests.neighbours import ethercalc_program, rstudio_program
from tests.neighbours.containers import Containers
from tests.neighbours.docker import docker
from tests.neighbours.galaxy import ALICE, new_folder
from tests.neighbours.jupyter_image import jupyter_image
from tests.neighbours.sessions import SECRET, Sessions
from tests.real import test_session_programs as programs

FOLDER = "/opt/programs"
EVERYWHERE = {
    rstudio_program.__file__: "--address=0.0.0.0",
    ethercalc_program.__file__: "--host=0.0.0.0",
}
HOSTILE = 'a"$(id)"@x'
HISTORY = "f2db41e1fa331b3e"


class InContainers(programs.ProgramCase):
    """The programs of `tests.real.test_session_programs`, each in a container of its own."""

    def start(self, **more: Any) -> Sessions:
        engine = docker()
        self.image, self.folder = jupyter_image(engine), new_folder(self)
        self.folder.chmod(0o755)
        for path in (*map(Path, EVERYWHERE), *self.galaxy.folder.glob("*.pem")):
            shutil.copy(path, self.folder)
        for path in self.galaxy.folder.glob("*.key"):
            # Whoever is not root in there must be able to read it.
            Path(shutil.copy(path, self.folder)).chmod(0o644)
        given = more.pop("profiles")
        profiles = {name: self.contained(profile) for name, profile in given.items()}
        sessions = Containers(self, self.galaxy, engine, profiles=profiles, **more)
        self.addCleanup(sessions.end_and_look)
        sessions.until_open()
        return sessions

    def contained(self, profile: Any) -> dict[str, Any]:
        """A profile for processes, for containers."""
        command = ["python3", *profile["command"][1:]]
        command += [EVERYWHERE[program] for program in command if program in EVERYWHERE]
        for place in (str(Path(rstudio_program.__file__).parent), str(self.galaxy.folder)):
            command = [word.replace(f"{place}/", f"{FOLDER}/") for word in command]
        return {
            "image": self.image,
            "volumes": {str(self.folder): f"{FOLDER}:ro"},
            "memory": "128M",
            "stop_timeout": 0,
            **profile,
            "command": [word.replace("--bind=127.0.0.1", "--bind=0.0.0.0") for word in command],
        }


class RStudioTests(programs.RStudioTests, InContainers):
    pass


class PlainTests(programs.PlainTests, InContainers):
    pass


class HttpsTests(programs.HttpsTests, InContainers):
    """EtherCalc, over HTTPS; without, it is the same."""


class WrongTlsTests(programs.WrongTlsTests, InContainers):
    # As many as are started at once on the smallest machine: each takes its whole time.
    kinds = ("stranger", "named")


class KeyTests(programs.KeyTests, InContainers):
    pass


class InsideTests(InContainers):
    """What a program finds."""

    def test_what_is_told_to_it(self):
        with closing(self.galaxy.connect()) as database, database:
            database.execute("UPDATE galaxy_user SET email = ? WHERE id = 1", (HOSTILE,))
        repository, _, tag = IMAGE.rpartition(":")
        inside = {
            "image": f"{repository}:{{options.version}}",
            "command": ["program", "listen"],
            "api_key": True,
            "env": {"LEVEL": "{options.level}", "WHO": "<{email}> {username}"},
            "options": {
                "version": {"choices": {"none": "There is none", tag: "The one"}},
                "level": {"type": "integer", "default": 3, "low": 1, "high": 9},
            },
        }
        sessions = self.start_tools(inside=inside)
        options = {"version": tag, "level": 7}
        session = self.ask_for(sessions, options=options, history_id=HISTORY)
        status, text = sessions.run(session, "env")
        found = dict(line.split("=", 1) for line in text.splitlines())
        path = session["url"].rstrip("/")
        expected = {
            "USER_EMAIL": HOSTILE,
            "WHO": f"<{HOSTILE}> alice",
            "LEVEL": "7",
            "API_KEY": "a" * 32,
            "HISTORY_ID": HISTORY,
            "PROXY_PREFIX": path,
            "EP_PATH": path,
            "GALAXY_URL": "https://galaxy.example.org/",
            "GALAXY_WEB_PORT": "443",
            "REMOTE_HOST": "127.0.0.1",
        }
        self.assertEqual((status, {name: found.get(name) for name in expected}), (0, expected))
        self.assertEqual(sessions.inspect(session)["Config"]["Image"], IMAGE)
        # What it was asked for with stays when it is started again.
        sessions.api(f"sessions/{session['id']}/restart", method="POST")
        sessions.until_it_is(session, "ready")
        self.assertIn(f"HISTORY_ID={HISTORY}\n", sessions.run(session, "env")[1])
        self.assertNotIn("a" * 32, sessions.program.output)

    def test_secrets_are_files(self):
        sessions = self.start_tools(inside={})
        session = self.ask_for(sessions)
        self.assertEqual(sessions.run(session, "cat", "/run/secrets/word"), (0, SECRET))
        self.assertNotEqual(sessions.run(session, "touch", "/run/secrets/x", user="1000")[0], 0)
        shown = str(sessions.inspect(session)) + sessions.run(session, "env")[1]
        self.assertNotIn(SECRET, shown + sessions.program.output)

    def test_paths_both_ways(self):
        sessions = self.start_tools(inside={}, other={"strip_path": True})
        for name, prefix in (("inside", "/giestack/session/{}"), ("other", "")):
            session = self.ask_for(sessions, name)
            answer = self.get(sessions, f"{session['url']}a%2Fb/%C3%A9?c=/d")
            there = prefix.format(session["id"])
            self.assertEqual(answer.body.decode(), f"here is {there}/a%2Fb/%C3%A9\n")

    def start_tools(self, **profiles: Any) -> Containers:
        engine = docker()
        self.assertTrue(engine.tools)
        sessions = Containers(self, self.galaxy, engine, profiles=profiles)
        self.addCleanup(sessions.end_and_look)
        sessions.until_open()
        return sessions

    def ask_for(self, sessions: Containers, profile: str = "inside", **more: Any) -> Any:
        answer = sessions.api("sessions", ALICE, "POST", {"profile": profile, **more})
        self.assertEqual(answer.status, 201, answer.body)
        return sessions.until_it_is(answer.json, "ready")
