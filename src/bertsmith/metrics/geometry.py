"""How vectors lie: pairs that should be near, and all of them spread out.

Wang & Isola 2020, "Understanding Contrastive Representation Learning through Alignment and Uniformity on
the Hypersphere", arXiv 2005.10242 §4.1. Both are lower for better vectors. Vectors are normed first.
"""

import numpy as np
from jaxtyping import Float

Vectors = Float[np.ndarray, "rows width"]

_AT_ONCE = 1024


def normed(vectors: Vectors) -> Vectors:
    """The same directions at length 1; a vector of zeros stays."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1))


def alignment(first: Vectors, second: Vectors) -> float:
    """Mean squared distance of the two vectors of a pair (α = 2), from 0 to 4; NaN without pairs."""
    if not len(first):
        return float("nan")
    return float(((normed(first) - normed(second)) ** 2).sum(1).mean())


def uniformity(vectors: Vectors) -> float:
    """Log of the mean of exp(−2 · squared distance) over all pairs of different rows (t = 2), 0 or below.

    NaN with fewer than two rows.
    """
    number = len(vectors)
    if number < 2:
        return float("nan")
    unit = normed(vectors.astype(np.float64))
    total = 0.0
    for start in range(0, number, _AT_ONCE):
        cosines = unit[start : start + _AT_ONCE] @ unit.T
        total += float(np.exp(4 * np.minimum(cosines, 1) - 4).sum())
    own = float(np.exp(4 * (unit**2).sum(1) - 4).sum())
    return float(np.log((total - own) / (number * (number - 1))))
