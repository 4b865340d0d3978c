"""How well a search ranks: recall, hits, reciprocal rank, average precision, nDCG, as trec_eval computes them.

Judgements (qrels) say for each query which documents are relevant and how much; a document without a
judgement, or with 0, is not relevant. What is ranked is best first. All numbers are means over queries.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from bertsmith.errors import UserError
from bertsmith.metrics.bootstrap import RESAMPLES, Interval, bootstrap, percentile_interval

Qrels = Mapping[Any, Mapping[Any, float]]
"""Query -> document -> how relevant: 0 not at all, 1 relevant, more where there are grades."""

Rankings = Mapping[Any, Sequence[Any]]
"""Query -> documents, best first."""

CUTOFFS = (1, 3, 5, 10, 100)


@dataclass(frozen=True, slots=True)
class RetrievalScores:
    """The metrics of every query; `left_out` are judged queries without any relevant document."""

    queries: tuple[Hashable, ...]
    values: Mapping[str, Float[np.ndarray, "queries"]]
    left_out: int = 0

    def means(self) -> dict[str, float]:
        """Each metric over all queries."""
        return {name: float(values.mean()) for name, values in self.values.items()}

    def intervals(self, *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Interval]:
        """95 % percentile intervals of the means, by bootstrap over queries."""
        table = np.stack(list(self.values.values()))
        rows = np.arange(len(self.queries))
        drawn = bootstrap(rows, lambda counts: table @ counts.T / len(rows), resamples=resamples, seed=seed)
        found = {name: percentile_interval(values) for name, values in zip(self.values, drawn, strict=True)}
        return {name: interval for name, interval in found.items() if interval is not None}


def retrieval_scores(rankings: Rankings, qrels: Qrels, *, cutoffs: Sequence[int] = CUTOFFS) -> RetrievalScores:
    """`recall@k`, `hit@k`, `precision@k`, `ndcg@k`, `mrr@k` for each cutoff; `mrr` and `map` of all that is ranked.

    recall: share of the relevant documents among the first k. hit: whether any is. mrr: 1 / rank of the first
    relevant one, 0 if none. map: mean of the precisions at each relevant one, found or not. ndcg: grades
    discounted by log2(rank + 1), over what the best order would give (Järvelin & Kekäläinen 2002). A judged
    query that is not ranked counts with 0 throughout.

    Raises:
        UserError: no query has a relevant document, or a document stands twice in one ranking.
    """
    judged = {query: grades for query, grades in qrels.items() if any(grade > 0 for grade in grades.values())}
    if not judged:
        raise UserError(
            f"none of the {len(qrels)} judged queries has a relevant document (relevance above 0); "
            "retrieval cannot be measured",
            code="no_relevant",
        )
    gains = [_gains(query, rankings.get(query, ()), grades) for query, grades in judged.items()]
    ideals = [sorted((grade for grade in grades.values() if grade > 0), reverse=True) for grades in judged.values()]
    relevant = np.array([len(ideal) for ideal in ideals], dtype=np.float64)
    values = _values(_table(gains), _table(ideals), relevant, sorted(set(cutoffs)))
    return RetrievalScores(tuple(judged), values, left_out=len(qrels) - len(judged))


def retrieval_metrics(rankings: Rankings, qrels: Qrels, *, cutoffs: Sequence[int] = CUTOFFS) -> dict[str, float]:
    """The means of `retrieval_scores`.

    Raises:
        UserError: as `retrieval_scores`.
    """
    return retrieval_scores(rankings, qrels, cutoffs=cutoffs).means()


def _gains(query: Hashable, ranked: Sequence[Hashable], grades: Mapping[Hashable, float]) -> list[float]:
    if len(set(ranked)) != len(ranked):
        raise UserError(f"query {query!r}: a document stands twice in its ranking; rank each once", code="ranked_twice")
    return [max(grades.get(document, 0.0), 0.0) for document in ranked]


def _table(rows: Sequence[Sequence[float]]) -> Float[np.ndarray, "queries depth"]:
    """Rows of numbers side by side, zeros behind."""
    lengths = np.array([len(row) for row in rows])
    table = np.zeros((len(rows), max(int(lengths.max()), 1)))
    table[np.arange(table.shape[1]) < lengths[:, None]] = np.concatenate([np.asarray(row, dtype=float) for row in rows])
    return table


def _values(
    gains: Float[np.ndarray, "queries depth"],
    ideal: Float[np.ndarray, "queries best"],
    relevant: Float[np.ndarray, "queries"],
    cutoffs: Sequence[int],
) -> dict[str, Float[np.ndarray, "queries"]]:
    hits = gains > 0
    found = np.cumsum(hits, axis=1)
    first = np.where(hits.any(1), 1 / (hits.argmax(1) + 1), 0.0)
    precisions = found / np.arange(1, gains.shape[1] + 1)
    values = {"map": (precisions * hits).sum(1) / relevant, "mrr": first}
    for cut in cutoffs:
        among = found[:, min(cut, found.shape[1]) - 1]
        values |= {
            f"recall@{cut}": among / relevant,
            f"hit@{cut}": (among > 0).astype(np.float64),
            f"precision@{cut}": among / cut,
            f"mrr@{cut}": np.where(first >= 1 / cut, first, 0.0),
            f"ndcg@{cut}": _discounted(gains, cut) / _discounted(ideal, cut),
        }
    return values


def _discounted(gains: Float[np.ndarray, "queries depth"], cut: int) -> Float[np.ndarray, "queries"]:
    kept = gains[:, :cut]
    return np.asarray(kept @ (1 / np.log2(np.arange(2, kept.shape[1] + 2))))
