"""How good the vectors are on items set aside: scored pairs, triplets, pairs and groups, each in its own figures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from bertsmith.data import ItemFile
from bertsmith.errors import UserError
from bertsmith.metrics import Interval, correlation_intervals, correlation_metrics
from bertsmith.metrics.bootstrap import bootstrap, percentile_interval
from bertsmith.metrics.retrieval import RetrievalScores, retrieval_scores
from bertsmith.recipes.contrast_data import Numbered

METRIC = {"scored": "spearman", "triplets": "accuracy", "pairs": "mrr", "groups": "mrr"}
"""What the best weights are chosen by, for each kind of items."""

DEPTH = 100
"""Neighbours of each query that are looked at."""
CUTOFFS = (1, 10)
FOUND = ("mrr", "recall@1", "recall@10", "hit@1", "hit@10", "ndcg@10")
"""The figures of a search."""

_SCORES_AT_ONCE = 1 << 24
UnitVectors = Float[np.ndarray, "texts width"]


@dataclass(frozen=True, slots=True)
class ItemMeasure:
    """A part that vectors are measured by; `numbered.texts` are what must be embedded, in this order."""

    file: ItemFile
    numbered: Numbered

    @classmethod
    def of(cls, file: ItemFile) -> "ItemMeasure":
        """Number its texts, and make sure that they say anything.

        Raises:
            UserError: all numbers are equal, or there is nothing to be found.
        """
        measure = cls(file, Numbered.of(file.items))
        if file.kind == "scored":
            labels = measure.truth
            correlation_metrics(labels, labels)
        elif file.kind == "groups" and not any(len(each) > 1 for each in measure.numbered.members):
            raise UserError(
                f"{file.name}: no group has two texts, so nothing can be found", code="too_few_rows", where=file.name
            )
        return measure

    @property
    def metric(self) -> str:
        """What the best weights are chosen by."""
        return METRIC[self.file.kind]

    @property
    def names(self) -> tuple[str, ...]:
        """The figures that are measured."""
        return {"scored": ("spearman", "pearson"), "triplets": ("accuracy",)}.get(self.file.kind, FOUND)

    @property
    def truth(self) -> Float[np.ndarray, "items"]:
        """The numbers of scored pairs."""
        return np.array([item.label for item in self.file.items], dtype=np.float64)

    def metrics(self, vectors: UnitVectors) -> dict[str, float]:
        """Named figures of unit vectors."""
        match self.file.kind:
            case "scored":
                return correlation_metrics(self.truth, self.cosines(vectors)[:, 0])
            case "triplets":
                return {"accuracy": float(self._nearer(vectors).mean())}
            case _:
                found = self.found(vectors).means()
                return {name: found[name] for name in FOUND}

    def intervals(self, vectors: UnitVectors, *, seed: int) -> dict[str, Interval]:
        """95 % intervals of the same figures, by bootstrap over items."""
        match self.file.kind:
            case "scored":
                return correlation_intervals(self.truth, self.cosines(vectors)[:, 0], seed=seed)
            case "triplets":
                near = self._nearer(vectors).astype(np.int64)
                shares = bootstrap(near, lambda counts: counts[:, -1] / len(near), seed=seed) if near.any() else None
                interval = (0.0, 0.0) if shares is None else percentile_interval(shares)
                return {} if interval is None else {"accuracy": interval}
            case _:
                intervals = self.found(vectors).intervals(seed=seed)
                return {name: intervals[name] for name in FOUND if name in intervals}

    def cosines(self, vectors: UnitVectors) -> Float[np.ndarray, "items others"]:
        """The cosine of the first text of each item with each of its others."""
        slots = np.stack(self.numbered.members)
        return np.asarray(np.einsum("iw,iow->io", vectors[slots[:, 0]], vectors[slots[:, 1:]]))

    def found(self, vectors: UnitVectors) -> RetrievalScores:
        """What each query finds among its `DEPTH` nearest texts.

        Of pairs the first texts are queries, sought are their partners among all second texts; of groups each
        text is a query, sought are the others of its group among all texts.
        """
        right = self._right()
        queries = np.array(list(right), dtype=np.int64)
        pairs = self.file.kind == "pairs"
        candidates = np.unique([each[1] for each in self.numbered.members] if pairs else queries)
        rankings = nearest(vectors, queries, candidates, right, with_itself=pairs)
        return retrieval_scores(
            rankings, {query: dict.fromkeys(some, 1.0) for query, some in right.items()}, cutoffs=CUTOFFS
        )

    def _right(self) -> dict[int, set[int]]:
        """For each query the texts that are right."""
        right: dict[int, set[int]] = {}
        for each in self.numbered.members:
            texts = each.tolist()
            if self.file.kind == "pairs":
                right.setdefault(texts[0], set()).add(texts[1])
                continue
            for text in texts if len(set(texts)) > 1 else ():
                right.setdefault(text, set()).update(other for other in texts if other != text)
        return right

    def lines(self, vectors: UnitVectors) -> Iterator[dict[str, Any]]:
        """A row for each item, or query, as predictions_*.jsonl has it."""
        if self.file.kind in ("scored", "triplets"):
            for item, found in zip(self.file.items, self.cosines(vectors).tolist(), strict=True):
                label = {"label": item.label} if self.file.kind == "scored" else {}
                names = _names(self.file.kind, len(item.texts))
                said = {"similarity": found[0]} if len(found) == 1 else {"similarities": found}
                yield {**dict(zip(names, item.texts, strict=True)), **label, **said}
            return
        scores, texts = self.found(vectors), self.numbered.texts
        for place, query in enumerate(self._right()):
            yield {"text": texts[query], **{name: float(scores.values[name][place]) for name in FOUND}}

    def _nearer(self, vectors: UnitVectors) -> np.ndarray:
        found = self.cosines(vectors)
        return np.asarray(found[:, 0] > found[:, 1:].max(1))


def nearest(
    vectors: UnitVectors,
    queries: Int[np.ndarray, "queries"],
    candidates: Int[np.ndarray, "candidates"],
    right: Mapping[int, set[int]],
    *,
    with_itself: bool,
) -> dict[int, list[int]]:
    """The `DEPTH` nearest candidates of each query; it is one itself only with `with_itself`.

    Of equal scores a wrong one comes first: an encoder to which all texts are the same has found nothing.
    """
    rankings = {}
    at_once, depth = max(1, _SCORES_AT_ONCE // len(candidates)), min(DEPTH + 1, len(candidates))
    for start in range(0, len(queries), at_once):
        some = queries[start : start + at_once]
        scores = vectors[some] @ vectors[candidates].T
        for query, row in zip(some.tolist(), scores, strict=True):
            hits = np.searchsorted(candidates, list(right[query]))
            lowered = row.copy()
            lowered[hits] = np.nextafter(row[hits], np.float32(-np.inf))
            top = np.argpartition(-lowered, depth - 1)[:depth]
            order = top[np.argsort(-lowered[top], kind="stable")]
            rankings[query] = [text for text in candidates[order].tolist() if with_itself or text != query][:DEPTH]
    return rankings


def _names(kind: str, texts: int) -> Sequence[str]:
    if kind == "scored":
        return ("text", "text_pair")
    return ("anchor", "positive", *(f"negative_{number}" for number in range(1, texts - 1)))
