"""Which tokens go into which training text."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from bertsmith.pretraining.arrangement.sentences import Sentences


class Kind(IntEnum):
    """How the tokens of a cut are used."""

    RUN = 0
    """One text: `first` tokens from `start`."""
    PAIR = 1
    """`first` tokens, and the `second` ones that follow."""
    SWAPPED = 2
    """The same in the wrong order."""
    RANDOM = 3
    """`first` tokens, and at least `second` from a document other than `document`."""
    SOURCE = 4
    """As PAIR, but as source and target: the relation is not asked."""


CUT = np.dtype([("kind", "i1"), ("start", "i8"), ("first", "i4"), ("second", "i4"), ("document", "i8")])
"""One training text: where its tokens are found."""


class PairRule(NamedTuple):
    """How pairs are drawn: most are `usual`, `share` of them `other`; a sentence alone is `lone`, or is halved."""

    usual: Kind
    other: Kind
    share: float
    lone: Kind | None
    short_share: float


def runs(sentences: Sentences, room: int, *, between: int) -> np.ndarray:
    """Whole sentences in order until no more fit into `room` tokens.

    `between` is what a step into the next document costs, in tokens: one for a separator, more
    than `room` where texts never cross.
    """
    sentences = sentences.cut(room)
    starts, count = sentences.starts, len(sentences.starts) - 1
    opened = np.zeros(count, dtype=np.int64)
    opened[sentences.pieces[:-1]] = between
    opened = np.cumsum(opened)
    follows = np.searchsorted(starts[1:] + opened, starts[:-1] + opened + room, side="right").tolist()
    chosen = [0]
    while chosen[-1] < count:
        chosen.append(follows[chosen[-1]])
    return _run_cuts(starts[chosen])


def blocks(sentences: Sentences, room: int) -> np.ndarray:
    """Runs of `room` tokens, sentences or not; what is left at the end of a document is a shorter one."""
    return _run_cuts(sentences.documents().cut(room).starts)


def pairs(sentences: Sentences, room: int, rule: PairRule, random: np.random.Generator) -> np.ndarray:
    """Two segments a text, as BERT's and ALBERT's data scripts cut them (Devlin et al. 2019; Lan et al. 2020).

    Sentences are gathered up to a target length, now and then a short one, and parted between two
    of them at random. Where the second segment is replaced, what it would have held comes next.
    """
    sentences = sentences.cut(room)
    pieces = sentences.pieces.tolist()
    targets = _targets(len(pieces) - 1, room, rule.short_share, random)
    draws = random.random((len(sentences.starts) - 1, 2)).tolist()
    starts = sentences.starts.tolist()
    found = [
        (*cut, sentences.number + number)
        for number, target in enumerate(targets)
        for cut in _pairs_of_document(starts, pieces[number], pieces[number + 1], target, rule, draws)
    ]
    return np.array(found, dtype=CUT)


def _pairs_of_document(
    starts: Sequence[int], first: int, stop: int, target: int, rule: PairRule, draws: Sequence[Sequence[float]]
) -> Iterator[tuple[Kind, int, int, int]]:
    while first < stop:
        end = min(stop, bisect_left(starts, starts[first] + target, first + 1, stop + 1))
        part, other = draws[first]
        count = end - first
        begin = starts[first]
        if count == 1:
            yield from _lone(begin, starts[end] - begin, target, rule)
            first = end
            continue
        middle = first + 1 + int(part * (count - 1))
        kind = rule.other if other < rule.share else rule.usual
        length = starts[middle] - begin
        yield kind, begin, length, _wanted(target, length) if kind == Kind.RANDOM else starts[end] - starts[middle]
        first = middle if kind == Kind.RANDOM else end


def _lone(begin: int, length: int, target: int, rule: PairRule) -> Iterator[tuple[Kind, int, int, int]]:
    if rule.lone is not None:
        yield rule.lone, begin, length, _wanted(target, length)
    elif length > 1:
        yield rule.usual, begin, length // 2, length - length // 2


def _wanted(target: int, first: int) -> int:
    """How many tokens the random second segment should have; one sentence is always taken."""
    return max(1, target - first)


def _targets(documents: int, room: int, short_share: float, random: np.random.Generator) -> list[int]:
    short = random.random(documents) < short_share
    lengths = random.integers(2, room + 1, documents)
    return list(np.where(short, lengths, room).tolist())


def _run_cuts(starts: np.ndarray) -> np.ndarray:
    cuts = np.zeros(len(starts) - 1, dtype=CUT)
    cuts["start"], cuts["first"] = starts[:-1], np.diff(starts)
    return cuts
