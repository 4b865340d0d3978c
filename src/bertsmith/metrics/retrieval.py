"""How early the right one is found among many by the cosine: recall at the first places, mean reciprocal rank."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int

from bertsmith.metrics.bootstrap import RESAMPLES, Interval, bootstrap, percentile_interval

_SCORES_AT_ONCE = 1 << 24
PLACES = (1, 10)
RANK_METRICS = (*(f"recall@{place}" for place in PLACES), "mrr")
"""The figures of first ranks."""


def first_ranks(
    queries: Float[np.ndarray, "queries width"],
    candidates: Float[np.ndarray, "candidates width"],
    right: Callable[[slice], Bool[np.ndarray, "some candidates"]],
    *,
    own: Int[np.ndarray, "queries"] | None = None,
) -> Int[np.ndarray, "queries"]:
    """For each query the rank, from 1, of the best of its right candidates; 0 where there is none.

    Vectors have length 1. `right` tells which candidates are right for some queries; `own` are the
    places of the queries among the candidates, which do not count. Of equal scores the wrong one comes
    first: who cannot tell them apart has not found anything.
    """
    ranks = np.zeros(len(queries), dtype=np.int64)
    at_once = max(1, _SCORES_AT_ONCE // max(len(candidates), 1))
    for start in range(0, len(queries), at_once):
        rows = slice(start, min(start + at_once, len(queries)))
        scores, hits = queries[rows] @ candidates.T, right(rows)
        if own is not None:
            scores[np.arange(len(scores)), own[rows]] = -np.inf
        counting = np.isfinite(scores)
        best = np.where(hits & counting, scores, -np.inf).max(1, initial=-np.inf)
        wrong = ~hits & counting & (scores >= best[:, None])
        ranks[rows] = np.where(np.isfinite(best), wrong.sum(1) + 1, 0)
    return ranks


def rank_metrics(ranks: Int[np.ndarray, "queries"]) -> dict[str, float]:
    """`recall@1`, `recall@10` (a right one among so many) and `mrr` (mean of 1 / rank), of first ranks."""
    return {name: float(values.mean()) for name, values in _by_query(ranks).items()}


def rank_intervals(
    ranks: Int[np.ndarray, "queries"], *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Interval]:
    """95 % intervals of the same metrics, by bootstrap over queries."""
    kinds, places = np.unique(ranks, return_inverse=True)
    found = {}
    for name, values in _by_query(kinds).items():

        def mean(counts: Int[np.ndarray, "some kinds"], values: np.ndarray = values) -> np.ndarray:
            return np.asarray(counts @ values / len(places))

        draws = bootstrap(places, mean, resamples=resamples, seed=seed)
        if (interval := percentile_interval(draws)) is not None:
            found[name] = interval
    return found


def _by_query(ranks: Int[np.ndarray, "queries"]) -> dict[str, Float[np.ndarray, "queries"]]:
    found = ranks > 0
    recalls = {f"recall@{place}": (found & (ranks <= place)).astype(np.float64) for place in PLACES}
    return {**recalls, "mrr": np.where(found, 1 / np.maximum(ranks, 1), 0.0)}
