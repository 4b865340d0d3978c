"""Three counts per label, from which accuracy and every F1 follow."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

Rows = Int[np.ndarray, " rows"]


@dataclass(frozen=True, slots=True)
class Tally:
    """Per label: how often it was answered rightly, how often it is true, how often it was answered."""

    hits: Int[np.ndarray, "*samples labels"]
    truths: Int[np.ndarray, "*samples labels"]
    answers: Int[np.ndarray, "*samples labels"]


def tally(truth: Rows, answers: Rows, *, labels: int) -> Tally:
    """Count hits, truths and answers per label."""
    return tallies(np.ones((1, len(truth)), dtype=np.int64), truth, answers, labels=labels)


def tallies(
    counts: Int[np.ndarray, "samples kinds"],
    truth: Int[np.ndarray, " kinds"],
    answers: Int[np.ndarray, " kinds"],
    *,
    labels: int,
) -> Tally:
    """Count per label in many samples at once, given how often each kind of row is in each."""
    return Tally(
        hits=_summed(np.where(truth == answers, counts, 0), truth, labels),
        truths=_summed(counts, truth, labels),
        answers=_summed(counts, answers, labels),
    )


def accuracy(counts: Tally) -> Float[np.ndarray, "*samples"]:
    """Share of rows answered right."""
    return np.asarray(counts.hits.sum(axis=-1) / counts.truths.sum(axis=-1))


def precision(counts: Tally) -> Float[np.ndarray, "*samples labels"]:
    """Share of the answers of each label that are right; 0 for a label never answered."""
    return np.asarray(counts.hits / np.maximum(counts.answers, 1))


def recall(counts: Tally) -> Float[np.ndarray, "*samples labels"]:
    """Share of the rows of each label that are found; 0 for a label that is never true."""
    return np.asarray(counts.hits / np.maximum(counts.truths, 1))


def f1(counts: Tally) -> Float[np.ndarray, "*samples labels"]:
    """Harmonic mean of precision and recall per label; 0 for a label neither true nor answered."""
    return np.asarray(2 * counts.hits / np.maximum(counts.truths + counts.answers, 1))


def macro_f1(counts: Tally) -> Float[np.ndarray, "*samples"]:
    """Mean F1 over the labels that are true or answered in the sample (as scikit-learn's default)."""
    present = counts.truths + counts.answers > 0
    return np.asarray(f1(counts).sum(axis=-1) / present.sum(axis=-1))


def _summed(
    counts: Int[np.ndarray, "samples kinds"], label: Int[np.ndarray, " kinds"], labels: int
) -> Int[np.ndarray, "samples labels"]:
    """Add up the columns of each label."""
    order = np.argsort(label, kind="stable")
    present, starts = np.unique(label[order], return_index=True)
    sums = np.zeros((len(counts), labels), dtype=np.int64)
    sums[:, present] = np.add.reduceat(counts[:, order], starts, axis=1)
    return sums
