"""Does a confidence of 80 % mean right four times in five? (Guo et al. 2017)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True, slots=True)
class Calibration:
    """Rows in equally wide bins of confidence; empty bins are left out.

    `error` is the expected calibration error: the mean distance between confidence and accuracy,
    bins weighted by their rows.
    """

    confidence: Float[np.ndarray, " bins"]
    accuracy: Float[np.ndarray, " bins"]
    rows: Int[np.ndarray, " bins"]
    error: float


def calibration(
    confidence: Float[np.ndarray, " rows"], right: Bool[np.ndarray, " rows"], *, bins: int = 15
) -> Calibration:
    """Compare stated confidence (0 to 1) with the share of right answers, bin by bin."""
    if not len(confidence):
        raise ValueError("calibration needs at least one row")
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    rows = np.bincount(place, minlength=bins)
    used = rows > 0
    stated = np.bincount(place, weights=confidence, minlength=bins)[used] / rows[used]
    found = np.bincount(place, weights=right, minlength=bins)[used] / rows[used]
    error = float(np.abs(stated - found) @ rows[used] / len(confidence))
    return Calibration(confidence=stated, accuracy=found, rows=rows[used], error=error)


HOTTEST = 20.0
"""Temperatures lie between 1 / 20 and 20: beyond, the texts say nothing about them."""


def best_temperature(probabilities: Float[np.ndarray, "rows labels"], truth: Int[np.ndarray, " rows"]) -> float | None:
    """The temperature that makes the truth likeliest (Guo et al. 2017, arXiv 1706.04599 §4.2).

    Above 1 the model was too sure of itself, below 1 not sure enough. The likelihood has one peak,
    found by halving: the same rows always give the same number. None where the peak lies outside 1 / 20
    to 20: if every answer is right, the surer the likelier.
    """
    if not len(truth):
        raise ValueError("a temperature needs at least one row")
    scores = logarithms(probabilities)
    above = scores - scores[np.arange(len(truth)), truth, None]

    def too_sure(sharpness: float) -> bool:
        return float((softmax(above * sharpness) * above).sum(1).mean()) > 0

    low, high = 1 / HOTTEST, HOTTEST
    if too_sure(low) or not too_sure(high):
        return None
    for _ in range(60):
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if too_sure(middle) else (middle, high)
    return 1 / float(np.sqrt(low * high))


def tempered(probabilities: Float[np.ndarray, "rows labels"], temperature: float) -> Float[np.ndarray, "rows labels"]:
    """Probabilities of scores divided by the temperature; which label is the likeliest stays as it was."""
    return softmax(logarithms(probabilities) / temperature).astype(probabilities.dtype)


def logarithms(probabilities: Float[np.ndarray, "rows labels"]) -> Float[np.ndarray, "rows labels"]:
    """Logarithms in float64; a probability of zero counts as the smallest float32."""
    smallest = np.finfo(np.float32).tiny
    return np.asarray(np.log(np.maximum(probabilities.astype(np.float64), smallest)))


def softmax(scores: Float[np.ndarray, "rows labels"]) -> Float[np.ndarray, "rows labels"]:
    """Probabilities of scores, row by row."""
    raised = np.exp(scores - scores.max(1, keepdims=True))
    return np.asarray(raised / raised.sum(1, keepdims=True))
