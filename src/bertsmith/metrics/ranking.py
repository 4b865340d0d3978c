"""Metrics that look at the order of scores only; equal scores share the middle of their places."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from bertsmith.metrics.bootstrap import RESAMPLES, Interval, Weighted, bootstrap, percentile_interval


def middle_ranks(counts: Int[np.ndarray, " groups"]) -> Float[np.ndarray, " groups"]:
    """Rank from 1 of each group of equal values, lowest first, given how many values each holds."""
    return np.cumsum(counts) - (counts - 1) / 2


def ranks(values: Shaped[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
    """Rank of each value from 1, ties in the middle."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    return middle_ranks(counts)[group]


def auc(positive: Bool[np.ndarray, " rows"], scores: Float[np.ndarray, " rows"]) -> float:
    """Chance that a positive row scores above a negative one, ties half (area under the ROC curve).

    NaN when one of the two classes has no row.
    """
    kinds, ladder = _ladder(positive, scores)
    return float(ladder.auc(np.bincount(kinds)[None])[0])


def auc_interval(
    positive: Bool[np.ndarray, " rows"],
    scores: Float[np.ndarray, " rows"],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval | None:
    """95 % interval of the area under the ROC curve, by bootstrap over rows; None without both classes."""
    kinds, ladder = _ladder(positive, scores)
    return percentile_interval(bootstrap(kinds, ladder.auc, resamples=resamples, seed=seed))


def weighted_auc(positive: Bool[np.ndarray, " rows"], scores: Float[np.ndarray, " rows"]) -> Weighted:
    """The area as a function of how often each row is in a sample; NaN for a sample without both classes."""
    kinds, ladder = _ladder(positive, scores)
    order = np.argsort(kinds, kind="stable")
    starts = np.searchsorted(kinds[order], np.arange(kinds.max() + 1))
    return lambda counts: ladder.auc(np.add.reduceat(counts[:, order], starts, axis=1))


@dataclass(frozen=True, slots=True)
class _Ladder:
    """The distinct (score, class) pairs, lowest score first; of a tied pair the negative one first."""

    positive: Bool[np.ndarray, " kinds"]
    tied: Bool[np.ndarray, " kinds"]  # same score as the pair before

    def auc(self, counts: Int[np.ndarray, "some kinds"]) -> Float[np.ndarray, " some"]:
        negatives = np.where(self.positive, 0, counts)
        positives = counts - negatives
        tied = np.where(self.tied, np.roll(negatives, 1, axis=-1), 0)
        wins = (positives * (np.cumsum(negatives, axis=-1) - tied / 2)).sum(axis=-1)
        with np.errstate(invalid="ignore"):
            return np.asarray(wins / (positives.sum(axis=-1) * negatives.sum(axis=-1)))


def _ladder(
    positive: Bool[np.ndarray, " rows"], scores: Float[np.ndarray, " rows"]
) -> tuple[Int[np.ndarray, " rows"], _Ladder]:
    _, group = np.unique(scores, return_inverse=True)
    pairs, kinds = np.unique(2 * group + positive, return_inverse=True)
    rungs = pairs // 2
    return kinds, _Ladder(positive=pairs % 2 == 1, tied=np.diff(rungs, prepend=-1) == 0)
