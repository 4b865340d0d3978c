"""How well an index answers queries whose right answers are known."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bertsmith.data.qrels import read_qrels
from bertsmith.errors import UserError
from bertsmith.metrics.retrieval import retrieval_scores
from bertsmith.recipes.search_reading import Asked
from bertsmith.recipes.searching import Searcher, SearchRecipe

DEPTH = 100
"""Texts a query that are looked at: recall@100, and the average precision, need so many."""
CUTOFFS = (1, 5, 10, 100)
REPORTED = ("recall@1", "recall@5", "recall@10", "recall@100", "mrr@10", "ndcg@10", "map")


def measure_search(
    recipe: SearchRecipe, queries: Sequence[Asked], qrels: Path, *, encoding: str = "utf-8", seed: int = 0
) -> dict[str, Any]:
    """Recall, MRR, nDCG and MAP with 95 % intervals (bootstrap over queries), of the judged queries.

    Raises:
        UserError: a file cannot be read, a query stands twice, no query is judged, or judged texts are not in
            the index.
    """
    judged = read_qrels(qrels, encoding=encoding)
    texts = {str(query.id): query.text for query in queries}
    if len(texts) < len(queries):
        raise UserError("two queries have the same id; give each one of its own", code="duplicate_id")
    known = [query for query in judged if query in texts]
    if not known:
        raise UserError(
            f"{qrels}: none of its {len(judged):,} queries is among the {len(queries):,} given (such as "
            f"{next(iter(judged))!r} and {next(iter(texts), None)!r}); their ids must be the same",
            code="bad_qrels",
            where=str(qrels),
        )
    searcher = Searcher.open(recipe)
    notes = [*searcher.notes, *_missing(searcher, judged, known, len(queries))]
    began = time.perf_counter()
    found = searcher.search([texts[query] for query in known], top=max(DEPTH, recipe.search.top))
    rankings = {query: [str(hit.id) for hit in hits] for query, hits in zip(known, found, strict=True)}
    seconds = time.perf_counter() - began
    scores = retrieval_scores(rankings, {query: judged[query] for query in known}, cutoffs=CUTOFFS)
    means, intervals = scores.means(), scores.intervals(seed=seed)
    if scores.left_out:
        notes.append(f"{scores.left_out:,} judged queries have no relevant text and were left out")
    return {
        "metrics": {name: means[name] for name in REPORTED},
        "intervals": {name: list(intervals[name]) for name in REPORTED if name in intervals},
        "queries": len(scores.queries),
        "rows": len(searcher.index),
        "by": recipe.search.by + (" and re-ranker" if recipe.rerank else ""),
        "milliseconds_a_query": 1000 * seconds / len(known),
        "notes": notes,
    }


def _missing(searcher: Searcher, judged: dict[str, dict[str, float]], known: list[str], given: int) -> list[str]:
    """What the judgements and the queries do not have in common."""
    notes = []
    if len(known) < given:
        notes.append(f"{given - len(known):,} of {given:,} queries have no judgement and were not asked")
    if len(known) < len(judged):
        notes.append(f"{len(judged) - len(known):,} of {len(judged):,} judged queries were not given")
    wanted = {text for query in known for text, grade in judged[query].items() if grade > 0}
    lost = len(wanted) - searcher.index.count_of(wanted)
    if lost == len(wanted):
        raise UserError(
            f"none of the {lost:,} relevant texts (such as {next(iter(wanted))!r}) is in the index; their ids must be "
            "the same: name the column with `index --id`",
            code="bad_qrels",
        )
    if lost:
        notes.append(f"{lost:,} of {len(wanted):,} relevant texts are not in the index and cannot be found")
    return notes
