"""Vectors on their way to the disk and from it: refused where they are no numbers, normalised, coded in bytes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Int, Int8, Int64, Shaped

from bertsmith.errors import UserError
from bertsmith.search.columns import mapped
from bertsmith.search.scanning import Neighbours, of_candidates

VECTORS, CODES, SCALES = "vectors.bin", "codes.bin", "scales.bin"
SCALE_ROWS = 32_768
"""Rows from which the levels of codes are learned, about."""


def require_finite(vectors: Float[np.ndarray, "rows width"], name: Callable[[int], str]) -> None:
    """Make sure that every number is one.

    Raises:
        UserError: names the first row that holds NaN or infinity, and says how many there are.
    """
    wrong = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(wrong):
        more = f" (and {len(wrong) - 1:,} more)" if len(wrong) > 1 else ""
        raise UserError(
            f"{name(int(wrong[0]))}: its vector holds NaN or infinity{more}; such a vector has no neighbours. "
            "Check the model, whose weights may have diverged, or leave the text out",
            code="bad_vector",
            where=name(int(wrong[0])),
        )


def normalised(vectors: Float[np.ndarray, "rows width"]) -> Float32[np.ndarray, "rows width"]:
    """Vectors of length 1; a vector of zeros stays one, and is like nothing."""
    numbers = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(numbers, axis=1, keepdims=True)
    return np.asarray(numbers / np.where(lengths > 0, lengths, 1.0), dtype=np.float32)


def learned_scales(vectors: Shaped[np.ndarray, "rows width"]) -> Float32[np.ndarray, "2 width"]:
    """Step and middle of 255 levels in each dimension, from rows spread over all: 0.01 % at either end are clipped."""
    spread = vectors[:: max(1, len(vectors) // SCALE_ROWS)]
    low, high = np.quantile(np.asarray(spread, dtype=np.float32), (1e-4, 1 - 1e-4), axis=0)
    steps = np.maximum((high - low) / 254, 1e-12)
    return np.asarray(np.stack([steps, (high + low) / 2]), dtype=np.float32)


def coded(
    vectors: Shaped[np.ndarray, "rows width"], scales: Float32[np.ndarray, "2 width"]
) -> Int8[np.ndarray, "rows width"]:
    """The nearest level of every number; numbers beyond the last level get that."""
    levels = (np.asarray(vectors, dtype=np.float32) - scales[1]) / scales[0]
    return np.asarray(np.clip(np.rint(levels), -127, 127), dtype=np.int8)


def open_vectors(folder: Path, kind: str, rows: int, width: int) -> Shaped[np.ndarray, "rows width"]:
    """The stored vectors, read as they are used."""
    return mapped(folder / VECTORS, np.dtype(kind).newbyteorder("<"), (rows, width))


def rescored(
    queries: Float32[np.ndarray, "queries width"],
    rows: Int64[np.ndarray, "queries some"],
    vectors: Shaped[np.ndarray, "all width"],
    *,
    top: int,
) -> Neighbours:
    """Score candidates with the vectors themselves and keep the best; -1 is no candidate."""
    scores = np.stack([exact_scores(query, line, vectors) for query, line in zip(queries, rows, strict=True)])
    return of_candidates(rows, scores, top=top)


def exact_scores(
    query: Float32[np.ndarray, "width"], rows: Int[np.ndarray, "some"], vectors: Shaped[np.ndarray, "all width"]
) -> Float32[np.ndarray, "some"]:
    """Inner products of a query with some rows."""
    return np.asarray(np.asarray(vectors[np.maximum(rows, 0)], dtype=np.float32) @ query)
