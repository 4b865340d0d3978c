"""How well scores follow the true scores: Pearson in size, Spearman in order."""

import numpy as np
from jaxtyping import Float, Int, Real

from bertsmith.errors import UserError
from bertsmith.metrics.bootstrap import RESAMPLES, Interval, Weighted, bootstrap, percentile_interval
from bertsmith.metrics.ranking import middle_ranks, ranks

Scores = Real[np.ndarray, " rows"]

_ROUNDING = 1e-12  # a variance below this share of the mean square is rounding


def pearson(first: Scores, second: Scores) -> float:
    """Linear correlation, NaN when either side is constant."""
    if _constant(first) or _constant(second):
        return float("nan")
    one, two = (_centred(side) for side in (first, second))
    return float(np.clip(one @ two / np.sqrt((one @ one) * (two @ two)), -1, 1))


def spearman(first: Scores, second: Scores) -> float:
    """Correlation of the ranks, ties in the middle, NaN when either side is constant."""
    return pearson(ranks(first), ranks(second))


def correlation_metrics(truth: Scores, answers: Scores) -> dict[str, float]:
    """`spearman` and `pearson`. A model that answers the same to everything knows nothing: 0.

    Raises:
        UserError: all true scores are equal (or there are fewer than two), so nothing can be measured.
    """
    _require_spread(truth)
    if _constant(answers):
        return {"spearman": 0.0, "pearson": 0.0}
    return {"spearman": spearman(truth, answers), "pearson": pearson(truth, answers)}


def correlation_intervals(
    truth: Scores, answers: Scores, *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Interval]:
    """95 % percentile intervals of the same metrics, by bootstrap over rows.

    Raises:
        UserError: all true scores are equal (or there are fewer than two).
    """
    _require_spread(truth)
    if _constant(answers):
        return {"spearman": (0.0, 0.0), "pearson": (0.0, 0.0)}
    intervals = {}
    for name, figure in weighted_correlation(truth, answers).items():
        values = bootstrap(np.arange(len(truth)), figure, resamples=resamples, seed=seed)
        intervals[name] = percentile_interval(values)
    return {name: interval for name, interval in intervals.items() if interval is not None}


def weighted_correlation(truth: Scores, answers: Scores) -> dict[str, Weighted]:
    """The same metrics as functions of how often each row is in a sample; NaN where either side is constant there.

    Answers that are all equal correlate with nothing: 0.

    Raises:
        UserError: all true scores are equal (or there are fewer than two).
    """
    _require_spread(truth)
    if _constant(answers):
        return dict.fromkeys(("spearman", "pearson"), lambda counts: np.zeros(len(counts)))
    return {"spearman": _spearman_of(truth, answers), "pearson": _pearson_of(truth, answers)}


def _pearson_of(first: Scores, second: Scores) -> Weighted:
    one, two = _centred(first), _centred(second)
    return lambda counts: np.asarray([_weighted_pearson(one, two, row) for row in counts])


def _spearman_of(first: Scores, second: Scores) -> Weighted:
    """Ranks are taken anew in every sample, from how often each distinct value is in it."""
    (_, one), (_, two) = (np.unique(side, return_inverse=True) for side in (first, second))
    return lambda counts: np.asarray(
        [_weighted_pearson(_sample_ranks(one, row), _sample_ranks(two, row), row) for row in counts]
    )


def _sample_ranks(group: Int[np.ndarray, " rows"], counts: Int[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
    held = np.bincount(group, weights=counts).astype(np.int64)
    return np.asarray(middle_ranks(held)[group] - counts.sum() / 2)


def _weighted_pearson(
    one: Float[np.ndarray, " rows"], two: Float[np.ndarray, " rows"], counts: Int[np.ndarray, " rows"]
) -> float:
    share = counts / counts.sum()
    mean_one, mean_two = share @ one, share @ two
    square_one, square_two = share @ one**2, share @ two**2
    spread_one, spread_two = square_one - mean_one**2, square_two - mean_two**2
    if spread_one <= _ROUNDING * square_one or spread_two <= _ROUNDING * square_two:
        return float("nan")
    return float((share @ (one * two) - mean_one * mean_two) / np.sqrt(spread_one * spread_two))


def _centred(values: Scores) -> Float[np.ndarray, " rows"]:
    wide = values.astype(np.float64)
    return np.asarray(wide - wide.mean())


def _constant(values: Scores) -> bool:
    return not len(values) or bool((values == values[0]).all())


def _require_spread(truth: Scores) -> None:
    if _constant(truth):
        fact = f"all {len(truth)} true scores are {truth[0]:g}" if len(truth) > 1 else f"there are {len(truth)} rows"
        raise UserError(
            f"a correlation needs at least two different true scores, but {fact}; evaluate on rows that differ",
            code="constant_scores",
        )
