"""Long work in pieces."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.routing.cookie_rows import CookieRowParser
from giestack.routing.pieces import PIECE, REST, in_pieces
from giestack.routing.rows import RowParser
from tests.routing.galaxy_map import INFO, TYPE


class PiecesTests(SynchronousTestCase):
    def told(self, count):
        """What happens with so many rows: each row, and None for a rest."""
        told: list[int | None] = []

        def rest(seconds):
            self.assertEqual(seconds, REST)
            told.append(None)

        for row in in_pieces(range(count), rest):
            told += [row]
        return told

    def test_a_rest_after_each_piece(self):
        told = self.told(2 * PIECE + 1)
        self.assertEqual([row for row in told if row is not None], list(range(2 * PIECE + 1)))
        rests = [number for number, row in enumerate(told) if row is None]
        self.assertEqual(rests, [PIECE, 2 * PIECE + 1])

    def test_few_rows_are_not_held_up(self):
        for count in (0, 1, PIECE):
            self.assertNotIn(None, self.told(count))

    def test_maps_are_read_so(self):
        """Rows that are new and rows that are known: the reactor waits for neither."""
        rests: list[float] = []
        self.patch(in_pieces, "__defaults__", (rests.append,))
        count = 3 * PIECE
        tools = [(f"k{n}", TYPE, "t", "h", 1, INFO) for n in range(count)]
        environments = [(f"{n:080x}", "h", 1, "[]") for n in range(count)]
        parser, cookie_parser = RowParser(), CookieRowParser()
        for _ in range(2):
            parser.parse(tools)
            self.assertEqual(rests, [REST] * 2)
            cookie_parser.parse({"gxproxy2": environments})
            # Once through all rows of both kinds, and once more through those of cookies.
            self.assertEqual(rests, [REST] * 6)
            rests.clear()
