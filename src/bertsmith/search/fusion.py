"""Two lists of candidates made one: by ranks, or by weighted scores."""

import numpy as np
from jaxtyping import Float32, Int64

from bertsmith.search.scanning import Neighbours, of_candidates
from bertsmith.search.settings import Reciprocal, Weighted


def reciprocal(lists: tuple[Neighbours, Neighbours], fusion: Reciprocal, *, top: int) -> Neighbours:
    """Join lists by the sum of 1 / (k + rank), ranks from 1 (Cormack, Clarke and Büttcher 2009)."""
    lines = [_summed(a, b, fusion.k) for a, b in zip(lists[0].rows, lists[1].rows, strict=True)]
    return together(lines, top)


def weighted(
    rows: Int64[np.ndarray, "some"],
    by_vectors: Float32[np.ndarray, "some"],
    by_words: Float32[np.ndarray, "some"],
    fusion: Weighted,
) -> tuple[Int64[np.ndarray, "some"], Float32[np.ndarray, "some"]]:
    """The weighted mean of both scores of the candidates of one query, each spread over 0..1."""
    share = np.float32(fusion.vectors)
    return rows, share * _spread(by_vectors) + (1 - share) * _spread(by_words)


def together(lines: list[tuple[Int64[np.ndarray, "_"], Float32[np.ndarray, "_"]]], top: int) -> Neighbours:
    """Lines of candidates of different length as one table, the best kept."""
    longest = max((len(rows) for rows, _ in lines), default=0)
    rows = np.full((len(lines), longest), -1, dtype=np.int64)
    scores = np.full((len(lines), longest), -np.inf, dtype=np.float32)
    for number, (some, told) in enumerate(lines):
        rows[number, : len(some)], scores[number, : len(some)] = some, told
    return of_candidates(rows, scores, top=top)


def _summed(
    one: Int64[np.ndarray, "_"], other: Int64[np.ndarray, "_"], k: int
) -> tuple[Int64[np.ndarray, "some"], Float32[np.ndarray, "some"]]:
    kept = [line[line >= 0] for line in (one, other)]
    shares = [1.0 / (k + 1 + np.arange(len(line))) for line in kept]
    rows, places = np.unique(np.concatenate(kept), return_inverse=True)
    return rows, np.bincount(places, np.concatenate(shares), minlength=len(rows)).astype(np.float32)


def _spread(scores: Float32[np.ndarray, "some"]) -> Float32[np.ndarray, "some"]:
    low, high = (scores.min(), scores.max()) if len(scores) else (0.0, 0.0)
    return (scores - low) / (high - low) if high > low else np.full_like(scores, 0.5)
