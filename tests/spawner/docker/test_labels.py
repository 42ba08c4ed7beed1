import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.settings.spawner_schema import Profile
from giestack.spawner.docker.labels import (
    INSTANCE,
    KIND,
    PREFIX,
    PROFILE,
    SESSION,
    USER,
    Names,
    kind_of,
    labels_of,
    launch_of,
    session_of,
    session_of_container,
)
from giestack.spawner.engine import Circumstances, Launch
from giestack.spawner.owner import Owner

from .launches import ALICE, LAUNCH, NAMES, TEXTS
from .launches import PROFILE as JUPYTER

REMEMBERED = replace(LAUNCH, env={}, api_key="", circumstances=Circumstances())

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


class NamesTests(SynchronousTestCase):
    def test_everything_is_named_after_instance_and_session(self) -> None:
        self.assertEqual(NAMES.network, "giestack-test")
        self.assertEqual(NAMES.container("0a1b"), "giestack-test-0a1b")
        self.assertEqual(NAMES.secrets("0a1b"), "giestack-test-0a1b")
        self.assertEqual(NAMES.claim("0a1b"), "giestack-test-0a1b-claim")

    def test_what_is_asked_for_is_what_is_put_on(self) -> None:
        for labels in (NAMES.labels("network"), labels_of(NAMES, LAUNCH)):
            self.assertIn(NAMES.filter, [f"{name}={value}" for name, value in labels.items()])
            self.assertTrue(NAMES.are_ours(labels))

    def test_what_others_have_is_not_ours(self) -> None:
        others: list[object] = [
            None,
            [],
            "x",
            {},
            {INSTANCE: "other"},
            Names("other").labels("network"),
        ]
        for labels in others:
            self.assertFalse(NAMES.are_ours(labels))
            self.assertIsNone(kind_of(NAMES, labels))
            self.assertEqual(session_of(NAMES, labels), "")

    def test_what_is_ours_tells_what_it_is(self) -> None:
        self.assertEqual(kind_of(NAMES, NAMES.labels("secrets", "0a1b")), "secrets")
        self.assertEqual(session_of(NAMES, NAMES.labels("secrets", "0a1b")), "0a1b")
        self.assertEqual(session_of(NAMES, NAMES.labels("network")), "")
        odd: list[object] = ["", "sessions", "A", "a/b", "..", "a" * 65, 7, None, []]
        for value in odd:
            labels: dict[str, object] = {INSTANCE: "test", KIND: value, SESSION: value}
            self.assertIsNone(kind_of(NAMES, labels))
            self.assertIn(session_of(NAMES, labels), ("", "sessions"))

    def test_labels_alone_are_no_container_of_ours(self) -> None:
        """Whoever makes an image puts labels on all that is made of it, but no name."""
        labels, name = labels_of(NAMES, LAUNCH), NAMES.container(LAUNCH.session_id)
        ours = {"Labels": labels, "Names": ["/friend/of-it", f"/{name}"]}
        self.assertEqual(session_of_container(NAMES, ours), LAUNCH.session_id)
        names: list[object] = [None, [], ["/other"], [name], [f"/{name}x"], [f"/x/{name}"]]
        for found in names:
            self.assertEqual(session_of_container(NAMES, {"Labels": labels, "Names": found}), "")
        self.assertEqual(session_of_container(NAMES, {"Labels": None, "Names": [f"/{name}"]}), "")


class RoundTripTests(SynchronousTestCase):
    def back(self, launch: Launch, *profiles: Profile) -> Launch | None:
        known = {profile.name: profile for profile in profiles}
        return launch_of(NAMES, labels_of(NAMES, launch), known)

    def test_a_launch_comes_back_without_what_labels_must_not_hold(self) -> None:
        self.assertEqual(self.back(LAUNCH, JUPYTER), REMEMBERED)

    def test_operators_find_a_users_sessions(self) -> None:
        self.assertEqual(labels_of(NAMES, LAUNCH)[USER], "galaxy-12")

    def test_nothing_secret_is_in_labels(self) -> None:
        profile = replace(
            JUPYTER, env={"A": "env-value"}, secrets={"TOKEN": "secret-value"}, command=("cmd-x",)
        )
        texts = str(labels_of(NAMES, replace(LAUNCH, profile=profile)))
        hidden = ("env-value", "secret-value", "hooked-value", "key-of-alice", "cmd-x", "192.0.2.7")
        for word in hidden:
            self.assertNotIn(word, texts)

    @settings(deadline=None)
    @given(
        texts=st.tuples(*[TEXTS] * 7),
        options=st.dictionaries(TEXTS, TEXTS | st.integers() | st.booleans()),
        headers=st.dictionaries(TEXTS, TEXTS),
        user_id=st.integers(),
        created=st.floats(allow_nan=False, allow_infinity=False),
        nameless=st.booleans(),
        host=st.sampled_from(["galaxy", "openbis"]),
    )
    def test_any_text_survives(
        self,
        texts: tuple[str, ...],
        options: Mapping[str, object],
        headers: Mapping[str, str],
        user_id: int,
        created: float,
        nameless: bool,
        host: Literal["galaxy", "openbis"],
    ) -> None:
        encoded_id, username, email, name, base_url, galaxy_url, title = texts
        owner = Owner(host, user_id, encoded_id, None if nameless else username, email)
        profile = replace(JUPYTER, title=title, headers=headers, path=title)
        launch = replace(
            REMEMBERED,
            owner=owner,
            profile=profile,
            name=name,
            options=options,
            base_url=base_url,
            galaxy_url=galaxy_url,
            created=created,
        )
        labels = labels_of(NAMES, launch)
        self.assertTrue(all(value.isascii() for value in labels.values()))
        self.assertEqual(launch_of(NAMES, labels, {profile.name: profile}), launch)

    def test_without_its_profile_there_is_enough_to_serve_it(self) -> None:
        serving = Profile(
            name="gone",
            title="Gone",
            scheme="https",
            ca_file=Path("/ca.pem"),
            port=443,
            path="/x",
            strip_path=True,
            headers={"X-Base": "{base_url}"},
            idle_timeout=1.5,
            max_lifetime=7,
            stop_timeout=3,
        )
        full = replace(serving, image="x:1", env={"A": "b"}, memory=1, warm=3)
        found = self.back(replace(LAUNCH, profile=full), JUPYTER)
        assert found is not None
        self.assertEqual(found.profile, serving)

    def test_it_is_served_as_it_was_made_and_told_of_as_it_is_now(self) -> None:
        now = replace(JUPYTER, title="New", port=1, path="/new", strip_path=True, idle_timeout=9)
        found = self.back(LAUNCH, now)
        assert found is not None
        self.assertEqual(
            found.profile,
            replace(now, port=JUPYTER.port, path=JUPYTER.path, strip_path=False),
        )

    def test_a_claim_is_as_good_as_a_session(self) -> None:
        labels = labels_of(NAMES, LAUNCH, "claim")
        self.assertEqual(launch_of(NAMES, labels, {"jupyter": JUPYTER}), REMEMBERED)

    def test_a_slot_is_nobodys(self) -> None:
        labels = labels_of(NAMES, LAUNCH, "slot")
        self.assertIsNone(launch_of(NAMES, labels, {"jupyter": JUPYTER}))
        self.assertEqual(labels[PROFILE], "jupyter")
        for word in (ALICE.email, ALICE.encoded_id, "galaxy-12", "dark", "mine"):
            self.assertNotIn(word, str(labels))


class GarbageTests(SynchronousTestCase):
    def damaged(self, **labels: object) -> Launch | None:
        found = labels_of(NAMES, LAUNCH) | {f"{PREFIX}{name}": v for name, v in labels.items()}
        return launch_of(NAMES, found, {"jupyter": JUPYTER})

    @settings(deadline=None)
    @given(labels=JSON)
    def test_garbage_is_nobody(self, labels: object) -> None:
        self.assertIsNone(launch_of(NAMES, labels, {}))

    @settings(deadline=None)
    @given(
        name=st.sampled_from(["owner", "launch", "serve", "profile", "session", "kind"]),
        value=JSON,
    )
    def test_garbage_in_one_label_never_raises(self, name: str, value: object) -> None:
        found = self.damaged(**{name: value})
        if found is not None:
            self.assertIn(name, ("profile", "session"))

    @settings(deadline=None)
    @given(
        label=st.sampled_from(["owner", "launch", "serve"]),
        value=JSON,
        data=st.data(),
    )
    def test_garbage_in_one_field_never_raises(
        self, label: str, value: object, data: st.DataObject
    ) -> None:
        fields = json.loads(labels_of(NAMES, LAUNCH)[PREFIX + label])
        key = data.draw(st.sampled_from(sorted(fields)))
        self.damaged(**{label: json.dumps(fields | {key: value})})
        del fields[key]
        left = self.damaged(**{label: json.dumps(fields)})
        if label != "serve":
            self.assertEqual(left is not None, key == "username")

    def test_what_cannot_be_read_is_nobody(self) -> None:
        made = labels_of(NAMES, LAUNCH)
        launch, serve = (json.loads(made[f"{PREFIX}{label}"]) for label in ("launch", "serve"))
        for labels in (
            {"owner": "[" * 100_000},
            {"owner": '{"user_id": ' + "9" * 10_000 + "}"},
            {"profile": None},
            {"launch": json.dumps(launch | {"created": 10**400})},
            {"launch": json.dumps(launch | {"created": -(10**400)})},
            {"owner": '{"host": "ldap", "user_id": 1, "encoded_id": "", "email": ""}'},
        ):
            self.assertIsNone(self.damaged(**labels), str(labels)[:60])
        for key, value in (("scheme", "ftp"), ("strip_path", 1), ("port", 65536), ("headers", [])):
            self.assertIsNone(self.damaged(serve=json.dumps(serve | {key: value})), key)
        self.assertIsNone(self.damaged(serve=json.dumps(serve | {"headers": {"A": 7}})))
