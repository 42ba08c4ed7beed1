"""What is told of the chat."""

from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from giestack.ops.chat_metrics import Commits, of_chat
from tests.ops.samples import samples_of


class ChatMetricsTests(SynchronousTestCase):
    def test_everything(self) -> None:
        commits = Commits()
        for seconds in (0.002, 0.2, 99.0):
            commits(seconds)
        chat: Any = SimpleNamespace(
            ready=True,
            clients=[1, 2, 3],
            paused=1,
            people_here=2,
            fanout=SimpleNamespace(deliveries=40, waiting=4),
            requests=SimpleNamespace(done={"msg": 7}, refused={"rate": 2, "bad": 1}),
            hearing=SimpleNamespace(gaps=5),
        )
        store: Any = SimpleNamespace(appended=9, batches=3, waiting=6)
        samples = samples_of(of_chat(chat, store, commits))
        for name, value in (
            ("ready", 1),
            ("sockets", 3),
            ("people", 2),
            ("paused", 1),
            ("gaps_total", 5),
            ("messages_total", 9),
            ("deliveries_total", 40),
            ("outgoing", 4),
            ("queue", 6),
            ("requests_total request=msg", 7),
            ("refusals_total code=bad", 1),
            ("refusals_total code=rate", 2),
            ("commit_seconds_bucket le=0.0025", 1),
            ("commit_seconds_bucket le=0.25", 2),
            ("commit_seconds_count", 3),
        ):
            self.assertEqual(samples[f"giestack_chat_{name}"], value, name)
