"""Buckets of histograms."""

from collections.abc import Sequence
from itertools import accumulate


def cumulative(bounds: Sequence[float], counts: Sequence[int]) -> list[tuple[str, float]]:
    """Return buckets as Prometheus has them: each one holds the smaller ones too.

    ``counts`` has one for each of ``bounds``, and one for all that is longer.
    """
    ends = [*map(str, bounds), "+Inf"]
    return list(zip(ends, map(float, accumulate(counts)), strict=True))
