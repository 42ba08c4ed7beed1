"""What a session's environment holds, and what it must not."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from giestack.settings.spawner_schema import Profile
from giestack.spawner.process.environment import (
    SECRETS_VARIABLE,
    SESSION_VARIABLE,
    launch_environment,
    search_path,
    secret_values,
    session_environment,
)
from giestack.spawner.process.family import VARIABLE
from tests.spawner.engine_suite import launch_of

PYTHON = Path("/venv/bin/python")
HOME = Path("/data/homes/galaxy-12")
RUN = Path("/data/run/s1")


class SessionEnvironmentTests(SynchronousTestCase):
    def environment(self, **environ):
        return session_environment(environ, PYTHON, "root", HOME, RUN)

    def test_nothing_given(self):
        self.assertEqual(
            self.environment(),
            {
                "PATH": f"/venv/bin:{os.defpath}",
                "HOME": "/data/homes/galaxy-12",
                "USER": "root",
                "LOGNAME": "root",
                "LANG": "C.UTF-8",
                "SHELL": "/bin/sh",
                "TMPDIR": "/data/run/s1/tmp",
                "JUPYTER_RUNTIME_DIR": "/data/run/s1/jupyter",
                "XDG_RUNTIME_DIR": "/data/run/s1/xdg",
            },
        )

    def test_what_is_kept(self):
        kept = {
            "USER": "galaxy",
            "LANG": "de_DE.UTF-8",
            "LC_TIME": "C",
            "TZ": "UTC",
            "SHELL": "/bin/bash",
        }
        found = self.environment(**kept, PATH="/usr/bin")
        self.assertEqual({name: found[name] for name in kept}, kept)
        self.assertEqual(found["PATH"], "/venv/bin:/usr/bin")
        self.assertEqual(search_path({"PATH": "/usr/bin"}, PYTHON), "/venv/bin:/usr/bin")

    def test_nothing_of_giestacks_own(self):
        own = {
            "GIESTACK_CONFIG": "/etc/giestack.yml",
            "DATABASE_PASSWORD": "s3cret",
            "PGPASSWORD": "s3cret",
            "GALAXY_ID_SECRET": "s3cret",
            "DOCKER_HOST": "unix:///run/docker.sock",
            "SSH_AUTH_SOCK": "/tmp/agent",
            "LD_PRELOAD": "x",
            "PYTHONPATH": "x",
            "HOME": "/root",
            "TMPDIR": "/tmp",
            "HTTP_PROXY": "http://user:s3cret@proxy",
        }
        found = self.environment(**own)
        self.assertEqual(found, self.environment())


class LaunchEnvironmentTests(SynchronousTestCase):
    def test_templates_and_hooks(self):
        profile = Profile(env={"BASE": "{base_url}x", "HERE": "${HOME}"}, secrets={"key": "s3cret"})
        launch = launch_of(profile, env={"HISTORY": "{base_url}", "BASE2": "y"})
        found = launch_environment(launch, {"base_url": "/b/"}, "mark", RUN)
        self.assertEqual(
            found,
            {
                "BASE": "/b/x",
                "HERE": "${HOME}",
                "HISTORY": "{base_url}",
                "BASE2": "y",
                SECRETS_VARIABLE: "/data/run/s1/secrets",
                VARIABLE: "mark",
                SESSION_VARIABLE: "mark/s1",
            },
        )

    def test_marks_cannot_be_changed(self):
        env = {VARIABLE: "x", SESSION_VARIABLE: "y"}
        found = launch_environment(launch_of(Profile(env=env), env=env), {}, "mark", RUN)
        self.assertEqual(found, {VARIABLE: "mark", SESSION_VARIABLE: "mark/s1"})

    def test_secrets(self):
        profile = Profile(
            secrets={"a": "from a file"}, env={"API_TOKEN": "0123456789", "TOKEN_TYPE": "short"}
        )
        launch = launch_of(profile, env={"galaxy_api_key": "abcdefghij", "HISTORY": "f2db41e1fa"})
        self.assertEqual(sorted(secret_values(launch)), ["0123456789", "abcdefghij", "from a file"])
