"""How a session looks from outside, from what is known of it."""

from dataclasses import replace

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address
from giestack.settings.spawner_schema import Profile
from giestack.spawner.admission import Waiting
from giestack.spawner.engine import Launch
from giestack.spawner.owner import Owner
from giestack.spawner.standing import WARNED, Standing
from giestack.spawner.usage import Usage

LAB = Profile(name="jupyter", title="JupyterLab", max_lifetime=1000, idle_timeout=100)
ALICE = Owner("galaxy", 1, "e1", "alice", "alice@example.org")


class StandingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(5000)
        launch = Launch(
            session_id="abc", owner=ALICE, profile=LAB, name="work", base_url="/gs/session/abc/"
        )
        self.standing = Standing(
            launch_as=launch, usage=Usage(self.clock), since=5000, path="/gs/session/abc"
        )

    def test_in_the_queue(self) -> None:
        moment = self.standing.moment(Waiting(3), None, None)
        self.assertEqual((moment.state, moment.place), ("queued", 3))

    def test_what_the_engine_says_counts_until_the_next_state(self) -> None:
        self.standing.change("pulling", 5001)
        self.standing.message, self.standing.percent = "Fetching 3 of 7 layers", 40.0
        moment = self.standing.moment(None, 10.0, 99.0)
        self.assertEqual((moment.message, moment.percent), ("Fetching 3 of 7 layers", 40.0))
        self.assertIsNone(moment.eta)
        self.standing.change("creating", 5002)
        moment = self.standing.moment(None, 10.0, 99.0)
        self.assertEqual((moment.message, moment.percent), ("Preparing JupyterLab", 10.0))
        self.assertEqual(self.standing.since, 5002)

    def test_the_way_in(self) -> None:
        self.standing.change("starting", 5001)
        self.standing.address = Address(path="/run/abc")
        moment = self.standing.moment(None, None, None)
        self.assertEqual(moment.step, "probing")
        self.assertIsNone(self.standing.entrance(moment).address)
        self.assertIsNone(self.standing.open_entrance)
        self.standing.ready = 5003.0
        self.standing.change("ready", 5003)
        entrance = self.standing.entrance(self.standing.moment(None, None, None))
        self.assertEqual(entrance.address, Address(path="/run/abc"))
        self.assertIs(self.standing.open_entrance, entrance)
        self.standing.ready = None
        self.assertIsNone(self.standing.open_entrance)

    def test_what_the_server_is_told_with_each_request(self) -> None:
        headers = {"X-Root": "{base_path}", "X-Mail": "{email}"}
        launch = replace(self.standing.launch_as, profile=replace(LAB, headers=headers))
        self.standing.launch_as = launch
        self.standing.address, self.standing.ready = Address(path="/run/abc"), 5003.0
        self.standing.change("ready", 5003)
        entrance = self.standing.entrance(self.standing.moment(None, None, None))
        told = ((b"X-Root", b"/gs/session/abc"), (b"X-Mail", b"alice@example.org"))
        self.assertEqual(entrance.headers, told)
        # Nothing that no header can hold is ever sent, nor anything without it.
        self.standing.launch_as = replace(launch, owner=replace(ALICE, email="a\r\nX: 1"))
        entrance = self.standing.entrance(self.standing.moment(None, None, None))
        self.assertEqual((entrance.headers, entrance.address), ((), None))

    def test_paths_as_the_server_knows_them(self) -> None:
        self.assertEqual(self.standing.path_there("/api"), "/gs/session/abc/api")
        launch = self.standing.launch_as
        self.standing.launch_as = replace(launch, profile=replace(LAB, strip_path=True))
        self.assertEqual(self.standing.path_there("/api"), "/api")

    def test_when_it_ends(self) -> None:
        self.assertEqual((self.standing.end, self.standing.idle_end), (None, None))
        self.standing.began, self.standing.ready = 5000.0, 5010.0
        self.assertEqual((self.standing.end, self.standing.idle_end), (6000.0, 5100.0))
        moment = self.standing.moment(None, None, None)
        early = self.standing.view(moment, "local", "", 6000 - WARNED - 1)
        late = self.standing.view(moment, "local", "", 6000 - WARNED)
        self.assertEqual((early.ending, late.ending), (False, True))
        assert early.end is not None
        self.assertEqual(early.end.timestamp(), 6000)
        self.standing.launch_as = replace(
            self.standing.launch_as, profile=replace(LAB, max_lifetime=0, idle_timeout=0)
        )
        self.assertEqual((self.standing.end, self.standing.idle_end), (None, None))

    def test_ends_for_which_there_is_no_date(self) -> None:
        """Such timeouts are allowed, and mean: never."""
        self.standing.began, self.standing.ready = 5000.0, 5010.0
        for never in (1e12, 1e300):
            profile = replace(LAB, max_lifetime=never, idle_timeout=never)
            self.standing.launch_as = replace(self.standing.launch_as, profile=profile)
            view = self.standing.view(self.standing.moment(None, None, None), "local", "", 6000)
            assert view.end is not None and view.idle_end is not None
            self.assertEqual((view.end.year, view.idle_end.year), (9999, 9999))
            self.assertFalse(view.ending)

    def test_a_new_wish_forgets_how_it_ended(self) -> None:
        self.standing.reason, self.standing.log, self.standing.ready = "It broke.", ("x",), 1.0
        self.standing.change("failed", 5001)
        self.assertEqual(self.standing.moment(None, None, None).message, "It broke.")
        self.standing.change("queued", 5002)
        moment = self.standing.moment(None, None, None)
        self.assertEqual((moment.reason, moment.log, self.standing.ready), ("", (), None))
