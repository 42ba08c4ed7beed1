"""The Site as a whole."""

import sys
from unittest.mock import patch

import twisted.internet
from twisted.trial.unittest import SynchronousTestCase

from giestack.proxy.seen import Seen
from giestack.site.links import Links
from tests.site.conversation import ALICE, Galaxy, ask, pages_of


class SiteTests(SynchronousTestCase):
    def test_the_visitor_of_each_request_is_its_own(self) -> None:
        site = pages_of(Galaxy())
        first = ask(site, b"/giestack/api/v1/whoami", ALICE)
        second = ask(site, b"/giestack/api/v1/whoami", None)
        self.assertEqual((first.status, second.status), (200, 401))

    def test_no_reactor_but_the_one_it_was_given(self) -> None:
        # The test runner has installed one: make importing it fail.
        with (
            patch.dict(sys.modules, {"twisted.internet.reactor": None}),
            patch.dict(vars(twisted.internet)),
        ):
            vars(twisted.internet).pop("reactor", None)
            said = ask(pages_of(Galaxy()), b"/giestack/", ALICE)
        self.assertEqual(said.status, 200)

    def test_links_follow_the_name_that_the_visitor_uses(self) -> None:
        site = pages_of(Galaxy(), Links(galaxy_url="https://galaxy.example.org/"))
        seen = Seen(b"192.0.2.7", b"https", b"galaxy.example.org", b"192.0.2.7", True)
        said = ask(site, b"/giestack/", None, seen=seen)
        self.assertIn("You come back to this page afterwards.", said.text)
