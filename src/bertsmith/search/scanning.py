"""The nearest of many vectors, block by block: what is held is a block of scores and the best so far."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int64, Shaped

from bertsmith.errors import UserError

BLOCK_NUMBERS = 1 << 22
"""Numbers of a block of vectors, or of its scores: 16 MB in float32."""
QUERIES_AT_ONCE = 256

_NOTHING = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The best rows of each query, best first; where there are fewer, row -1 with score -inf."""

    rows: Int64[np.ndarray, "queries top"]
    scores: Float32[np.ndarray, "queries top"]


@dataclass(frozen=True, slots=True)
class Scanned:
    """Vectors as they are scanned: numbers, or one byte a number with the step and the middle of each dimension."""

    stored: Shaped[np.ndarray, "rows width"]
    steps: Float32[np.ndarray, "width"] | None = None
    middles: Float32[np.ndarray, "width"] | None = None

    def __len__(self) -> int:
        return len(self.stored)

    def blocks(self, queries: int, start: int = 0) -> Iterator[tuple[int, Float32[np.ndarray, "some width"]]]:
        """Blocks of vectors with the row each begins at; codes are not scaled yet (see `asked`)."""
        rows = max(256, BLOCK_NUMBERS // max(queries, self.stored.shape[1]))
        for first in range(start, len(self), rows):
            yield first, np.asarray(self.stored[first : first + rows], dtype=np.float32)

    def asked(
        self, queries: Float32[np.ndarray, "queries width"]
    ) -> tuple[Float32[np.ndarray, "queries width"], Float32[np.ndarray, "queries 1"]]:
        """Queries to multiply with unscaled codes, and what is added to their scores."""
        if self.steps is None or self.middles is None:
            return queries, np.zeros((len(queries), 1), dtype=np.float32)
        return queries * self.steps, (queries @ self.middles)[:, None]


def nearest(
    queries: Float32[np.ndarray, "queries width"],
    vectors: Scanned,
    *,
    top: int,
    alive: Bool[np.ndarray, "rows"] | None = None,
    start: int = 0,
) -> Neighbours:
    """The rows from `start` on with the greatest inner products; of equal scores the first row.

    Raises:
        UserError: a stored vector is not finite: the file is damaged.
    """
    found = [
        _nearest(queries[first : first + QUERIES_AT_ONCE], vectors, top, alive, start)
        for first in range(0, len(queries), QUERIES_AT_ONCE)
    ]
    return _told(np.concatenate([np.zeros((0, top), dtype=np.int64), *found]))


def _nearest(
    queries: Float32[np.ndarray, "queries width"],
    vectors: Scanned,
    top: int,
    alive: Bool[np.ndarray, "rows"] | None,
    start: int,
) -> Int64[np.ndarray, "queries top"]:
    best = np.full((len(queries), top), _NOTHING, dtype=np.int64)
    scaled, added = vectors.asked(queries)
    for first, block in vectors.blocks(len(queries), start):
        scores = scaled @ block.T + added
        if not np.isfinite(scores.sum(dtype=np.float64)):
            raise _not_finite(block, first)
        kept = np.arange(first, first + len(block))
        hopeful = (scores > _scores(best[:, :1])).any(axis=0)
        if alive is not None:
            hopeful &= alive[first : first + len(block)]
        if hopeful.any():
            best = _best(np.concatenate([best, keys(scores[:, hopeful], kept[hopeful])], axis=1), top)
    return best


def keys(scores: Float32[np.ndarray, "queries some"], rows: Int[np.ndarray, "*_"]) -> Int64[np.ndarray, "queries some"]:
    """Score and row in one number, so that the greatest is the best score, and of equal ones the first row."""
    bits = np.ascontiguousarray(scores + np.float32(0.0)).view(np.int32)
    ordered = bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))
    return (ordered.astype(np.int64) << 32) | (np.int64(0xFFFFFFFF) - rows)


def of_candidates(
    rows: Int64[np.ndarray, "queries some"], scores: Float32[np.ndarray, "queries some"], *, top: int
) -> Neighbours:
    """The best of candidates with their scores; row -1 is none. No row may stand twice in a line."""
    known = np.where(rows < 0, _NOTHING, keys(scores, np.maximum(rows, 0)))
    if known.shape[1] < top:
        known = np.pad(known, ((0, 0), (0, top - known.shape[1])), constant_values=_NOTHING)
    return _told(_best(known, top))


def _best(known: Int64[np.ndarray, "queries some"], top: int) -> Int64[np.ndarray, "queries top"]:
    """The greatest keys, the least of them in front."""
    return np.partition(known, known.shape[1] - top, axis=1)[:, -top:]


def _scores(known: Int64[np.ndarray, "queries some"]) -> Float32[np.ndarray, "queries some"]:
    ordered = (known >> 32).astype(np.int32)
    bits = ordered ^ ((ordered >> 31) & np.int32(0x7FFFFFFF))
    scores = bits.view(np.float32)
    return np.where(known == _NOTHING, np.float32(-np.inf), scores)


def _told(known: Int64[np.ndarray, "queries top"]) -> Neighbours:
    known = np.sort(known, axis=1)[:, ::-1]
    rows = np.where(known == _NOTHING, -1, np.int64(0xFFFFFFFF) - (known & np.int64(0xFFFFFFFF)))
    return Neighbours(rows, np.ascontiguousarray(_scores(known)))


def _not_finite(block: Float[np.ndarray, "some width"], first: int) -> UserError:
    wrong = np.flatnonzero(~np.isfinite(block).all(axis=1))
    place = f"row {first + int(wrong[0])} of the stored vectors" if len(wrong) else "the vector of a query"
    return UserError(
        f"{place} holds NaN or infinity; the index is damaged: copy it again or build it again", code="damaged_index"
    )
