"""Near-duplicates: an exact similarity join of texts by the Jaccard similarity of their 5-gram sets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from bertsmith.data.grams import Signatures, at_least, comparable, gram_set, posted, sign

SIMILAR = 0.8
"""Texts of this Jaccard similarity or more are near-duplicates."""

_SLICE = 1 << 18  # candidate pairs looked at together
_STAGES = (4, 64)  # 64-bit words of the bitmaps compared, first few, then all

Pairs = tuple[Int[np.ndarray, "_"], Int[np.ndarray, "_"]]


def find_twins(
    texts: Sequence[str], sides: Int[np.ndarray, "texts"], *, threshold: float = SIMILAR
) -> Int[np.ndarray, "texts sides"]:
    """For every text and every side (split), the row of another text there that is similar, or -1.

    Exact: a twin is found wherever one exists (up to chance collisions of 47-bit hashes), and each is
    verified on the text itself. One witness is enough, so a thousand copies of a template cost no more
    than a thousand steps. Method: prefix, length and position filters (Xiao et al. 2008, PPJoin), parity
    bitmaps (Sandes et al. 2020), then the sets.
    """
    rows: dict[tuple[int, str], list[int]] = {}
    for row, (text, side) in enumerate(zip(texts, sides.tolist(), strict=True)):
        rows.setdefault((side, comparable(text)), []).append(row)
    found = _Search(list(rows), int(sides.max(initial=0)) + 1, threshold).run()
    firsts = np.array([group[0] for group in rows.values()] + [-1])
    twins = np.full((len(texts), found.shape[1]), -1, dtype=np.int64)
    for number, ((side, _), group) in enumerate(rows.items()):
        twins[group] = firsts[found[number]]
        if len(group) > 1:
            twins[group, side] = group[0]
            twins[group[0], side] = group[1]
    return twins


@dataclass(frozen=True, slots=True)
class _Postings:
    """Postings by gram, within a gram by the size of their text; `ends` is where the run of a gram ends."""

    owners: Int[np.ndarray, "postings"]
    places: Int[np.ndarray, "postings"]
    ends: Int[np.ndarray, "postings"]


class _Search:
    """Distinct texts by (side, text), in ascending order of the size of their gram sets."""

    def __init__(self, keys: Sequence[tuple[int, str]], sides: int, threshold: float) -> None:
        signatures = sign([text for _, text in keys], threshold) if keys else None
        self.threshold = threshold
        self.found = np.full((len(keys), sides), -1, dtype=np.int64)
        self.texts = [text for _, text in keys]
        self.sides = np.array([side for side, _ in keys], dtype=np.int64)
        self.signatures = signatures

    def run(self) -> Int[np.ndarray, "texts sides"]:
        """Fill and return, for each text and side, the number of a similar text there."""
        if self.signatures is not None:
            for lower, upper in self._candidates(self.signatures):
                for one, other in zip(lower.tolist(), upper.tolist(), strict=True):
                    self._compare(one, other)
        return self.found

    def _compare(self, one: int, other: int) -> None:
        to_one, to_other = self.sides[other], self.sides[one]
        if self.found[one, to_one] >= 0 and self.found[other, to_other] >= 0:
            return
        first, second = gram_set(self.texts[one]), gram_set(self.texts[other])
        common = len(first & second)
        if common >= self.threshold * (len(first) + len(second) - common) - 1e-9:
            self.found[one, to_one] = other
            self.found[other, to_other] = one

    def _candidates(self, signatures: Signatures) -> Iterator[Pairs]:
        """Pairs that share a rare gram and pass every filter: neighbours in a run first, then ever farther."""
        postings = _by_gram(signatures)
        sizes = signatures.sizes
        alone = 2 * self.threshold / (1 + self.threshold)
        active = np.flatnonzero(postings.places < posted(sizes, alone)[postings.owners])
        distance = 0
        while len(active):
            distance += 1
            active = active[active + distance < postings.ends[active]]
            small, large = sizes[postings.owners[active]], sizes[postings.owners[active + distance]]
            active = active[small >= self.threshold * large - 1e-9]
            for start in range(0, len(active), _SLICE):
                part = active[start : start + _SLICE]
                yield self._filtered(postings, part, part + distance, signatures)

    def _filtered(
        self, postings: _Postings, lower: Int[np.ndarray, "_"], upper: Int[np.ndarray, "_"], signatures: Signatures
    ) -> Pairs:
        one, other = postings.owners[lower], postings.owners[upper]
        sizes = signatures.sizes
        total = sizes[one] + sizes[other]
        needed = at_least(self.threshold / (1 + self.threshold) * total)
        left = np.minimum(sizes[one] - postings.places[lower], sizes[other] - postings.places[upper])
        unknown = (self.found[one, self.sides[other]] < 0) | (self.found[other, self.sides[one]] < 0)
        kept = np.flatnonzero(unknown & (left >= needed))
        one, other, allowed = one[kept], other[kept], (total - 2 * needed)[kept]
        for words in _STAGES:
            different = signatures.bitmaps[one, :words] ^ signatures.bitmaps[other, :words]
            kept = np.flatnonzero(np.bitwise_count(different).sum(axis=1, dtype=np.int64) <= allowed)
            one, other, allowed = one[kept], other[kept], allowed[kept]
        pairs = np.unique(one * len(self.texts) + other)
        return pairs // max(1, len(self.texts)), pairs % max(1, len(self.texts))


def _by_gram(signatures: Signatures) -> _Postings:
    """Sort postings by (gram, size) in one key, and drop grams that one text alone has.

    The key keeps as many bits of the gram as the rank of its text leaves; a collision only makes a
    candidate that the sets then refuse.
    """
    ranks = np.empty(len(signatures.sizes), dtype=np.uint64)
    ranks[np.argsort(signatures.sizes, kind="stable")] = np.arange(len(ranks), dtype=np.uint64)
    bits = np.uint64(max(1, len(ranks).bit_length()))
    keys = (signatures.grams << bits) | ranks[signatures.owners]
    order = np.argsort(keys)
    grams = keys[order] >> bits
    starts = np.flatnonzero(np.concatenate([[True], grams[1:] != grams[:-1]]))
    counts = np.diff(np.append(starts, len(grams)))
    shared = np.repeat(counts > 1, counts)
    order, counts = order[shared], counts[counts > 1]
    ends = np.repeat(np.cumsum(counts), counts)
    return _Postings(signatures.owners[order], signatures.places[order], ends)
