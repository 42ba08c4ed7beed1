"""What is found out once."""

from concurrent.futures import ThreadPoolExecutor

from twisted.trial.unittest import SynchronousTestCase

from giestack.doctor.once import Once


class OnceTests(SynchronousTestCase):
    def test_found_by_the_first_for_all(self) -> None:
        calls: list[int] = []

        def find() -> int:
            calls.append(1)
            return 7

        once = Once(find)
        with ThreadPoolExecutor(8) as pool:
            self.assertEqual(set(pool.map(lambda _: once(), range(40))), {7})
        self.assertEqual(calls, [1])

    def test_an_error_is_found_once_too(self) -> None:
        calls: list[int] = []

        def find() -> int:
            calls.append(1)
            raise ValueError("no")

        once = Once(find)
        for _ in range(2):
            self.assertRaises(ValueError, once)
        self.assertEqual(calls, [1])

    def test_nothing_is_something_that_can_be_found(self) -> None:
        once: Once[None] = Once(lambda: None)
        self.assertIsNone(once())
        self.assertIsNone(once())
