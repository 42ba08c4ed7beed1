"""What is shown and alerted on is what giestack really counts."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from giestack.ops.chat_metrics import Commits, of_chat
from giestack.ops.lag import ReactorLag
from giestack.ops.metrics import Metrics
from giestack.ops.traffic import Traffic
from giestack.spawner.docker.figures import Figures
from giestack.spawner.durations import Durations

FOLDER = Path(__file__).parents[1] / "etc" / "monitoring"
NAMES = re.compile(r"\b(?:giestack|process)_[a-z_]+\b")
TYPES = re.compile(r"^# TYPE (\S+) (\S+)$", re.MULTILINE)
SAMPLES = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}


def all_metrics() -> Metrics:
    nothing = SimpleNamespace
    clock: Any = Clock()
    sessions: Any = nothing(lookups=0, hits=0, cut=0, queries=0, errors=0, cached=0)
    spawned: Any = nothing(
        results={}, durations=Durations(), culler=nothing(culls={}), states=lambda: {"ready": 1}
    )
    clients: Any = nothing(accepted=0, refused=0, connections=0, draining=False)
    backends: Any = nothing(opened=0, reused=0)
    store: Any = nothing(appended=0, batches=0, waiting=0)
    chat: Any = nothing(
        ready=True,
        clients=[],
        paused=0,
        people_here=0,
        fanout=nothing(deliveries=0, waiting=0),
        requests=nothing(done={}, refused={}),
        hearing=nothing(gaps=0),
    )
    return Metrics(
        traffic=Traffic(clock),
        clients=clients,
        backends=backends,
        lag=ReactorLag(clock),
        routes={},
        sessions=sessions,
        open_tunnels=lambda: 0,
        spawned=spawned,
        figures=lambda: {"local": Figures()},
        chat=lambda: of_chat(chat, store, Commits()),
    )


def counted() -> set[str]:
    """The names of all samples."""
    found = set()
    for name, kind in TYPES.findall(all_metrics().text().decode()):
        found |= {name + suffix for suffix in SAMPLES.get(kind, ("",))}
    return found


def expressions() -> Iterator[str]:
    dashboard = json.loads((FOLDER / "grafana-dashboard.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]
    rules = yaml.safe_load((FOLDER / "giestack.rules.yml").read_text(encoding="utf-8"))
    for group in rules["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


class MonitoringTests(SynchronousTestCase):
    def test_only_what_is_counted(self) -> None:
        known, used = counted(), set()
        for expression in expressions():
            names = NAMES.findall(expression)
            self.assertTrue(names or "up{" in expression, expression)
            used |= set(names)
        self.assertEqual(used - known, set())
        self.assertGreater(len(used), 25)

    def test_every_alert_says_what_to_do(self) -> None:
        rules = yaml.safe_load((FOLDER / "giestack.rules.yml").read_text(encoding="utf-8"))
        alerts = [rule for group in rules["groups"] for rule in group["rules"]]
        self.assertEqual(len({rule["alert"] for rule in alerts}), len(alerts))
        for rule in alerts:
            self.assertIn(rule["labels"]["severity"], ("critical", "warning"))
            self.assertTrue(rule["annotations"]["summary"])
            self.assertTrue(rule["annotations"]["description"])
