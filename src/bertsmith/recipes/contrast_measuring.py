"""How good the vectors are on items set aside: scored pairs, triplets, pairs and groups, each in its own figures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from bertsmith.data import ItemFile
from bertsmith.data.grams import comparable
from bertsmith.errors import UserError
from bertsmith.metrics import Interval, correlation_intervals, correlation_metrics
from bertsmith.metrics.bootstrap import bootstrap, percentile_interval
from bertsmith.metrics.retrieval import RANK_METRICS, first_ranks, rank_intervals, rank_metrics
from bertsmith.recipes.contrast_data import Numbered

METRIC = {"scored": "spearman", "triplets": "accuracy", "pairs": "mrr", "groups": "mrr"}
"""What the best weights are chosen by, for each kind of items."""

_SHOWN = 5
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
        return {"scored": ("spearman", "pearson"), "triplets": ("accuracy",)}.get(self.file.kind, RANK_METRICS)

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
                return rank_metrics(self.ranks(vectors))

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
                return rank_intervals(self.ranks(vectors), seed=seed)

    def cosines(self, vectors: UnitVectors) -> Float[np.ndarray, "items others"]:
        """The cosine of the first text of each item with each of its others."""
        slots = np.stack(self.numbered.members)
        return np.asarray(np.einsum("iw,iow->io", vectors[slots[:, 0]], vectors[slots[:, 1:]]))

    def ranks(self, vectors: UnitVectors) -> Int[np.ndarray, "queries"]:
        """The rank of the first right text for each query.

        Of pairs the first texts are queries, sought are their partners among all second texts; of groups each
        text is a query, sought are the others of its group among all texts.
        """
        if self.file.kind == "pairs":
            slots = np.stack([each[:2] for each in self.numbered.members])
            keys = [comparable(text) for text in self.numbered.texts]
            classes = np.unique(np.array(keys, dtype=object), return_inverse=True)[1].astype(np.int64)
            candidates, places = np.unique(slots[:, 1], return_inverse=True)
            wanted = classes[slots[:, 0]]
            partners: dict[int, list[int]] = {}
            for query, place in zip(wanted.tolist(), places.tolist(), strict=True):
                partners.setdefault(query, []).append(place)

            def right(rows: slice) -> Bool[np.ndarray, "some candidates"]:
                hits = np.zeros((len(wanted[rows]), len(candidates)), dtype=bool)
                for row, query in enumerate(wanted[rows].tolist()):
                    hits[row, partners[query]] = True
                return hits

            return first_ranks(vectors[slots[:, 0]], vectors[candidates], right)
        owners = np.concatenate([np.full(len(each), number) for number, each in enumerate(self.numbered.members)])
        texts = np.concatenate(self.numbered.members)
        found = first_ranks(
            vectors[texts], vectors[texts], lambda rows: owners[rows, None] == owners[None], own=np.arange(len(texts))
        )
        sizes = np.bincount(owners)
        return np.asarray(found[sizes[owners] > 1])

    def lines(self, vectors: UnitVectors) -> Iterator[dict[str, Any]]:
        """A row for each item, or query, as predictions_*.jsonl has it."""
        if self.file.kind in ("scored", "triplets"):
            for item, found in zip(self.file.items, self.cosines(vectors).tolist(), strict=True):
                label = {"label": item.label} if self.file.kind == "scored" else {}
                names = _names(self.file.kind, len(item.texts))
                said = {"similarity": found[0]} if len(found) == 1 else {"similarities": found}
                yield {**dict(zip(names, item.texts, strict=True)), **label, **said}
            return
        groups = self.file.kind == "groups"
        queries = (
            [text for item in self.file.items if len(item.texts) > 1 for text in item.texts]
            if groups
            else [item.texts[0] for item in self.file.items]
        )
        for text, rank in zip(queries, self.ranks(vectors).tolist(), strict=True):
            yield {"text": text, "rank": rank}

    def _nearer(self, vectors: UnitVectors) -> np.ndarray:
        found = self.cosines(vectors)
        return np.asarray(found[:, 0] > found[:, 1:].max(1))


def _names(kind: str, texts: int) -> Sequence[str]:
    if kind == "scored":
        return ("text", "text_pair")
    return ("anchor", "positive", *(f"negative_{number}" for number in range(1, texts - 1)))
