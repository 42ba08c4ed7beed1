"""What there is of sessions, read from Docker's lists."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.docker.census import Present, census
from giestack.spawner.docker.labels import Names, labels_of
from tests.spawner.docker.launches import LAUNCH, NAMES, PROFILE

ID = LAUNCH.session_id


def container(labels, state="running"):
    return {"Id": "c1", "Names": [f"/{NAMES.container(ID)}"], "Labels": labels, "State": state}


def take(containers=(), volumes=()):
    return census(NAMES, containers, volumes, {PROFILE.name: PROFILE})


class CensusTests(SynchronousTestCase):
    def only(self, containers=(), volumes=()):
        found = take(containers, volumes)
        self.assertEqual(list(found), [ID])
        return found[ID]

    def test_session(self):
        labels = labels_of(NAMES, LAUNCH)
        for state, runs in (("running", True), ("paused", True), ("exited", False)):
            found = self.only([container(labels, state)])
            self.assertEqual((found.container, found.runs), ("c1", runs))
            self.assertTrue(found.is_session)
            assert found.launch is not None
            self.assertEqual(found.launch.owner, LAUNCH.owner)

    def test_half_made(self):
        for state in ("created", "removing", "dead", "None"):
            found = self.only([container(labels_of(NAMES, LAUNCH), state)])
            self.assertFalse(found.is_session)

    def test_slot(self):
        slot = container(labels_of(NAMES, LAUNCH, "slot"))
        secrets = {"Name": "v", "Labels": NAMES.labels("secrets", ID)}
        self.assertEqual(self.only([slot], [secrets]), Present(None, "c1", "running"))
        claim = {"Name": "w", "Labels": labels_of(NAMES, LAUNCH, "claim")}
        found = self.only([slot], [claim, secrets])
        self.assertTrue(found.is_session)
        assert found.launch is not None
        self.assertEqual(found.launch.name, LAUNCH.name)
        # A claim is no claim on a session's own container.
        unreadable = container(NAMES.labels("session", ID))
        self.assertIsNone(self.only([unreadable], [claim]).launch)

    def test_volumes_alone(self):
        claim = {"Name": "w", "Labels": labels_of(NAMES, LAUNCH, "claim")}
        self.assertEqual(self.only([], [claim]), Present())

    def test_what_is_not_ours(self):
        others = labels_of(Names("other"), LAUNCH)
        home = {"Name": "home", "Labels": None}
        network = container(NAMES.labels("network"))
        # As whatever is made of an image that has our labels.
        image = {**container(labels_of(NAMES, LAUNCH)), "Names": ["/somebody"]}
        nameless = {**image, "Names": None}
        self.assertEqual(
            take(
                [container(None), container({}), container(others), network, image, nameless],
                [home],
            ),
            {},
        )

    def test_copies_are_not_taken_for_it(self):
        """An image that was made of a session has all of its labels."""
        session = container(labels_of(NAMES, LAUNCH))
        copy = {**session, "Id": "c2", "Names": ["/copy"]}
        for listed in ([session, copy], [copy, session]):
            self.assertEqual(self.only(listed).container, "c1")
