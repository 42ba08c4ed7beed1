"""Which interactive tools are the visitor's, and whether they run."""

from datetime import UTC, datetime

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from giestack.database import DatabaseUnavailable
from giestack.site.tools import Tool
from tests.site.conversation import ALICE, GUEST, OPENBIS, Entry, Galaxy, seen_as


class ToolsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.galaxy = Galaxy()

    def tools(self, visitor=ALICE) -> list[Tool]:
        asked = Deferred.fromCoroutine(self.galaxy.tools().of(visitor, seen_as()))
        return self.successResultOf(asked)

    def test_starting_until_the_map_has_it(self) -> None:
        self.galaxy.entries = [Entry()]
        url = "/interactivetool/ep/key1/secret1/ipython/lab"
        created = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
        name = "Jupyter Interactive Tool"
        expected = Tool("key1", name, "jupytool", "starting", url, created)
        self.assertEqual(self.tools(), [expected])
        self.galaxy.routed.add((b"key1", b"other"))
        self.assertEqual(self.tools(), [expected])
        self.galaxy.routed.add((b"key1", b"secret1"))
        self.assertEqual(self.tools(), [Tool("key1", name, "jupytool", "running", url, created)])

    def test_the_spelling_of_the_key_is_that_of_the_map(self) -> None:
        self.galaxy.entries = [Entry()]
        self.galaxy.routed.add((b"oldkey1", b"secret1"))
        (tool,) = self.tools()
        self.assertEqual((tool.id, tool.state), ("oldkey1", "running"))
        self.assertEqual(tool.url, "/interactivetool/ep/oldkey1/secret1/ipython/lab")

    def test_a_tool_with_a_host_of_its_own(self) -> None:
        self.galaxy.entries = [Entry(requires_domain=True)]
        (tool,) = self.tools()
        self.assertEqual(
            tool.url,
            "http://key1-secret1.ep.interactivetool.127.0.0.1:8800/ipython/lab",
        )

    def test_the_newest_first(self) -> None:
        day = datetime(2026, 3, 4)
        self.galaxy.entries = [
            Entry(id=1, created_time=None),
            Entry(id=2, created_time=day),
            Entry(id=3, created_time=day.replace(hour=5)),
            Entry(id=4, created_time=day),
            Entry(id=5, created_time=datetime.min),
        ]
        tools = self.tools()
        self.assertEqual([tool.id for tool in tools], ["key3", "key4", "key2", "key5", "key1"])
        self.assertEqual([tool.created for tool in tools[3:]], [None, None])

    def test_galaxy_is_asked_for_this_visitor(self) -> None:
        self.tools(ALICE)
        self.tools(GUEST)
        self.assertEqual(self.galaxy.asked_for, [ALICE, GUEST])

    def test_a_visitor_from_elsewhere_has_none(self) -> None:
        self.galaxy.entries = [Entry()]
        self.assertEqual(self.tools(OPENBIS), [])
        self.assertEqual(self.galaxy.asked_for, [])

    def test_a_database_that_is_away(self) -> None:
        self.galaxy.answer = fail(DatabaseUnavailable("away"))
        asked = Deferred.fromCoroutine(self.galaxy.tools().of(ALICE, seen_as()))
        self.failureResultOf(asked, DatabaseUnavailable)
