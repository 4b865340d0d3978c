"""How good sets of labels are, and from which probability on a label had better be given."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from bertsmith.metrics.bootstrap import RESAMPLES, Interval, Weighted, bootstrap, percentile_interval
from bertsmith.metrics.classification import ClassScores
from bertsmith.metrics.tally import Tally, f1, macro_f1, precision, recall

Sets = Bool[np.ndarray, "rows labels"]
Chances = Float[np.ndarray, "rows labels"]
Score = Callable[[Tally], Float[np.ndarray, "*samples"]]

USUAL_CUT = 0.5
_MOST_CUTS = 500


def micro_f1(counts: Tally) -> Float[np.ndarray, "*samples"]:
    """F1 over all decisions of all labels; 0 where nothing is true or answered."""
    hits, truths, answers = (part.sum(axis=-1) for part in (counts.hits, counts.truths, counts.answers))
    return np.asarray(2 * hits / np.maximum(truths + answers, 1))


def macro(counts: Tally) -> Float[np.ndarray, "*samples"]:
    """Mean F1 over the labels that are true or answered; 0 where none is."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nan_to_num(macro_f1(counts)))


SCORES: dict[str, Score] = {"micro_f1": micro_f1, "macro_f1": macro}


def multilabel_metrics(truth: Sets, answers: Sets) -> dict[str, float]:
    """`micro_f1`, and `macro_f1` over the labels that are true or answered at least once."""
    counts = _tally(truth, answers)
    return {name: float(score(counts)) for name, score in SCORES.items()}


def multilabel_intervals(
    truth: Sets, answers: Sets, *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Interval]:
    """95 % percentile intervals of the same metrics, by bootstrap over rows."""
    rows, kinds = np.unique(np.hstack([truth, answers]), axis=0, return_inverse=True)
    figures = weighted_multilabel(*np.hsplit(rows, 2))

    def statistics(counts: Int[np.ndarray, "some kinds"]) -> Float[np.ndarray, "metrics some"]:
        return np.stack([figure(counts) for figure in figures.values()])

    values = bootstrap(kinds.reshape(-1), statistics, resamples=resamples, seed=seed)
    found = {name: percentile_interval(row) for name, row in zip(SCORES, values, strict=True)}
    return {name: interval for name, interval in found.items() if interval is not None}


def weighted_multilabel(truth: Sets, answers: Sets) -> dict[str, Weighted]:
    """The same metrics as functions of how often each row is in a sample."""
    parts = [side.astype(np.float64) for side in (truth & answers, truth, answers)]

    def of(score: Score) -> Weighted:
        return lambda counts: score(Tally(*(np.rint(counts @ part).astype(np.int64) for part in parts)))

    return {name: of(score) for name, score in SCORES.items()}


def per_label(truth: Sets, answers: Sets, *, labels: Sequence[str]) -> tuple[ClassScores, ...]:
    """Precision, recall, F1 and support of every label; what cannot be measured counts as 0."""
    counts = _tally(truth, answers)
    columns = zip(labels, precision(counts), recall(counts), f1(counts), counts.truths, strict=True)
    return tuple(ClassScores(label, float(p), float(r), float(f), int(n)) for label, p, r, f, n in columns)


def best_cut(truth: Sets, chances: Chances, score: Score) -> float:
    """The probability from which on giving labels scores best here; of equal ones the nearest to one half.

    Candidates lie midway between probabilities that occur (500 of them at most), and at one half.
    """
    cuts = _candidates(chances)
    values = score(tallies_at(cuts, truth, chances))
    best = np.flatnonzero(values >= values.max())
    return float(cuts[best[np.abs(cuts[best] - USUAL_CUT).argmin()]])


def best_cuts(truth: Sets, chances: Chances, *, otherwise: float) -> tuple[float, ...]:
    """The best cut of every label by its own F1; a label without a positive row keeps `otherwise`."""
    return tuple(
        best_cut(truth[:, [label]], chances[:, [label]], micro_f1) if truth[:, label].any() else otherwise
        for label in range(truth.shape[1])
    )


def tallies_at(cuts: Float[np.ndarray, " cuts"], truth: Sets, chances: Chances) -> Tally:
    """Hits, truths and answers of every label when it is given from each of these probabilities on."""

    def reaching(values: Float[np.ndarray, " rows"]) -> Int[np.ndarray, " cuts"]:
        return len(values) - np.searchsorted(np.sort(values), cuts, side="left")

    labels = range(truth.shape[1])
    answers = np.stack([reaching(chances[:, label]) for label in labels], axis=-1)
    hits = np.stack([reaching(chances[truth[:, label], label]) for label in labels], axis=-1)
    return Tally(hits=hits, truths=np.broadcast_to(truth.sum(axis=0), hits.shape), answers=answers)


def _candidates(chances: Chances) -> Float[np.ndarray, " cuts"]:
    values = np.unique(chances.astype(np.float64))
    between = (values[1:] + values[:-1]) / 2
    if len(between) > _MOST_CUTS:
        between = between[np.linspace(0, len(between) - 1, _MOST_CUTS).astype(np.int64)]
    return np.append(between, USUAL_CUT)


def _tally(truth: Sets, answers: Sets) -> Tally:
    return Tally(hits=(truth & answers).sum(axis=0), truths=truth.sum(axis=0), answers=answers.sum(axis=0))
