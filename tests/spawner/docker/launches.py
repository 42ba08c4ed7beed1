"""A launch to describe containers of, and texts that have broken others."""

from hypothesis import strategies as st

from giestack.settings.spawner_schema import Profile
from giestack.spawner.docker.labels import Names
from giestack.spawner.engine import Circumstances, Launch
from giestack.spawner.owner import Owner

NAMES = Names("test")
ALICE = Owner("galaxy", 12, "f2db41e1fa331b3e", "alice", 'a"$(id)"@x')
PROFILE = Profile(name="jupyter", title="JupyterLab", image="jupyter:1")
LAUNCH = Launch(
    session_id="0a1b2c",
    owner=ALICE,
    profile=PROFILE,
    name="mine",
    options={"theme": "dark", "rows": 7, "debug": True},
    base_url="/giestack/session/0a1b2c/",
    galaxy_url="https://galaxy.example.org/",
    env={"HOOK": "hooked-value"},
    api_key="key-of-alice",
    circumstances=Circumstances(
        history_id="ba03619785539f8c", remote_host="192.0.2.7", origin="https://front.example.org"
    ),
    created=1_700_000_000.25,
)

TEXTS = st.text() | st.sampled_from(
    ["", "a b", "{user}", "{options.theme}", "../..", "\0", "\ud800", 'a"$(id)"@x', "ａ\u202e"]
)
