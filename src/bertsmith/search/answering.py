"""Queries to hits: by vectors, by words, by both, and read again by a pair classifier."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from bertsmith.errors import UserError
from bertsmith.search.building import require_model
from bertsmith.search.entries import Id
from bertsmith.search.fusion import reciprocal, together, weighted
from bertsmith.search.index import Mask, VectorIndex
from bertsmith.search.protocols import PairScorer, TextEmbedder
from bertsmith.search.scanning import Neighbours
from bertsmith.search.settings import USUAL_SEARCH, Reciprocal, SearchSettings, Weighted
from bertsmith.search.vectors import exact_scores, normalised

QUERIES_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Hit:
    """A text that was found. The score is a cosine, an inner product, BM25, a sum of ranks or a probability:

    whatever the search went by last.
    """

    rank: int
    score: float
    id: Id
    text: str
    metadata: dict[str, Any] = field(default_factory=dict)


def search(
    index: VectorIndex,
    queries: Sequence[str],
    embedder: TextEmbedder | None,
    *,
    settings: SearchSettings = USUAL_SEARCH,
    scorer: PairScorer | None = None,
    among: Mask | None = None,
) -> Iterator[list[Hit]]:
    """Answer queries one by one, in their order; fewer hits than `top` where there are no more.

    `embedder` may be None where words alone are asked for. `among` says which rows may be found.

    Raises:
        UserError: the model is not the one of the index, or the index counts no words and they are asked for.
    """
    if settings.by != "vectors" and index.words is None:
        raise UserError(
            f"{index.folder}: this index has no words to search by; build it again with --hybrid, "
            "or search by vectors alone",
            code="no_words",
            where=str(index.folder),
        )
    if settings.by != "words":
        if embedder is None:
            raise AssertionError("a search by vectors needs an embedder")
        require_model(index.folder, index.manifest, embedder)
    for first in range(0, len(queries), QUERIES_AT_ONCE):
        some = queries[first : first + QUERIES_AT_ONCE]
        found = _found(index, some, embedder, settings, among, deeper=scorer is not None)
        for query, rows, scores in zip(some, found.rows, found.scores, strict=True):
            kept = rows >= 0
            yield _hits(index, query, rows[kept], scores[kept], settings, scorer)


def query_vectors(index: VectorIndex, queries: Sequence[str], embedder: TextEmbedder) -> Float32[np.ndarray, "_ width"]:
    """Vectors of queries, normalised where those of the index are."""
    vectors = embedder.encode_queries(queries)
    return normalised(vectors) if index.manifest.settings.score == "cosine" else vectors


def _found(
    index: VectorIndex,
    queries: Sequence[str],
    embedder: TextEmbedder | None,
    settings: SearchSettings,
    among: Mask | None,
    *,
    deeper: bool,
) -> Neighbours:
    top = max(settings.top, settings.depth) if deeper else settings.top
    depth = max(top, settings.depth)
    if settings.by == "words" or embedder is None:
        assert index.words is not None
        return index.words.nearest(queries, top=top, alive=among)
    vectors = query_vectors(index, queries, embedder)
    wanted = top if settings.by == "vectors" else depth
    near = index.nearest(vectors, top=wanted, rescore=settings.rescore, among=among)
    if settings.by == "vectors":
        return near
    assert index.words is not None
    said = index.words.nearest(queries, top=depth, alive=among)
    match settings.fusion:
        case Reciprocal() as fusion:
            return reciprocal((near, said), fusion, top=top)
        case Weighted() as fusion:
            return _weighted(index, queries, vectors, (near, said), fusion, top)


def _weighted(
    index: VectorIndex,
    queries: Sequence[str],
    vectors: Float32[np.ndarray, "_ width"],
    lists: tuple[Neighbours, Neighbours],
    fusion: Weighted,
    top: int,
) -> Neighbours:
    """Every candidate of either list gets both its scores, whichever list it came from."""
    assert index.words is not None
    lines = []
    for query, vector, near, said in zip(queries, vectors, lists[0].rows, lists[1].rows, strict=True):
        rows = np.union1d(near, said)
        rows = rows[rows >= 0]
        by_words = index.words.scores(query)[rows]
        lines.append(weighted(rows, exact_scores(vector, rows, index.vectors), by_words, fusion))
    return together(lines, top)


def _hits(
    index: VectorIndex,
    query: str,
    rows: Int64[np.ndarray, "_"],
    scores: Float32[np.ndarray, "_"],
    settings: SearchSettings,
    scorer: PairScorer | None,
) -> list[Hit]:
    texts = [index.texts[row] for row in rows.tolist()]
    if scorer is not None and texts:
        scores = np.asarray(scorer.score([query] * len(texts), texts))
        order = np.argsort(-scores, kind="stable")
        rows, scores, texts = rows[order], scores[order], [texts[place] for place in order]
    return [
        Hit(rank, float(score), index.id_of(row), text, index.metadata_of(row))
        for rank, (row, score, text) in enumerate(
            zip(rows[: settings.top].tolist(), scores[: settings.top].tolist(), texts, strict=False), start=1
        )
    ]
