"""How far a pull has come."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from giestack.docker.pull_progress import Pulled, PullProgress

# As Docker 20.10 has told it of an image whose second layer was here.
PULL = """
{"status":"Pulling from site/big","id":"1"}
{"status":"Already exists","progressDetail":{},"id":"06d1"}
{"status":"Pulling fs layer","progressDetail":{},"id":"8588"}
{"status":"Downloading","progressDetail":{"current":250,"total":1000},"id":"8588"}
{"status":"Downloading","progressDetail":{"current":900,"total":1000},"id":"8588"}
{"status":"Verifying Checksum","progressDetail":{},"id":"8588"}
{"status":"Download complete","progressDetail":{},"id":"8588"}
{"status":"Extracting","progressDetail":{"current":500,"total":1000},"id":"8588"}
{"status":"Extracting","progressDetail":{"current":1000,"total":1000},"id":"8588"}
{"status":"Pull complete","progressDetail":{},"id":"8588"}
{"status":"Digest: sha256:42b5"}
{"status":"Status: Downloaded newer image for 127.0.0.1:5055/big:1"}
"""


def messages(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.strip().splitlines()]


def layer(name: str, status: str, current: int = 0, total: int = 0) -> dict[str, Any]:
    detail = {"current": current, "total": total} if total else {}
    return {"id": name, "status": status, "progressDetail": detail}


class PullProgressTests(SynchronousTestCase):
    def told(self, *heard: dict[str, Any]) -> list[Pulled]:
        progress = PullProgress()
        found = [progress.heard(message) for message in heard]
        return [pulled for pulled in found if pulled is not None]

    def test_a_pull_that_docker_has_told_of(self) -> None:
        told = self.told(*messages(PULL))
        self.assertEqual(
            [(pulled.bytes, pulled.total, pulled.percent) for pulled in told],
            [
                (0, 0, None),
                (250, 1000, 12.5),
                (900, 1000, 45),
                (1000, 1000, 50),
                (1000, 1000, 50),
                (1000, 1000, 75),
                (1000, 1000, 100),
                (1000, 1000, 100),
            ],
        )

    def test_layers_that_wait_are_expected_to_be_as_large_as_the_others(self) -> None:
        told = self.told(
            layer("a", "Pulling fs layer"),
            layer("b", "Pulling fs layer"),
            layer("b", "Waiting"),
            layer("a", "Downloading", 100, 100),
        )
        self.assertEqual(told[-1], Pulled(100, 100, 25))

    def test_it_never_goes_back(self) -> None:
        told = self.told(
            layer("a", "Downloading", 90, 100),
            layer("b", "Pulling fs layer"),
            layer("b", "Downloading", 1, 10_000),
        )
        self.assertEqual([pulled.percent for pulled in told], [45, 45, 45])
        self.assertEqual((told[-1].bytes, told[-1].total), (91, 10_100))

    def test_a_download_that_begins_anew_counts_once(self) -> None:
        told = self.told(
            layer("a", "Downloading", 90, 100),
            layer("a", "Retrying in 5 seconds"),
            layer("a", "Downloading", 10, 100),
        )
        self.assertEqual(told[-1].bytes, 90)

    def test_a_layer_too_small_for_a_download_to_be_told(self) -> None:
        told = self.told(
            layer("a", "Pulling fs layer"),
            layer("a", "Download complete"),
            layer("a", "Extracting", 32, 32),
            layer("a", "Pull complete"),
        )
        self.assertEqual(told[-1], Pulled(32, 32, 100))

    def test_seconds_are_no_bytes(self) -> None:
        # Engines that keep images in containerd tell how long they unpack.
        message = {
            "id": "a",
            "status": "Extracting",
            "progressDetail": {"current": 3, "units": "s"},
        }
        self.assertEqual(
            self.told(layer("a", "Downloading", 50, 100), message)[-1], Pulled(100, 100, 50)
        )

    def test_an_image_that_is_here_already(self) -> None:
        self.assertEqual(
            self.told(
                {"status": "Pulling from site/big", "id": "1"},
                layer("a", "Already exists"),
                {"status": "Digest: sha256:42b5"},
            ),
            [],
        )

    def test_a_layer_that_came_meanwhile_counts_no_more(self) -> None:
        self.assertEqual(
            self.told(
                layer("a", "Pulling fs layer"),
                layer("b", "Downloading", 10, 100),
                layer("a", "Already exists"),
            )[-1],
            Pulled(10, 100, 5),
        )

    @given(
        st.lists(
            st.dictionaries(
                st.sampled_from(["id", "status", "progressDetail"]),
                st.one_of(
                    st.none(),
                    st.integers(),
                    st.sampled_from(
                        ["a", "b", "Downloading", "Extracting", "Pull complete", "Already exists"]
                    ),
                    st.dictionaries(
                        st.sampled_from(["current", "total", "units"]),
                        st.one_of(st.integers(), st.text(max_size=2), st.none()),
                    ),
                ),
            ),
            max_size=20,
        )
    )
    def test_whatever_comes_it_stays_within_bounds(self, heard: list[dict[str, Any]]) -> None:
        percents = [pulled.percent or 0 for pulled in self.told(*heard)]
        self.assertEqual(percents, sorted(percents))
        self.assertTrue(all(0 <= percent <= 100 for percent in percents))
