from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.docker.gpus import Gpus, gpu_request, gpus_of
from giestack.spawner.engine import EngineError


class GpusTests(SynchronousTestCase):
    def test_each_goes_to_one_session(self) -> None:
        gpus = Gpus(["a", "b", "c"])
        self.assertEqual(gpus.total, 3)
        self.assertEqual(gpus.take("s1", 1), ("a",))
        self.assertEqual(gpus.take("s2", 2), ("b", "c"))
        error = self.assertRaises(EngineError, gpus.take, "s3", 1)
        self.assertIn("needs 1 GPUs, and of 3 there are 0 free", str(error))

    def test_who_wants_none_gets_none(self) -> None:
        self.assertEqual(Gpus([]).take("s1", 0), ())

    def test_what_is_given_back_goes_to_the_next(self) -> None:
        gpus = Gpus(["a", "b"])
        gpus.take("s1", 1)
        gpus.take("s2", 1)
        gpus.give_back("s1")
        gpus.give_back("s1")
        self.assertEqual(gpus.take("s3", 1), ("a",))

    def test_taken_again_it_is_not_taken_twice(self) -> None:
        gpus = Gpus(["a", "b"])
        gpus.take("s1", 2)
        self.assertEqual(gpus.take("s1", 2), ("a", "b"))

    def test_what_is_found_is_taken(self) -> None:
        gpus = Gpus(["a", "b"])
        gpus.found("s1", ("a", "gone"))
        gpus.found("s2", ())
        self.assertEqual(gpus.take("s3", 1), ("b",))
        self.assertRaises(EngineError, gpus.take, "s4", 1)

    def test_one_that_is_named_twice_is_one(self) -> None:
        self.assertEqual(Gpus(["a", "a"]).total, 1)


class DescriptionTests(SynchronousTestCase):
    def test_what_is_asked_for_is_found_again(self) -> None:
        details = {"HostConfig": {"DeviceRequests": [gpu_request(["0", "GPU-1"])]}}
        self.assertEqual(gpus_of(details), ("0", "GPU-1"))

    def test_what_is_not_there_is_not_found(self) -> None:
        for host in (
            None,
            {},
            {"DeviceRequests": None},
            {"DeviceRequests": [None, {}, {"DeviceIDs": None}, {"DeviceIDs": [7]}]},
        ):
            self.assertEqual(gpus_of({"HostConfig": host}), ())
        self.assertEqual(gpus_of({}), ())
