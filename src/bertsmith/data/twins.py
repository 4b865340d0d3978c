"""Near-duplicates: an exact similarity join of texts by the Jaccard similarity of their 5-gram sets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, UInt64

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
    """Postings by gram, within a gram by the size of their text; `ends` is where the run of a gram ends.

    `left` counts the grams of the text from this one on; `firsts` repeats the first word of its bitmap.
    What every candidate needs lies beside it here, so that neighbours in memory are compared.
    """

    owners: Int[np.ndarray, "postings"]
    ends: Int[np.ndarray, "postings"]
    sizes: Int[np.ndarray, "postings"]
    left: Int[np.ndarray, "postings"]
    firsts: UInt64[np.ndarray, "postings"]


class _Search:
    """Distinct texts by (side, text)."""

    def __init__(self, keys: Sequence[tuple[int, str]], sides: int, threshold: float) -> None:
        self.threshold = threshold
        self.found = np.full((len(keys), sides), -1, dtype=np.int64)
        self.texts = [text for _, text in keys]
        self.sides = np.array([side for side, _ in keys], dtype=np.int64)

    def run(self) -> Int[np.ndarray, "texts sides"]:
        """Fill and return, for each text and side, the number of a similar text there."""
        if self.texts:
            for lower, upper in self._candidates(sign(self.texts, self.threshold)):
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
        """Pairs that share a rare gram and pass every filter: neighbours in a run first, then ever farther.

        The smaller text of a pair must share one of even fewer of its grams, since the larger has more.
        """
        postings = _by_gram(signatures)
        sums = np.arange(2 * int(signatures.sizes.max()) + 1)
        needed = at_least(self.threshold / (1 + self.threshold) * sums).astype(np.int32)
        few = posted(postings.sizes, 2 * self.threshold / (1 + self.threshold))
        active = np.flatnonzero(postings.sizes - postings.left < few)
        distance = 0
        while len(active):
            distance += 1
            active = active[active + distance < postings.ends[active]]
            active = active[postings.sizes[active] >= self.threshold * postings.sizes[active + distance] - 1e-9]
            if distance.bit_count() == 1:
                active = self._wanted(postings, active, distance)
            for start in range(0, len(active), _SLICE):
                lower = active[start : start + _SLICE]
                yield self._unlike(signatures, *_promising(postings, needed, lower, lower + distance))

    def _wanted(self, postings: _Postings, active: Int[np.ndarray, "_"], distance: int) -> Int[np.ndarray, "_"]:
        """Drop the postings that neither seek a twin themselves nor can be one to a seeker farther on."""
        seekers = np.any(self.found[:, np.unique(self.sides)] < 0, axis=1)
        seeking = seekers[postings.owners]
        places = np.where(seeking, np.arange(len(seeking)), -1)
        starts = np.flatnonzero(np.diff(postings.ends, prepend=-1))
        last = np.repeat(np.maximum.reduceat(places, starts), np.diff(np.append(starts, len(places))))
        wanted = seeking[active] | (active + distance <= last[active])
        return active[np.flatnonzero(wanted)]

    def _unlike(
        self,
        signatures: Signatures,
        one: Int[np.ndarray, "_"],
        other: Int[np.ndarray, "_"],
        allowed: Int[np.ndarray, "_"],
    ) -> Pairs:
        """Of promising pairs, those that still seek a twin and whose whole bitmaps are alike enough."""
        kept = (self.found[one, self.sides[other]] < 0) | (self.found[other, self.sides[one]] < 0)
        one, other, allowed = one[kept], other[kept], allowed[kept]
        for words in _STAGES:
            different = signatures.bitmaps[one, :words] ^ signatures.bitmaps[other, :words]
            kept = np.bitwise_count(different).sum(axis=1, dtype=np.int64) <= allowed
            one, other, allowed = one[kept], other[kept], allowed[kept]
        pairs = np.unique(one * len(self.texts) + other)
        return pairs // len(self.texts), pairs % len(self.texts)


def _promising(
    postings: _Postings, needed: Int[np.ndarray, "_"], lower: Int[np.ndarray, "_"], upper: Int[np.ndarray, "_"]
) -> tuple[Int[np.ndarray, "_"], Int[np.ndarray, "_"], Int[np.ndarray, "_"]]:
    """Pairs with enough grams left to share, and first words of bitmaps no more unlike than `allowed`."""
    total = postings.sizes[lower] + postings.sizes[upper]
    least = needed[total]
    allowed = total - 2 * least
    unlike = np.bitwise_count(postings.firsts[lower] ^ postings.firsts[upper])
    kept = np.flatnonzero((np.minimum(postings.left[lower], postings.left[upper]) >= least) & (unlike <= allowed))
    return postings.owners[lower[kept]], postings.owners[upper[kept]], allowed[kept]


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
    order, counts = order[np.repeat(counts > 1, counts)], counts[counts > 1]
    owners = signatures.owners[order]
    sizes = signatures.sizes[owners].astype(np.int32)
    return _Postings(
        owners=owners,
        ends=np.repeat(np.cumsum(counts), counts),
        sizes=sizes,
        left=sizes - signatures.places[order],
        firsts=signatures.bitmaps[owners, 0],
    )
