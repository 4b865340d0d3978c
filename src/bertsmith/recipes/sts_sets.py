"""Scored pairs of texts to evaluate on: how a file is read, what set it seems to be, what was published for it."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from bertsmith.data import Columns, column_names, read_records
from bertsmith.data.record import USUAL_COLUMNS
from bertsmith.errors import UserError
from bertsmith.text.characters import is_han

_PAIRS = (("sentence1", "sentence2"), ("text1", "text2"), ("sent1", "sent2"), ("question1", "question2"))
_SCORES = ("score", "label", "similarity")

_SIZES = {"sts12": 3108, "sts13": 1500, "sts14": 3750, "sts15": 3000, "sts16": 1186, "en-stsb": 1379, "en-sickr": 4927}
"""Pairs of the test sets whose published scores stand in `published/sts.tsv`."""

_HINTS = (
    *((f"sts{year}", (f"sts{year}", f"sts20{year}")) for year in range(12, 17)),
    ("atec", ("atec",)),
    ("lcqmc", ("lcqmc",)),
    ("pawsx", ("pawsx",)),
    ("bq", ("bq", "bqcorpus")),
    ("stsb", ("stsb", "stsbenchmark")),
    ("sickr", ("sickr", "sick")),
)


@dataclass(frozen=True, slots=True)
class Published:
    """A published Spearman correlation × 100, and where it stands."""

    model: str
    pooling: str
    method: str
    spearman: float
    source: str


@dataclass(frozen=True, slots=True)
class ScoredPairs:
    """A set: each different text once, pairs as places among them, their scores, and parts where the file names some.

    `known` is the set it was taken for, `notes` say how it was read and what is missing of it.
    """

    name: str
    texts: tuple[str, ...]
    first: Int[np.ndarray, "pairs"]
    second: Int[np.ndarray, "pairs"]
    scores: Float[np.ndarray, "pairs"]
    subsets: tuple[str, ...] | None = None
    known: str | None = None
    partial: bool = False
    notes: tuple[str, ...] = ()

    @property
    def positives(self) -> np.ndarray:
        """Pairs scored above four fifths of the best score, as SimCSE takes them for its alignment."""
        return np.asarray(self.scores > 0.8 * self.scores.max())

    def published(self, pooling: str) -> tuple[Published, ...]:
        """The cells of the tables for this set, with the same pooling or none."""
        asked = "last-avg" if pooling == "mean" else pooling
        return tuple(each for each in _published().get(self.known or "", ()) if each.pooling in ("", asked))


def read_pairs(path: Path, columns: Columns = USUAL_COLUMNS, *, encoding: str = "utf-8") -> ScoredPairs:
    """Read the pairs of a file; without the usual columns, those of the common sets are looked for, and said.

    Raises:
        UserError: the file cannot be read, a row lacks a text or a number, or all scores are equal.
    """
    chosen, notes = pair_columns(path, columns, encoding)
    places: dict[str, int] = {}
    pairs, scores, subsets = [], [], []
    for record in read_records(path, chosen, labels="number", pairs="required", encoding=encoding):
        assert record.text_pair is not None
        assert isinstance(record.label, float)
        pairs.append([places.setdefault(text, len(places)) for text in (record.text, record.text_pair)])
        scores.append(record.label)
        subsets.append(str(record.row.get("subset", "")))
    if len(set(scores)) < 2:
        raise UserError(
            f"{path}: all {len(scores)} pairs have the score {scores[0]:g}; a correlation needs different ones",
            code="constant_scores",
            where=str(path),
        )
    texts = tuple(places)
    known = _known(path, texts)
    first, second = np.array(pairs, dtype=np.int64).T
    told, partial = _size_notes(known, len(scores), set(subsets))
    return ScoredPairs(
        name=str(path),
        texts=texts,
        first=first,
        second=second,
        scores=np.array(scores),
        subsets=tuple(subsets) if len(set(subsets)) > 1 else None,
        known=known if told is not None else None,
        partial=partial,
        notes=(*notes, *(told or ())),
    )


def pair_columns(path: Path, columns: Columns, encoding: str) -> tuple[Columns, tuple[str, ...]]:
    """The columns of scored pairs: as asked for, or those of the common sets where a file has them, and a note."""
    if columns != USUAL_COLUMNS or str(path) == "-":
        return columns, ()
    names = column_names(path, encoding=encoding)
    if {columns.text, columns.text_pair} <= set(names):
        return columns, ()
    pair = next((pair for pair in _PAIRS if set(pair) <= set(names)), None)
    score = next((name for name in _SCORES if name in names), None)
    if pair is None or score is None:
        return columns, ()
    found = Columns(text=pair[0], text_pair=pair[1], label=score)
    return found, (f"{path}: read as text={pair[0]}, text_pair={pair[1]}, label={score}",)


def _known(path: Path, texts: Sequence[str]) -> str | None:
    """The set a path speaks of; STS-B and SICK exist in several languages."""
    parts = re.split(r"[^a-z0-9]+", "/".join(path.parts[-3:]).lower())
    words = {*parts, *("".join(pair) for pair in pairwise(parts))}
    found = next((name for name, hints in _HINTS if words & set(hints)), None)
    if found not in ("stsb", "sickr"):
        return found
    chinese = sum(any(is_han(sign) for sign in text) for text in texts[:200]) > min(len(texts), 200) / 2
    return f"{'zh' if chinese else 'en'}-{found}"


def _size_notes(known: str | None, pairs: int, subsets: set[str]) -> tuple[tuple[str, ...] | None, bool]:
    """What to say of the size, or None where it is another part than the published one; whether some is missing."""
    if known is None:
        return (), False
    size = _SIZES.get(known)
    if size is None or pairs == size:
        return (f"taken for {known}, by its name",), False
    if known in ("en-stsb", "en-sickr"):
        return None, False
    parts = f" (parts {', '.join(sorted(subsets))})" if len(subsets) > 1 else ""
    return (f"taken for {known}, by its name; partial: {pairs:,} of {size:,} pairs{parts}, not comparable",), True


@lru_cache(maxsize=1)
def _published() -> dict[str, tuple[Published, ...]]:
    text = files("bertsmith.assets").joinpath("published", "sts.tsv").read_text(encoding="utf-8")
    table: dict[str, list[Published]] = {}
    for row in csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE):
        cell = Published(row["model"], row["pooling"], row["method"], float(row["spearman"]), row["source"])
        table.setdefault(row["set"], []).append(cell)
    return {name: tuple(cells) for name, cells in table.items()}
