"""A part of the training rows set aside for development: seeded, stratified, never parting what belongs together."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from jaxtyping import Int

from bertsmith.data.record import Label, Record

_SCORE_BANDS = 10

Rows = Int[np.ndarray, "_"]


@dataclass(frozen=True, slots=True)
class Split:
    """Training and development records; `undivided` lists the labels of which development got no text."""

    train: tuple[Record, ...]
    dev: tuple[Record, ...]
    undivided: tuple[str, ...]


def split_records(records: Sequence[Record], *, share: float, seed: int, group_column: str | None = None) -> Split:
    """Set `share` of the records aside; equal texts (and equal values of `group_column`) stay together."""
    labels = [record.label for record in records]
    train, dev = stratified_split(labels, share=share, seed=seed, groups=tied(_keys(records, group_column)))
    strata = _strata(labels)
    missing = set().union(*(strata[i] for i in train)) - set().union(*(strata[i] for i in dev))
    return Split(tuple(records[i] for i in train), tuple(records[i] for i in dev), tuple(sorted(missing)))


def stratified_split(
    labels: Sequence[Label], *, share: float, seed: int, groups: Sequence[Hashable] | None = None
) -> tuple[Rows, Rows]:
    """Row numbers for training and for development, ascending.

    Each label gives about `share` of its texts; one with at least two groups (of that label alone) has a
    text on each side, one with a single group stays in training. Rows of equal `groups` are never parted.
    Numbers are stratified by value, more than ten different ones in bands, ten at most, of about equal size.
    A group's luck hangs on the seed and on its own value alone, so with groups of text the split survives
    reordering the rows.
    """
    if not 0 < share < 1:
        raise ValueError(f"the share set aside lies between 0 and 1, got {share}")
    keys: Sequence[Hashable] = range(len(labels)) if groups is None else groups
    members: dict[Hashable, list[int]] = {}
    for row, key in enumerate(keys):
        members.setdefault(key, []).append(row)
    order = sorted(members, key=lambda key: _luck(seed, key))
    aside = _drawn([members[key] for key in order], _strata(labels), share)
    return np.flatnonzero(~aside), np.flatnonzero(aside)


def fold_records(records: Sequence[Record], *, folds: int, seed: int, group_column: str | None = None) -> Rows:
    """The fold (from 0) of every record; equal texts (and equal values of `group_column`) share one."""
    labels = [record.label for record in records]
    return stratified_folds(labels, folds=folds, seed=seed, groups=tied(_keys(records, group_column)))


def stratified_folds(
    labels: Sequence[Label], *, folds: int, seed: int, groups: Sequence[Hashable] | None = None
) -> Rows:
    """The fold (from 0) of every row: each label spread as evenly as its groups allow, rows of a group together.

    Rare labels are dealt first, of one label the large groups first, each group to the fold that has least
    of its labels, then to the one with the fewest rows. As in `stratified_split`, luck hangs on the seed and on
    the groups themselves.
    """
    if folds < 2:
        raise ValueError(f"there are at least two folds, got {folds}")
    keys: Sequence[Hashable] = range(len(labels)) if groups is None else groups
    members: dict[Hashable, list[int]] = {}
    for row, key in enumerate(keys):
        members.setdefault(key, []).append(row)
    strata = _strata(labels)
    counts = {key: Counter(label for row in rows for label in strata[row]) for key, rows in members.items()}
    total = sum(counts.values(), Counter())
    order = sorted(
        members,
        key=lambda key: (min(total[label] for label in counts[key]), -len(members[key]), _luck(seed, key)),
    )
    dealt = np.zeros(len(labels), dtype=np.int64)
    taken: list[Counter[str]] = [Counter() for _ in range(folds)]
    sizes = [0] * folds
    for key in order:
        shares = [
            sum(own * taken[fold][label] / total[label] for label, own in counts[key].items()) for fold in range(folds)
        ]
        fold = min(range(folds), key=lambda fold: (round(shares[fold], 9), sizes[fold], fold))
        dealt[members[key]] = fold
        taken[fold] += counts[key]
        sizes[fold] += len(members[key])
    return dealt


def _keys(records: Sequence[Record], group_column: str | None) -> list[list[Hashable]]:
    """What must not be parted: equal texts, and equal values of the column."""
    keys: list[list[Hashable]] = [[(record.text.strip(), record.text_pair)] for record in records]
    if group_column is not None:
        for key, record in zip(keys, records, strict=True):
            key.append(("group", str(record.row.get(group_column))))
    return keys


def tied(keys: Sequence[Sequence[Hashable]]) -> list[str]:
    """Name the group of each row: rows that share any key are in one group, directly or through others."""
    parent: dict[Hashable, Hashable] = {}

    def root(key: Hashable) -> Hashable:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for several in keys:
        for key in several[1:]:
            first, second = sorted((root(several[0]), root(key)), key=repr)
            parent[second] = first
    return [repr(root(several[0])) for several in keys]


def _drawn(groups: Sequence[Sequence[int]], strata: Sequence[tuple[str, ...]], share: float) -> np.ndarray:
    """Mark the rows set aside: the rarest labels draw first, and none takes the last group of any label."""
    labels = [Counter(label for row in group for label in strata[row]) for group in groups]
    texts = sum(labels, Counter())
    left = Counter(label for counted in labels for label in counted)
    aside = np.zeros(len(strata), dtype=bool)
    taken: Counter[str] = Counter()
    of_label: dict[str, list[int]] = {}
    for number, counted in enumerate(labels):
        for label in counted:
            of_label.setdefault(label, []).append(number)
    for label in sorted(texts, key=lambda label: (texts[label], label)):
        wanted = max(1, round(share * texts[label]))
        for number in of_label[label]:
            if taken[label] >= wanted:
                break
            counted = labels[number]
            overshoots = taken[label] and taken[label] + counted[label] - wanted > wanted - taken[label]
            if aside[groups[number][0]] or overshoots or any(left[each] < 2 for each in counted):
                continue
            aside[list(groups[number])] = True
            taken += counted
            left -= Counter(dict.fromkeys(counted, 1))
    return aside


def _strata(labels: Sequence[Label]) -> list[tuple[str, ...]]:
    """The labels each row counts for; a number counts for its band, a row without a label for one of its own."""
    bands = _bands([label for label in labels if isinstance(label, float)])
    return [_stratum(label, bands) for label in labels]


def _bands(numbers: Sequence[float]) -> dict[float, str]:
    """The band of each number: that of the middle of its equals, so that a common number swallows no other."""
    values, counts = np.unique(np.array(numbers), return_counts=True)
    if len(values) <= _SCORE_BANDS:
        return {value: str(value) for value in values.tolist()}
    bands = ((counts.cumsum() - counts / 2) * _SCORE_BANDS / counts.sum()).astype(np.int64)
    return {value: f"band {band}" for value, band in zip(values.tolist(), bands.tolist(), strict=True)}


def _stratum(label: Label, bands: Mapping[float, str]) -> tuple[str, ...]:
    if isinstance(label, float):
        return (bands[label],)
    if isinstance(label, tuple):
        return label or ("",)
    return (label or "",)


def _luck(seed: int, key: Hashable) -> bytes:
    return blake2b(f"{seed}\0{key!r}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
