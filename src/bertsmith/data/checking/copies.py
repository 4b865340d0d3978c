"""Texts that occur more than once: within a split, across splits, under different labels."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Int

from bertsmith.data.checking.finding import Finding, Splits, count, quoted
from bertsmith.data.record import Record
from bertsmith.data.twins import SIMILAR, find_twins

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Corpus:
    """All records of all splits in one row, each with the number of its split and of its exact text."""

    names: tuple[str, ...]
    records: tuple[Record, ...]
    sides: Int[np.ndarray, "records"]
    texts: Int[np.ndarray, "records"]

    def of(self, side: int) -> Int[np.ndarray, "_"]:
        """The rows of a split."""
        return np.flatnonzero(self.sides == side)


def copy_findings(splits: Splits) -> Iterator[Finding]:
    """Look for equal texts, equal texts with different labels, and near-duplicates."""
    corpus = _corpus(splits)
    for side in range(len(corpus.names)):
        yield from _duplicates(corpus, side)
    yield from _conflicts(corpus)
    twins = find_twins([f"{r.text}\n{r.text_pair or ''}" for r in corpus.records], corpus.sides)
    for earlier, later in combinations(range(len(corpus.names)), 2):
        leaking = np.isin(corpus.texts, corpus.texts[corpus.of(earlier)]) & (corpus.sides == later)
        yield from _leaks(corpus, earlier, later, leaking)
        yield from _near_leaks(corpus, earlier, later, twins[:, earlier], leaking)
    yield from _near_duplicates(corpus, twins)


def _corpus(splits: Splits) -> _Corpus:
    numbers: dict[Key, int] = {}
    records = [record for split in splits.values() for record in split]
    texts = [numbers.setdefault(_key(record), len(numbers)) for record in records]
    sides = np.repeat(np.arange(len(splits)), [len(split) for split in splits.values()])
    return _Corpus(tuple(splits), tuple(records), sides, np.array(texts, dtype=np.int64))


def _key(record: Record) -> Key:
    return record.text.strip(), (record.text_pair or "").strip()


def _duplicates(corpus: _Corpus, side: int) -> Iterator[Finding]:
    first: dict[int, int] = {}
    again = [row for row in corpus.of(side).tolist() if first.setdefault(int(corpus.texts[row]), row) != row]
    if again:
        name = corpus.names[side]
        examples = [_beside(corpus, row, first[int(corpus.texts[row])]) for row in again[:3]]
        what = f"{count(len(again), 'text')} of {name} repeat an earlier one of {name}"
        fix = "remove the copies; they count the same text several times"
        yield Finding("warning", "duplicates", what, fix, corpus.records[again[0]].where, tuple(examples))


def _conflicts(corpus: _Corpus) -> Iterator[Finding]:
    first: dict[int, int] = {}
    clashes: dict[int, int] = {}
    for row, record in enumerate(corpus.records):
        text = int(corpus.texts[row])
        if _meaning(corpus.records[first.setdefault(text, row)]) != _meaning(record):
            clashes.setdefault(text, row)
    if clashes:
        examples = [_beside(corpus, row, first[text], labels=True) for text, row in list(clashes.items())[:3]]
        what = f"{count(len(clashes), 'text')} with different labels in different rows"
        fix = "decide on one label; a model cannot learn both"
        where = corpus.records[next(iter(clashes.values()))].where
        yield Finding("warning", "conflicting_labels", what, fix, where, tuple(examples))


def _meaning(record: Record) -> object:
    if record.marks is not None:
        return record.marks.spans
    return frozenset(record.label) if isinstance(record.label, tuple) else record.label


def _leaks(corpus: _Corpus, earlier: int, later: int, leaking: Bool[np.ndarray, "_"]) -> Iterator[Finding]:
    rows = np.flatnonzero(leaking).tolist()
    if rows:
        origin = {int(corpus.texts[row]): row for row in reversed(corpus.of(earlier).tolist())}
        examples = [_beside(corpus, row, origin[int(corpus.texts[row])]) for row in rows[:3]]
        what = f"{_share(corpus, rows, later)} also stand in {corpus.names[earlier]}"
        yield Finding("warning", "leak", what, _mend(corpus, later), corpus.records[rows[0]].where, tuple(examples))


def _near_leaks(
    corpus: _Corpus, earlier: int, later: int, twins: Int[np.ndarray, "_"], exact: Bool[np.ndarray, "_"]
) -> Iterator[Finding]:
    rows = np.flatnonzero((twins >= 0) & (corpus.sides == later) & ~exact).tolist()
    if rows:
        examples = [_beside(corpus, row, int(twins[row]), texts=True) for row in rows[:3]]
        what = f"{_share(corpus, rows, later)} are nearly the same as one of {corpus.names[earlier]}"
        what += f" (similarity of {SIMILAR} or more by character 5-grams)"
        where = corpus.records[rows[0]].where
        yield Finding("warning", "near_leak", what, _mend(corpus, later), where, tuple(examples))


def _near_duplicates(corpus: _Corpus, twins: Int[np.ndarray, "records splits"]) -> Iterator[Finding]:
    if "train" not in corpus.names:
        return
    side = corpus.names.index("train")
    own = twins[:, side]
    near = (own >= 0) & (corpus.sides == side) & (corpus.texts != corpus.texts[own])
    rows = np.flatnonzero(near).tolist()
    if rows:
        examples = [_beside(corpus, row, int(own[row]), texts=True) for row in rows[:3]]
        what = f"{_share(corpus, rows, side)} are nearly the same as another one there"
        fix = "fine for training; a split of train would leak through them"
        yield Finding("info", "near_duplicates", what, fix, corpus.records[rows[0]].where, tuple(examples))


def _share(corpus: _Corpus, rows: list[int], side: int) -> str:
    percent = 100 * len(rows) / len(corpus.of(side))
    return f"{count(len(rows), 'text')} ({percent:.2g} %) of {corpus.names[side]}"


def _mend(corpus: _Corpus, later: int) -> str:
    return f"remove them from {corpus.names[later]}: they make its score better than the truth"


def _beside(corpus: _Corpus, row: int, other: int, *, labels: bool = False, texts: bool = False) -> str:
    """Two rows side by side, with the text of the second, or the labels, where they differ."""
    one, two = corpus.records[row], corpus.records[other]
    tail = f" {quoted(two.text)}" if texts else ""
    if labels:
        return f"{one.where} is {one.label!r}, {two.where} is {two.label!r}: {quoted(one.text)}"
    return f"{one.where} {quoted(one.text)} = {two.where}{tail}"
