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
