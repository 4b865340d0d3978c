"""Which part of an objective has which texts of which update: mixtures by quota, stages by turns."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

_STREAM = int.from_bytes(b"mixture")


class Turn(NamedTuple):
    """A part that has texts in an update, and which of its texts of the epoch they are."""

    part: int
    first: int
    stop: int


def mixed(
    shares: Sequence[float], sizes: Int[np.ndarray, "updates"], *, seed: int, epoch: int
) -> Int[np.ndarray, "updates+1 parts"]:
    """How many texts of each part come before each update of an epoch, its end last.

    In every update each part has its share of the texts, rounded up or down: one draw an update
    decides which, so that the shares are exact on average (systematic sampling).
    """
    bounds = np.cumsum(shares) / sum(shares)
    draws = np.random.Generator(np.random.PCG64([_STREAM, seed, epoch])).random(len(sizes))
    upto = np.ceil(sizes[:, None] * bounds - draws[:, None]).astype(np.int64)
    upto[:, -1] = sizes
    counts = np.diff(upto, axis=1, prepend=0)
    return np.concatenate([np.zeros((1, len(bounds)), dtype=np.int64), np.cumsum(counts, axis=0)])


def stage_at(shares: Sequence[float], step: int, total: int) -> int:
    """The stage that update number `step` of `total` belongs to."""
    ends = [round(total * part / sum(shares)) for part in accumulate(shares)]
    return min(bisect_right(ends, step), len(ends) - 1)


def turns(before: Int[np.ndarray, "bounds parts"], update: int, groups: Sequence[int]) -> list[Turn]:
    """Who has which texts in an update; parts of one group draw from the same texts, without overlap."""
    counts = before[update + 1] - before[update]
    starts = {group: sum(int(before[update, part]) for part in members) for group, members in _members(groups).items()}
    found = []
    for part, group in enumerate(groups):
        first, starts[group] = starts[group], starts[group] + int(counts[part])
        found.append(Turn(part, first, starts[group]))
    return [turn for turn in found if turn.first < turn.stop]


def texts_of_epoch(shares: Sequence[float], sizes: Sequence[int]) -> int:
    """How many texts make an epoch when group `i` has this share of them and `sizes[i]` texts in the corpus.

    So many that the tokens of the corpus are read once, all groups together.
    """
    return max(1, round(sum(shares) / sum(share / size for share, size in zip(shares, sizes, strict=True))))


def _members(groups: Sequence[int]) -> dict[int, list[int]]:
    return {group: [part for part, own in enumerate(groups) if own == group] for group in set(groups)}
