"""How well labels are answered: metrics, their intervals, per label, and between two systems."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from bertsmith.metrics.bootstrap import RESAMPLES, Interval, Weighted, bootstrap, percentile_interval
from bertsmith.metrics.ranking import auc, auc_interval, weighted_auc
from bertsmith.metrics.tally import Rows, Tally, accuracy, f1, macro_f1, precision, recall, tallies, tally

Probabilities = Float[np.ndarray, "rows labels"]
Statistic = Callable[[Tally], Float[np.ndarray, "*samples"]]


@dataclass(frozen=True, slots=True)
class ClassScores:
    """How well one label is found; `support` is how many rows truly have it."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better the second of two systems is on the same rows, with its 95 % interval."""

    value: float
    low: float
    high: float


def classification_metrics(
    truth: Rows, answers: Rows, *, labels: Sequence[str], probabilities: Probabilities | None = None
) -> dict[str, float]:
    """`accuracy`, `macro_f1`, and with two labels and probabilities `auc` (the second label is the positive one).

    `truth` and `answers` are places in `labels`. `auc` is left out when only one of the two labels occurs.
    """
    _require_rows(truth)
    counts = tally(truth, answers, labels=len(labels))
    metrics = {"accuracy": float(accuracy(counts)[0]), "macro_f1": float(macro_f1(counts)[0])}
    if probabilities is not None and _has_auc(truth, labels):
        metrics["auc"] = auc(truth == 1, probabilities[:, 1])
    return metrics


def classification_intervals(
    truth: Rows,
    answers: Rows,
    *,
    labels: Sequence[str],
    probabilities: Probabilities | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """95 % percentile intervals of the same metrics, by bootstrap over rows.

    Where every sample agrees (no error at all, say) the interval has no width: few rows then prove less
    than it seems.
    """
    _require_rows(truth)
    kinds, (true, answered) = _kinds((truth, answers), len(labels))

    def statistics(counts: Int[np.ndarray, "some kinds"]) -> Float[np.ndarray, "metrics some"]:
        sample = tallies(counts, true, answered, labels=len(labels))
        return np.stack([accuracy(sample), macro_f1(sample)])

    values = bootstrap(kinds, statistics, resamples=resamples, seed=seed)
    intervals = {"accuracy": percentile_interval(values[0]), "macro_f1": percentile_interval(values[1])}
    if probabilities is not None and _has_auc(truth, labels):
        intervals["auc"] = auc_interval(truth == 1, probabilities[:, 1], resamples=resamples, seed=seed)
    return {name: interval for name, interval in intervals.items() if interval is not None}


def weighted_classification(
    truth: Rows, answers: Rows, *, labels: Sequence[str], probabilities: Probabilities | None = None
) -> dict[str, Weighted]:
    """The same metrics as functions of how often each row is in a sample."""
    _require_rows(truth)

    def of(statistic: Statistic) -> Weighted:
        return lambda counts: statistic(tallies(counts, truth, answers, labels=len(labels)))

    figures = {"accuracy": of(accuracy), "macro_f1": of(macro_f1)}
    if probabilities is not None and _has_auc(truth, labels):
        figures["auc"] = weighted_auc(truth == 1, probabilities[:, 1])
    return figures


def confusion(truth: Rows, answers: Rows, *, labels: Sequence[str]) -> Int[np.ndarray, "labels labels"]:
    """Count rows by true label (down) and answered label (across)."""
    number = len(labels)
    return np.bincount(truth * number + answers, minlength=number * number).reshape(number, number)


def per_class(truth: Rows, answers: Rows, *, labels: Sequence[str]) -> tuple[ClassScores, ...]:
    """Precision, recall, F1 and support of every label; what cannot be measured counts as 0."""
    counts = tally(truth, answers, labels=len(labels))
    columns = zip(labels, precision(counts)[0], recall(counts)[0], f1(counts)[0], counts.truths[0], strict=True)
    return tuple(ClassScores(label, float(p), float(r), float(f), int(n)) for label, p, r, f, n in columns)


def paired_difference(
    truth: Rows,
    first: Rows,
    second: Rows,
    *,
    labels: Sequence[str],
    metric: Statistic = accuracy,
    seed: int = 0,
) -> Difference:
    """How much better `second` answers the same rows than `first`: rows are re-drawn in pairs."""
    _require_rows(truth)
    kinds, (true, one, two) = _kinds((truth, first, second), len(labels))

    def gain(counts: Int[np.ndarray, "some kinds"]) -> Float[np.ndarray, " some"]:
        before, after = (tallies(counts, true, answered, labels=len(labels)) for answered in (one, two))
        return metric(after) - metric(before)

    value = float(gain(np.bincount(kinds)[None])[0])
    interval = percentile_interval(bootstrap(kinds, gain, seed=seed))
    assert interval is not None, "accuracy and F1 are defined on every sample"
    return Difference(value, *interval)


def _kinds(columns: Sequence[Rows], labels: int) -> tuple[Rows, tuple[Int[np.ndarray, " kinds"], ...]]:
    """Number the distinct rows; return each row's number and the columns of the distinct rows."""
    base = [labels] * len(columns)
    codes, kinds = np.unique(np.ravel_multi_index(tuple(columns), base), return_inverse=True)
    return kinds, tuple(np.unravel_index(codes, base))


def _has_auc(truth: Rows, labels: Sequence[str]) -> bool:
    return len(labels) == 2 and bool(truth.min() < truth.max())


def _require_rows(truth: Rows) -> None:
    if not len(truth):
        raise ValueError("metrics need at least one row")
