"""Hard negatives: texts that a model takes for answers, though they are none."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from bertsmith.config import Config
from bertsmith.data.grams import comparable
from bertsmith.search.answering import query_vectors
from bertsmith.search.index import VectorIndex
from bertsmith.search.mining import unite
from bertsmith.search.protocols import PairScorer, TextEmbedder
from bertsmith.search.settings import Positive
from bertsmith.search.vectors import normalised

QUERIES_AT_ONCE = 512


class NegativeSettings(Config):
    """Which of the texts found for a query become its negatives.

    Of the texts found, the first `skip` and those beyond rank `depth` are not taken. A text that is nearly
    as like the query as the positive one may be an unmarked positive: only scores up to `share` of the
    positive's are taken (0.95 by Moreira et al. 2024, arXiv 2407.15831, TopK-PercPos; None: any), and up to
    `margin` below it. `known`: not taken are the positives of the query itself (`direct`), or all that hang
    together with it by a chain of pairs (`connected`). `take` the best of what is left, or draw among it.
    `doubtful`: with a pair classifier, texts it gives a higher probability are taken for positives.
    """

    negatives: Positive = 1
    skip: Annotated[int, Field(ge=0)] = 0
    depth: Positive = 50
    share: float | None = 0.95
    margin: Annotated[float, Field(ge=0.0)] = 0.0
    known: Literal["direct", "connected"] = "connected"
    take: Literal["best", "random"] = "best"
    doubtful: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5


@dataclass(frozen=True, slots=True)
class Mined:
    """A query, its positive, and the negatives found with their scores; `score` is that of the positive."""

    query: str
    positive: str
    score: float
    negatives: tuple[str, ...]
    scores: tuple[float, ...]


def mine_negatives(
    index: VectorIndex,
    pairs: Sequence[tuple[str, str]],
    embedder: TextEmbedder,
    settings: NegativeSettings,
    *,
    scorer: PairScorer | None = None,
    seed: int = 0,
) -> Iterator[Mined]:
    """Find up to `negatives` for each pair of a query and a positive, in their order; fewer where there are no more."""
    groups = Groups(pairs)
    rng = np.random.default_rng(seed)
    for start in range(0, len(pairs), QUERIES_AT_ONCE):
        some = pairs[start : start + QUERIES_AT_ONCE]
        queries = query_vectors(index, [query for query, _ in some], embedder)
        positives = embedder.encode([positive for _, positive in some])
        if index.manifest.settings.score == "cosine":
            positives = normalised(positives)
        good = np.einsum("ij,ij->i", queries, positives)
        found = index.nearest(queries, top=settings.depth)
        for (query, positive), score, rows, scores in zip(some, good.tolist(), found.rows, found.scores, strict=True):
            kept = [
                (index.texts[row], told)
                for row, told in zip(rows[settings.skip :].tolist(), scores[settings.skip :].tolist(), strict=True)
                if row >= 0 and told <= _highest(score, settings)
            ]
            kept = _unknown(kept, groups, query, settings)
            if scorer is not None and kept:
                sure = scorer.score([query] * len(kept), [text for text, _ in kept])
                kept = [one for one, chance in zip(kept, sure.tolist(), strict=True) if chance <= settings.doubtful]
            if settings.take == "random":
                kept = [kept[place] for place in np.sort(rng.permutation(len(kept))[: settings.negatives])]
            kept = kept[: settings.negatives]
            yield Mined(query, positive, score, tuple(text for text, _ in kept), tuple(told for _, told in kept))


class Groups:
    """Which texts are known to mean the same: by a pair, or by a chain of pairs."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._places: dict[str, int] = {}
        ends = np.array([[self._place(comparable(text)) for text in pair] for pair in pairs], dtype=np.int64)
        ends = ends.reshape(-1, 2)
        leaders = np.arange(len(self._places))
        unite(leaders, ends[:, 0], ends[:, 1])
        self._leaders = leaders
        self._direct = {(int(one), int(other)) for one, other in ends} | {(int(b), int(a)) for a, b in ends}

    def related(self, one: str, other: str, *, how: Literal["direct", "connected"]) -> bool:
        """Whether two texts are the same, or known to mean the same."""
        a, b = comparable(one), comparable(other)
        if a == b:
            return True
        places = self._places.get(a), self._places.get(b)
        if places[0] is None or places[1] is None:
            return False
        if how == "direct":
            return places in self._direct
        return bool(self._leaders[places[0]] == self._leaders[places[1]])

    def _place(self, text: str) -> int:
        return self._places.setdefault(text, len(self._places))


def _highest(positive: float, settings: NegativeSettings) -> float:
    """The highest score that a negative may have; a share of a negative number would be above it."""
    share = positive if settings.share is None else positive - (1 - settings.share) * abs(positive)
    return (float("inf") if settings.share is None and not settings.margin else share) - settings.margin


def _unknown(
    found: list[tuple[str, float]], groups: Groups, query: str, settings: NegativeSettings
) -> list[tuple[str, float]]:
    """What is not known to be right, each text once."""
    kept: dict[str, tuple[str, float]] = {}
    for text, score in found:
        if not groups.related(query, text, how=settings.known):
            kept.setdefault(comparable(text), (text, score))
    return list(kept.values())
