"""What is counted in a text or a pair: runs of its tokens, and how those of one text stand to those of the other.

Everything counted has a number of its own, its key. That of a run of tokens is the number that their ids, counted from
1, spell to the base `ids` + 1; no two runs share one. In a pair, `KINDS` times that, plus what is said of it.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from bertsmith.finetuning.reading import Reading

Sides = Literal["one", "symmetric", "ordered"]
"""What is read: one text, two whose order says nothing, or two that differ by which comes first."""

BOTH, ONE, FIRST, SECOND, EXCHANGED, FIRST_EXCHANGED, BESIDE, FIRST_BESIDE, SECOND_BESIDE = range(9)
"""What is said of a pair: a run that both texts have, that one has alone, only the first, only the second; a token that
one text has alone and one that the other has alone, either way or the one of the first text first; a token that one
text has alone and one that both have, whichever text it is, the first or the second."""

KINDS = 9
"""Keys of a pair are the numbers of its runs times this, plus what is said of them."""

MOST_CROSSED = 32
"""Different tokens that one text, the other, and both have, of which two make a feature: those that come first."""

Column = Int[np.ndarray, "_"]


class Found(NamedTuple):
    """What is in some texts or pairs: row, key and how often, sorted by row and key."""

    rows: Column
    keys: Column
    counts: Column


class _Held(NamedTuple):
    """Tokens or runs of pairs, and who has them: BOTH, FIRST or SECOND."""

    pairs: Column
    numbers: Column
    kinds: Column
    positions: Column


_Said = tuple[int, Column, Column]
"""What is said, of which pairs, and of which runs or two tokens by their number."""


def found_in(readings: Sequence[Reading], *, longest: int, ids: int, sides: Sides = "one") -> Found:
    """Count the runs of one to `longest` tokens of texts; none reaches over the end of a sequence.

    Of pairs, whose texts are told apart by their segments, it is what both texts have and what one has alone, run by
    run, and every two tokens of which one text has one alone and the other text the other, or both texts the other:
    what stands in place of what, and what differs beside what. There is no count of these, each is there or not. Where
    order says something, all of it stands there twice, once without the order, which is learned from fewer pairs.
    """
    sequences = [example for reading in readings for example in reading.sequences]
    tokens = np.concatenate([example.token_ids for example in sequences]).astype(np.int64) + 1
    rows = np.repeat(np.arange(len(readings)), [len(reading) for reading in readings])
    runs = np.repeat(np.arange(len(sequences)), [len(example) for example in sequences])
    if sides != "one":
        segments = np.concatenate([example.segment_ids for example in sequences])
        rows, runs = 2 * rows + segments, 2 * runs + segments
    found = _counted(*_runs(tokens, rows, runs, longest=longest, base=ids + 1))
    if sides == "one":
        return found
    ordered = sides == "ordered"
    said = [
        *_told(_held(found.rows, found.keys, np.zeros_like(found.keys)), ordered=ordered),
        *_crossed(tokens, rows, pairs=len(readings), base=ids + 1, ordered=ordered),
    ]
    return _counted(
        np.concatenate([pairs for _, pairs, _ in said]),
        np.concatenate([numbers * KINDS + kind for kind, _, numbers in said]),
    )


def most_counted(readings: Sequence[Reading], *, longest: int, sides: Sides) -> Column:
    """How much is counted in each text or pair at most."""
    lengths = np.array([len(reading) for reading in readings])
    crossed = np.minimum(lengths**2 // 4, 3 * MOST_CROSSED**2)
    most: dict[Sides, Column] = {"one": longest * lengths, "symmetric": longest * lengths + crossed}
    return most.get(sides, 2 * most["symmetric"])


def silent(keys: Column, always: Bool[np.ndarray, "_"], *, ids: int) -> Bool[np.ndarray, "_"]:
    """Which keys of pairs name a token of which `always` says the same of every pair, as of [CLS] and [SEP]."""
    numbers = keys // KINDS
    same = np.unique(numbers[always & (numbers <= ids) & (keys % KINDS <= SECOND)])
    named = [np.isin(digits, same) for digits in _digits(numbers, ids + 1)]
    return np.any(named, axis=0) if len(same) else np.zeros(len(keys), dtype=bool)


def renumbered_ngrams(
    keys: Column, new: Int[np.ndarray, "ids"], *, ids: int, sides: Sides = "one"
) -> tuple[Int[np.ndarray, "left"], Int[np.ndarray, "left"]]:
    """The keys after tokens were renumbered, ascending, and which of the old ones they are.

    `new` holds the new number of each old id, or -1 where the token is gone, and with it what names it; `ids` is the
    new size of the vocabulary. Where none is left, one stands for all that no text has.
    """
    places, known = np.arange(len(keys)), keys >= 0
    numbers, kinds = np.divmod(np.where(known, keys, 0), 1 if sides == "one" else KINDS)
    follows = np.r_[-1, new]
    spelled = []
    for digits in _digits(numbers, len(new) + 1):
        known &= (digits == 0) | (follows[digits] >= 0)
        spelled.append(np.where(digits > 0, follows[digits] + 1, 0))
    if not known.any():
        return np.array([-1]), places[:1]  # no text has it
    if sides != "one" and len(spelled) > 1:
        turned = (kinds == EXCHANGED) & (spelled[1] > spelled[0])
        spelled[0], spelled[1] = (np.where(turned, spelled[1 - place], spelled[place]) for place in (0, 1))
    made = sum((digits * (ids + 1) ** place for place, digits in enumerate(spelled)), np.zeros_like(keys))
    if sides != "one":
        made = KINDS * made + kinds
    order = np.argsort(made[known], kind="stable")
    return made[known][order], places[known][order]


def _digits(numbers: Column, base: int) -> Iterator[Column]:
    """The tokens that numbers spell, counted from 1, the last of each first; 0 where there is none any more."""
    while numbers.any():
        numbers, digits = np.divmod(numbers, base)
        yield digits


def _runs(tokens: Column, rows: Column, runs: Column, *, longest: int, base: int) -> tuple[Column, Column]:
    """The row and key of every run of one to `longest` tokens that does not reach over the end of one of `runs`."""
    ends = np.flatnonzero(np.r_[runs[1:] != runs[:-1], True])
    left = np.repeat(ends, np.diff(np.r_[-1, ends])) + 1 - np.arange(len(tokens))  # of the run, from each token on
    keys, parts = tokens, [(rows, tokens)]
    for size in range(2, longest + 1):
        keys = keys[:-1] * base + tokens[size - 1 :]
        whole = left[: len(keys)] >= size
        parts.append((rows[: len(keys)][whole], keys[whole]))
    found_rows, found_keys = (np.concatenate(each) for each in zip(*parts, strict=True))
    return found_rows, found_keys


def _counted(rows: Column, keys: Column) -> Found:
    order = np.lexsort((keys, rows))
    rows, keys = rows[order], keys[order]
    first = _begins(rows, keys)
    return Found(rows[first], keys[first], np.diff(np.r_[first, len(keys)]))


def _begins(*columns: Column) -> Column:
    """Where a group of equal rows begins."""
    changes = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    return np.flatnonzero(np.r_[True, changes][: len(columns[0])])


def _held(rows: Column, numbers: Column, positions: Column) -> _Held:
    """What both texts of each pair have or one alone, from what each text has; `rows` are 2 i and 2 i + 1."""
    pairs, second = np.divmod(rows, 2)
    order = np.lexsort((second, numbers, pairs))
    pairs, numbers = pairs[order], numbers[order]
    first = _begins(pairs, numbers)
    twice = np.diff(np.r_[first, len(order)]) == 2
    kinds = np.where(twice, BOTH, FIRST + second[order][first])
    earliest = np.minimum.reduceat(positions[order], first) if len(first) else positions
    return _Held(pairs[first], numbers[first], kinds, earliest)


def _told(held: _Held, *, ordered: bool) -> Iterator[_Said]:
    """Who has each run."""
    both = held.kinds == BOTH
    yield BOTH, held.pairs[both], held.numbers[both]
    yield ONE, held.pairs[~both], held.numbers[~both]
    if ordered:
        for kind in (FIRST, SECOND):
            yield kind, held.pairs[held.kinds == kind], held.numbers[held.kinds == kind]


def _crossed(tokens: Column, rows: Column, *, pairs: int, base: int, ordered: bool) -> Iterator[_Said]:
    """Every two tokens of which one text has one alone, and the other text or both have the other."""
    order = np.lexsort((tokens, rows))
    once = order[_begins(rows[order], tokens[order])]
    texts, begins = np.unique(rows, return_index=True)
    held = _held(rows[once], tokens[once], once - begins[np.searchsorted(texts, rows[once])])
    order = np.lexsort((held.numbers, held.positions, held.kinds, held.pairs))
    held = _Held(*(column[order] for column in held))
    group = _begins(held.pairs, held.kinds)
    rank = np.arange(len(order)) - np.repeat(group, np.diff(np.r_[group, len(order)]))
    both, first, second = (
        (held.pairs[there], held.numbers[there])
        for there in ((held.kinds == kind) & (rank < MOST_CROSSED) for kind in (BOTH, FIRST, SECOND))
    )
    at, left, right = _products(first, second, pairs)
    yield EXCHANGED, at, np.minimum(left, right) * base + np.maximum(left, right)
    if ordered:
        yield FIRST_EXCHANGED, at, left * base + right
    for kind, one in ((FIRST_BESIDE, first), (SECOND_BESIDE, second)):
        at, left, right = _products(one, both, pairs)
        yield BESIDE, at, left * base + right
        if ordered:
            yield kind, at, left * base + right


def _products(one: tuple[Column, Column], other: tuple[Column, Column], pairs: int) -> tuple[Column, Column, Column]:
    """Every token of `one` with every token of `other` in the same pair: the pair and the two."""
    sizes = np.bincount(other[0], minlength=pairs)
    begins = np.cumsum(sizes) - sizes
    times = sizes[one[0]]
    at, left = np.repeat(one[0], times), np.repeat(one[1], times)
    within = np.arange(len(at)) - np.repeat(np.cumsum(times) - times, times)
    return at, left, other[1][begins[at] + within]
