"""The most similar pairs of a whole corpus, and groups of texts that say nearly the same."""

from collections.abc import Callable, Iterator
from typing import Annotated, Literal, NamedTuple

import numpy as np
from jaxtyping import Int64
from pydantic import Field

from bertsmith.config import Config
from bertsmith.search.index import VectorIndex
from bertsmith.search.settings import Positive
from bertsmith.search.similar import ROUNDING, ROWS_AT_ONCE, Alike, alike, alive_rows, vectors_of

Say = Callable[[str], None]


class Pair(NamedTuple):
    """Two rows of an index, the first one in front, and their score."""

    one: int
    other: int
    score: float


class PairSettings(Config):
    """The `most` best pairs of a corpus with a score of `least` or more; of each text, its `each` nearest are seen.

    With `distinct`, pairs whose texts differ in case, width and spaces alone are left out.
    """

    most: Positive = 10_000
    each: Positive = 32
    least: float = 0.0
    distinct: bool = False


class ClusterSettings(Config):
    """Texts whose score is `threshold` or more belong together.

    `communities`: every member is so like the centre of its cluster, the largest first; chains do not form.
    `connected`: a chain of such pairs is enough. Clusters of fewer than `least` texts are left out; in an
    approximate index the `each` nearest of a text are looked at.
    """

    threshold: float = 0.9
    kind: Literal["communities", "connected"] = "communities"
    least: Annotated[int, Field(ge=2)] = 2
    each: Positive = 100


def mine_pairs(
    index: VectorIndex, settings: PairSettings, *, same: Callable[[int, int], bool] | None = None, say: Say = print
) -> list[Pair]:
    """The best pairs, best first, each once; what is held is no more than four times `most`.

    `same` says of two rows that their texts count as one; such a pair is left out.
    """
    rows = alive_rows(index)
    best = _Best(settings.most, index.manifest.rows)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        some = rows[start : start + ROWS_AT_ONCE]
        found = index.nearest(vectors_of(index, some), top=settings.each + 1)
        one = np.repeat(some, settings.each + 1)
        other, scores = found.rows.ravel(), found.scores.ravel()
        kept = (other >= 0) & (one != other) & (scores >= settings.least - ROUNDING)
        one, other, scores = one[kept], other[kept], scores[kept]
        if same is not None and len(one):
            unlike = np.array([not same(int(a), int(b)) for a, b in zip(one, other, strict=True)], dtype=bool)
            one, other, scores = one[unlike], other[unlike], scores[unlike]
        best.take(Alike(np.minimum(one, other), np.maximum(one, other), scores))
        say(f"compared {min(start + ROWS_AT_ONCE, len(rows)):,} of {len(rows):,} texts")
    return best.pairs()


class _Best:
    """The best pairs so far, each once: by score, then by rows."""

    def __init__(self, most: int, rows: int) -> None:
        self._most, self._rows = most, rows
        self._pairs = np.zeros(0, dtype=np.int64)
        self._scores = np.zeros(0, dtype=np.float32)

    def take(self, found: Alike) -> None:
        pairs = np.concatenate([self._pairs, found.one * np.int64(self._rows) + found.other])
        scores = np.concatenate([self._scores, found.scores])
        pairs, first = np.unique(pairs, return_index=True)
        self._pairs, self._scores = pairs, scores[first]
        if len(pairs) > 4 * self._most:
            self._cut()

    def pairs(self) -> list[Pair]:
        self._cut()
        return [
            Pair(pair // self._rows, pair % self._rows, score)
            for pair, score in zip(self._pairs.tolist(), self._scores.tolist(), strict=True)
        ]

    def _cut(self) -> None:
        order = np.lexsort((self._pairs, -self._scores))[: self._most]
        self._pairs, self._scores = self._pairs[order], self._scores[order]


def clusters(index: VectorIndex, settings: ClusterSettings, *, say: Say = print) -> list[list[int]]:
    """Groups of rows, the largest first; the first of a community is its centre, else rows are in order."""
    found = _connected(index, settings, say) if settings.kind == "connected" else _communities(index, settings, say)
    return sorted((group for group in found if len(group) >= settings.least), key=lambda group: (-len(group), group[0]))


def _blocks(index: VectorIndex, settings: ClusterSettings, rows: Int64[np.ndarray, "_"], say: Say) -> Iterator[Alike]:
    for start in range(0, len(rows), ROWS_AT_ONCE):
        yield alike(index, rows[start : start + ROWS_AT_ONCE], threshold=settings.threshold, most=settings.each)
        say(f"compared {min(start + ROWS_AT_ONCE, len(rows)):,} of {len(rows):,} texts")


def _connected(index: VectorIndex, settings: ClusterSettings, say: Say) -> list[list[int]]:
    leaders = np.arange(index.manifest.rows)
    rows = alive_rows(index)
    for found in _blocks(index, settings, rows, say):
        unite(leaders, found.one, found.other)
    order = np.argsort(leaders[rows], kind="stable")
    bounds = np.flatnonzero(np.diff(leaders[rows][order])) + 1
    return [group.tolist() for group in np.split(rows[order], bounds)]


def unite(leaders: Int64[np.ndarray, "rows"], one: Int64[np.ndarray, "_"], other: Int64[np.ndarray, "_"]) -> None:
    """Join the sets of both ends of every pair, in place; the leader of a set is its first row, by way of others."""
    while len(one):
        leaders[:] = _followed(leaders)
        low, high = np.minimum(leaders[one], leaders[other]), np.maximum(leaders[one], leaders[other])
        apart = low != high
        one, other = one[apart], other[apart]
        np.minimum.at(leaders, high[apart], low[apart])


def _followed(leaders: Int64[np.ndarray, "rows"]) -> Int64[np.ndarray, "rows"]:
    while True:
        further = leaders[leaders]
        if np.array_equal(further, leaders):
            return leaders
        leaders = further


def _communities(index: VectorIndex, settings: ClusterSettings, say: Say) -> list[list[int]]:
    """The row with the most rows near it is the first centre and takes them; then the next one that is still free."""
    counts = np.zeros(index.manifest.rows, dtype=np.int64)
    for found in _blocks(index, settings, alive_rows(index), say):
        np.add.at(counts, found.one, 1)
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] + 1 >= settings.least]
    free = np.ones(index.manifest.rows, dtype=bool)
    groups = []
    for start in range(0, len(order), ROWS_AT_ONCE):
        some = order[start : start + ROWS_AT_ONCE]
        some = some[free[some]]
        if not len(some):
            continue
        found = alike(index, np.sort(some), threshold=settings.threshold, most=settings.each)
        for centre in some.tolist():
            if free[centre]:
                low, high = np.searchsorted(found.one, (centre, centre + 1))
                near = found.other[low:high]
                members = near[free[near]]
                if len(members) + 1 >= settings.least:
                    free[centre] = free[members] = False
                    groups.append([centre, *members.tolist()])
    return groups
