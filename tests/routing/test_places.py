"""Places a request can go to."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.address import Address
from giestack.routing.formats import EntryPoint
from giestack.routing.places import HostEntryPoint, PathEntryPoint

TOOL = EntryPoint("k", "t", "s3cret", Address(host="h", port=1))


class PlaceTests(SynchronousTestCase):
    def test_a_place_in_a_log_does_not_tell_the_token(self):
        for place in (
            HostEntryPoint(TOOL, False),
            PathEntryPoint(TOOL, b"/lab", b"/interactivetool/ep/k/s3cret"),
        ):
            self.assertNotIn("s3cret", repr(place))

    def test_places_are_values(self):
        self.assertEqual(HostEntryPoint(TOOL, True), HostEntryPoint(TOOL, True))
        self.assertNotEqual(HostEntryPoint(TOOL, True), HostEntryPoint(None, True))
