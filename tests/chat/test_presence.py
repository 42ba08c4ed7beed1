"""Who is here, told as what has changed."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.chat import wire
from giestack.chat.presence import FEW, LEAVES_AFTER, MOST_SHOWN, NAMED_AGAIN, NODE_EXPIRES, People
from giestack.chat.wire import Presence, User


def user(name: str) -> User:
    return User(id=name, name=name.upper())


A, B = user("a"), user("b")


class HereTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.people = People()

    def test_who_comes_and_leaves(self) -> None:
        self.people.enter("r", A)
        self.people.enter("r", B)
        self.assertEqual(self.people.changes(0), [Presence(room="r", count=2, join=(A, B))])
        self.assertEqual(self.people.changes(1000), [])
        self.people.leave("r", "a", 2000)
        self.assertEqual(self.people.changes(2000), [])
        self.assertEqual(
            self.people.changes(2000 + LEAVES_AFTER), [Presence(room="r", count=1, leave=("a",))]
        )
        self.assertEqual(self.people.ids_in("r"), {"b"})

    def test_another_page_is_no_leaving(self) -> None:
        self.people.enter("r", A)
        self.people.changes(0)
        self.people.leave("r", "a", 10)
        self.people.changes(500)
        self.people.enter("r", A)
        self.assertEqual(self.people.changes(10 + LEAVES_AFTER), [])
        self.assertEqual(self.people.those_in("r"), Presence(room="r", count=1, join=(A,)))

    def test_two_connections_of_one(self) -> None:
        self.people.enter("r", A)
        self.people.enter("r", A)
        self.people.changes(0)
        self.people.leave("r", "a", 0)
        self.assertEqual(self.people.changes(LEAVES_AFTER), [])
        self.assertEqual(self.people.ids_in("r"), {"a"})
        self.people.leave("r", "a", LEAVES_AFTER)
        self.people.leave("r", "a", LEAVES_AFTER)
        self.people.leave("elsewhere", "a", 0)
        [gone] = self.people.changes(2 * LEAVES_AFTER)
        self.assertEqual((gone.count, gone.leave), (0, ("a",)))
        self.assertEqual(self.people.those_in("r").count, 0)

    def test_a_crowd_is_told_by_number(self) -> None:
        for number in range(MOST_SHOWN):
            self.people.enter("r", user(f"u{number}"))
        [crowd] = self.people.changes(0)
        self.assertEqual(len(crowd.join), MOST_SHOWN)
        self.people.enter("r", A)
        self.assertEqual(self.people.changes(0), [Presence(room="r", count=MOST_SHOWN + 1)])
        first = self.people.those_in("r")
        self.assertEqual((first.count, len(first.join)), (MOST_SHOWN + 1, MOST_SHOWN))

    def test_a_crowd_that_comes_at_once_is_put_into_words_once(self) -> None:
        first = []
        for number in range(3 * FEW):
            self.people.enter("r", user(f"u{number}"))
            first.append(self.people.first("r"))
        told = [wire.ANSWERS.read(one.texts[0]) for one in first]
        # Few are always told of all who are here now.
        self.assertEqual([one.count for one in told[:FEW]], list(range(1, FEW + 1)))
        self.assertEqual(len({id(one) for one in first[FEW:]}), 1)
        # What is missing there comes with the next changes, which all are told.
        self.assertLess(told[-1].count, 3 * FEW)
        [changed] = self.people.changes(0)
        self.assertEqual((changed.count, len(changed.join)), (3 * FEW, 3 * FEW))
        later = self.people.first("r")
        self.assertEqual(wire.ANSWERS.read(later.texts[0]), self.people.those_in("r"))
        self.people.changes(1)
        self.assertIs(self.people.first("r"), later)

    def test_nothing_grows_with_the_square(self) -> None:
        # D10: each of 500 who came was told to everybody.
        told = 0
        for number in range(500):
            self.people.enter("r", user(f"u{number}"))
            if number % 100 == 99:
                told += sum(len(one.join) for one in self.people.changes(number))
        self.assertLessEqual(told, 200)


class NodesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.people = People()

    def test_news_for_others(self) -> None:
        self.people.enter("r", A)
        self.assertEqual(self.people.news(), [("r", [A], [])])
        self.assertEqual(self.people.news(), [])
        self.people.leave("r", "a", 0)
        self.people.changes(0)
        self.assertEqual(self.people.news(), [])
        self.assertEqual(self.people.all_here(), [("r", [A])])
        self.people.enter("s", B)
        self.people.changes(LEAVES_AFTER)
        self.assertEqual(self.people.news(), [("r", [], ["a"]), ("s", [B], [])])
        self.people.changes(LEAVES_AFTER)
        self.assertEqual(self.people.all_here(), [("s", [B])])

    def test_people_of_other_nodes(self) -> None:
        self.people.enter("r", A)
        self.people.changes(0)
        self.people.elsewhere("n2", "r", [A, B], (), 0)
        self.assertEqual(self.people.changes(0), [Presence(room="r", count=2, join=(B,))])
        self.people.elsewhere("n2", "r", [], ["a", "b"], 10)
        self.assertEqual(self.people.changes(10), [Presence(room="r", count=1, leave=("b",))])

    def test_a_node_that_says_nothing_is_gone(self) -> None:
        self.people.elsewhere("n2", "r", [A], (), 0)
        self.people.elsewhere("n3", "r", [B], (), 0)
        self.people.changes(0)
        self.people.alive("n3", NODE_EXPIRES - 1)
        self.people.expire(NODE_EXPIRES)
        self.assertEqual(
            self.people.changes(NODE_EXPIRES), [Presence(room="r", count=1, leave=("a",))]
        )
        self.people.forget("n3")
        self.people.forget("n3")
        [none] = self.people.changes(NODE_EXPIRES)
        self.assertEqual(none.count, 0)

    def test_who_left_unheard(self) -> None:
        self.people.elsewhere("n2", "r", [A, B], (), 0)
        for beat in range(1, NAMED_AGAIN + 2):
            self.assertEqual(self.people.ids_in("r"), {"a", "b"})
            self.people.alive("n2", beat)
            self.people.elsewhere("n2", "r", [B], (), beat)
        [gone, *_] = self.people.changes(10)
        self.assertEqual((gone.count, gone.join), (1, (B,)))
