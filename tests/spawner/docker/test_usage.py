"""What a container uses."""

from twisted.trial.unittest import SynchronousTestCase

from giestack.spawner.docker.usage import Sample, stats_of
from giestack.spawner.engine import Stats


def answer(cpu=5.0, second=10, **memory):
    return {
        "read": f"1970-01-01T00:00:{second:02}.5Z",
        "cpu_stats": {"cpu_usage": {"total_usage": int(cpu * 1e9)}},
        "memory_stats": memory or {"usage": 100},
    }


class UsageTests(SynchronousTestCase):
    def memory(self, **memory):
        stats, _ = stats_of(answer(**memory), None)
        assert stats is not None
        return stats.memory

    def test_memory_without_files(self):
        # cgroup v1, v2, and a Docker that tells none of it.
        self.assertEqual(self.memory(usage=100, stats={"total_inactive_file": 30}), 70)
        self.assertEqual(self.memory(usage=100, stats={"inactive_file": 40}), 60)
        self.assertEqual(self.memory(usage=100), 100)
        self.assertEqual(self.memory(usage=100, stats={"inactive_file": 200}), 100)

    def test_cores(self):
        stats, sample = stats_of(answer(cpu=5.0, second=10), None)
        self.assertEqual((stats, sample), (Stats(100, None), Sample(5.0, 10.5)))
        stats, sample = stats_of(answer(cpu=8.0, second=12), sample)
        self.assertEqual((stats, sample), (Stats(100, 1.5), Sample(8.0, 12.5)))
        self.assertEqual(stats_of(answer(cpu=8.0, second=12), sample)[0], Stats(100, 0.0))
        # It was restarted, or its machine's clock was set.
        self.assertEqual(stats_of(answer(cpu=1.0, second=13), sample)[0], Stats(100, None))
        self.assertEqual(stats_of(answer(cpu=9.0, second=11), sample)[0], Stats(100, None))

    def test_one_that_does_not_run(self):
        for found in ({}, answer(usage=0), {"memory_stats": {"usage": 7}}):
            self.assertEqual(stats_of(found, Sample(1.0, 1.0)), (None, None))
