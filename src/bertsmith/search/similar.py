"""All texts of an index that are alike enough, for some of its rows at a time."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from bertsmith.search.index import VectorIndex
from bertsmith.search.scanning import Scanned
from bertsmith.search.settings import Exact

ROUNDING = 1e-6
"""Equal vectors have a cosine of nearly 1: so much below the threshold still counts."""
ROWS_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Alike:
    """Pairs of a row that was asked for and another row, with their score, in the order of the rows."""

    one: Int64[np.ndarray, "pairs"]
    other: Int64[np.ndarray, "pairs"]
    scores: Float32[np.ndarray, "pairs"]


def alive_rows(index: VectorIndex) -> Int64[np.ndarray, "rows"]:
    """The rows that are not deleted."""
    return np.arange(index.manifest.rows) if index.alive is None else np.flatnonzero(index.alive)


def vectors_of(index: VectorIndex, rows: Int64[np.ndarray, "some"]) -> Float32[np.ndarray, "some width"]:
    """Stored vectors of some rows."""
    return np.asarray(index.vectors[rows], dtype=np.float32)


def alike(index: VectorIndex, rows: Int64[np.ndarray, "some"], *, threshold: float, most: int) -> Alike:
    """Every other row with a score of `threshold` or more.

    Of an approximate index the `most` nearest of each row are looked at, of an exact one all.
    """
    if not isinstance(index.manifest.chosen, Exact):
        return _near(index, rows, threshold, most)
    queries, parts = vectors_of(index, rows), []
    for first, block in Scanned(index.vectors).blocks(len(rows)):
        scores = queries @ block.T
        places, columns = np.nonzero(scores >= threshold - ROUNDING)
        parts.append((rows[places], columns + first, scores[places, columns]))
    return _sorted(index, *(np.concatenate(part) for part in zip(*parts, strict=True)))


def _near(index: VectorIndex, rows: Int64[np.ndarray, "some"], threshold: float, most: int) -> Alike:
    found = index.nearest(vectors_of(index, rows), top=most + 1)
    kept = found.scores >= threshold - ROUNDING
    places = np.nonzero(kept)[0]
    return _sorted(index, rows[places], found.rows[kept], found.scores[kept])


def _sorted(
    index: VectorIndex,
    one: Int64[np.ndarray, "_"],
    other: Int64[np.ndarray, "_"],
    scores: Float32[np.ndarray, "_"],
) -> Alike:
    kept = (one != other) & (other >= 0)
    if index.alive is not None:
        kept &= index.alive[np.maximum(other, 0)]
    one, other, scores = one[kept], other[kept], scores[kept]
    order = np.lexsort((other, one))
    return Alike(one[order], other[order], scores[order])
