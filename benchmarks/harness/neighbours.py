"""How every index is measured: time to build, of queries together and one by one, and recall. Needs numpy alone."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from harness.child import Watch
from harness.protocol import Ask, Job, Measure

Index = TypeVar("Index")
Found = np.ndarray
"""Scores of what was found, `[queries, top]`, the best first."""


def measured(
    job: Job,
    vectors: np.ndarray,
    queries: np.ndarray,
    build: Callable[[], Index],
    search: Callable[[Index, np.ndarray], Found],
) -> Callable[[Ask], Measure]:
    """Rounds of building and searching; seconds are those of all queries together.

    A line as near as the last of the true ones counts as well as it.
    """
    top, single = job.options["top"], min(job.options["single"], len(queries))
    truth = (
        -np.sort(-(queries @ vectors.T), axis=1)[:, :top] if len(vectors) <= 50_000 else in_parts(vectors, queries, top)
    )

    def run(_: Ask) -> Measure:
        building = Watch()
        index = build()
        building.stop()
        search(index, queries[:2])
        alone = Watch()
        for query in queries[:single]:
            search(index, query[None])
        alone.stop()
        together = Watch()
        scores = search(index, queries)
        together.stop()
        return together.measure(
            figures={
                "build s": building.measure().seconds,
                "ms/query": 1000 * together.measure().seconds / len(queries),
                "ms, one by one": 1000 * alone.measure().seconds / single,
                f"recall@{top}": float((scores >= truth[:, -1:] - 1e-5).mean()),
            }
        )

    return run


def in_parts(vectors: np.ndarray, queries: np.ndarray, top: int) -> np.ndarray:
    """The best scores of all, without all scores in memory at once."""
    best = np.full((len(queries), top), -np.inf, dtype=np.float32)
    for start in range(0, len(vectors), 50_000):
        scores = np.concatenate([best, queries @ vectors[start : start + 50_000].T], axis=1)
        best = -np.sort(-scores, axis=1)[:, :top]
    return best
