"""What an index gives besides answers: similar pairs, clusters, hard negatives for training."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import NonNegativeInt

from bertsmith.config import Config
from bertsmith.data import Columns, read_records, write_rows
from bertsmith.data.grams import comparable
from bertsmith.errors import UserError
from bertsmith.recipes.search_models import LabelName, Reranker, open_reranker
from bertsmith.recipes.searching import DeviceName, embedder_of, now_and_then
from bertsmith.recipes.watching import Say, silent
from bertsmith.search import (
    ClusterSettings,
    Exact,
    Mined,
    NegativeSettings,
    PairSettings,
    VectorIndex,
    clusters,
    mine_negatives,
    mine_pairs,
)
from bertsmith.training import resolve_device


class PairsRecipe(Config):
    """The most similar pairs of an index."""

    kind: Literal["pairs"] = "pairs"
    index: Path
    pairs: PairSettings = PairSettings()


class ClustersRecipe(Config):
    """Groups of texts of an index that say nearly the same."""

    kind: Literal["clusters"] = "clusters"
    index: Path
    clusters: ClusterSettings = ClusterSettings()


class NegativesRecipe(Config):
    """Hard negatives from an index for the pairs of a file; where they have labels, of those called `positive`."""

    kind: Literal["negatives"] = "negatives"
    index: Path
    input: Path
    columns: Columns = Columns()
    encoding: str = "utf-8"
    positive: LabelName = "1"
    model: str | None = None
    negatives: NegativeSettings = NegativeSettings()
    rerank: Reranker | None = None
    seed: NonNegativeInt = 0
    device: DeviceName = "auto"


@dataclass
class MinedFile:
    """How many pairs were read, and what came of them."""

    pairs: int = 0
    skipped: int = 0
    written: int = 0
    without: int = 0
    notes: list[str] = field(default_factory=list)


def found_pairs(recipe: PairsRecipe, *, say: Say = silent) -> Iterator[dict[str, Any]]:
    """The pairs, best first: score, ids and texts.

    Raises:
        UserError: there is no index, or it is damaged.
    """
    index = VectorIndex.open(recipe.index)

    def same(one: int, other: int) -> bool:
        return comparable(index.texts[one]) == comparable(index.texts[other])

    distinct = same if recipe.pairs.distinct else None
    for one, other, score in mine_pairs(index, recipe.pairs, same=distinct, say=now_and_then(say)):
        yield {
            "score": score,
            "id": index.id_of(one),
            "id_pair": index.id_of(other),
            "text": index.texts[one],
            "text_pair": index.texts[other],
        }


def found_clusters(recipe: ClustersRecipe, *, say: Say = silent) -> list[list[dict[str, Any]]]:
    """The clusters, largest first: id and text of every member.

    Raises:
        UserError: there is no index, or it is damaged.
    """
    index = VectorIndex.open(recipe.index)
    if not isinstance(index.manifest.chosen, Exact):
        say(f"an approximate index: of each text, the {recipe.clusters.each} nearest are looked at")
    found = clusters(index, recipe.clusters, say=now_and_then(say))
    return [[{"id": index.id_of(row), "text": index.texts[row]} for row in group] for group in found]


def write_negatives(recipe: NegativesRecipe, output: Path, *, say: Say = silent) -> MinedFile:
    """Write triplets (anchor, positive, negative), ready for training; a row for each negative.

    Raises:
        UserError: a file cannot be read or written, no pair is positive, or nothing is found for any.
    """
    counts = MinedFile()
    pairs = _pairs(recipe, counts)
    index = VectorIndex.open(recipe.index)
    embedder = embedder_of(recipe.index, index.manifest, model=recipe.model, device=recipe.device)
    judge = open_reranker(recipe.rerank, resolve_device(recipe.device)) if recipe.rerank else None
    mined = mine_negatives(index, pairs, embedder, recipe.negatives, scorer=judge, seed=recipe.seed)
    counts.written = write_rows(output, _triplets(mined, counts, len(pairs), now_and_then(say)))
    if not counts.written:
        raise UserError(
            f"{recipe.index}: no text was found that could be a negative of any pair; give a larger index, or "
            "loosen --set negatives.share, negatives.margin or negatives.depth",
            code="no_negatives",
            where=str(recipe.index),
        )
    return counts


def _triplets(mined: Iterator[Mined], counts: MinedFile, total: int, say: Say) -> Iterator[dict[str, str]]:
    for number, found in enumerate(mined, start=1):
        counts.without += not found.negatives
        if number % 512 == 0:
            say(f"{number:,} of {total:,} pairs")
        for negative in found.negatives:
            yield {"anchor": found.query, "positive": found.positive, "negative": negative}


def _pairs(recipe: NegativesRecipe, counts: MinedFile) -> list[tuple[str, str]]:
    """The positive pairs of the file."""
    kept = []
    records = read_records(recipe.input, recipe.columns, labels="none", pairs="required", encoding=recipe.encoding)
    for record in records:
        counts.pairs += 1
        label = record.row.get(recipe.columns.label)
        if label in (None, "") or str(label) == recipe.positive:
            kept.append((record.text, record.text_pair or ""))
        else:
            counts.skipped += 1
    if not kept:
        raise UserError(
            f"{recipe.input}: none of {counts.pairs:,} pairs has the label {recipe.positive!r}; "
            "name the one that means alike: --positive LABEL",
            code="too_few_rows",
            where=str(recipe.input),
        )
    return kept
