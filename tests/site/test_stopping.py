"""Who may stop an interactive tool, and what they hear of Galaxy."""

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from giestack.site.endpoint import RefusalError
from tests.site.conversation import ADMIN, ALICE, GUEST
from tests.site.fake_stopping import FakeGalaxyApi


class StoppingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.galaxy = FakeGalaxyApi({"key1": ALICE, "key2": GUEST})

    def stop(self, key: str = "key1", visitor=ALICE) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.galaxy.stopping()(key, visitor)))

    def refused(self, key: str = "key1", visitor=ALICE) -> tuple[int, str]:
        stopping = Deferred.fromCoroutine(self.galaxy.stopping()(key, visitor))
        error = self.failureResultOf(stopping, RefusalError).value
        return error.refuse.status, error.refuse.code

    def test_ones_own(self) -> None:
        self.stop()
        self.stop("key2", GUEST)
        self.assertEqual(self.galaxy.stopped, [("key1", ALICE), ("key2", GUEST)])
        self.assertEqual(
            self.galaxy.audited,
            [
                ("stopped", ALICE, {"kind": "entry_point", "route": "key1"}),
                ("stopped", GUEST, {"kind": "entry_point", "route": "key2"}),
            ],
        )

    def test_who_owns_it_may_have_to_be_looked_up(self) -> None:
        self.galaxy.standing_as = succeed
        self.stop()
        self.assertEqual(self.refused(visitor=ADMIN), (403, "not-owner"))

    def test_that_of_others_stays_and_galaxy_is_not_asked(self) -> None:
        self.assertEqual(self.refused(visitor=ADMIN), (403, "not-owner"))
        self.assertEqual(self.refused(visitor=GUEST), (403, "not-owner"))
        self.assertEqual(self.refused("key2", ALICE), (403, "not-owner"))
        self.assertEqual(self.galaxy.stopped, [])
        said = {"kind": "entry_point", "route": "key1", "code": "not-owner"}
        self.assertEqual(self.galaxy.audited[0], ("refused", ADMIN, said))

    def test_nobody(self) -> None:
        self.assertEqual(self.refused(visitor=None), (401, "not-logged-in"))

    def test_what_is_not_there(self) -> None:
        self.assertEqual(self.refused("key3"), (404, "no-such-route"))
        self.assertEqual((self.galaxy.stopped, self.galaxy.audited), ([], []))

    def test_without_a_database(self) -> None:
        self.galaxy.available = False
        self.assertEqual(self.refused(), (503, "identity-unavailable"))

    def test_what_galaxy_makes_of_it(self) -> None:
        for outcome, refusal in (
            ("gone", (404, "no-such-route")),
            ("not-owner", (403, "not-owner")),
            ("login", (502, "galaxy-login")),
            ("unavailable", (503, "galaxy-unavailable")),
            ("failed", (502, "galaxy-failed")),
        ):
            self.galaxy.outcome = outcome
            self.assertEqual(self.refused(), refusal, outcome)
