"""What is counted in a text or a pair: runs of its tokens, and how those of one text stand to those of the other.

Everything counted has a number of its own, its key. That of a run of tokens is the number that their ids, counted from
1, spell to the base `ids` + 1; no two runs share one. In a pair, `KINDS` times that, plus what is said of it.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from bertsmith.errors import UserError
from bertsmith.finetuning.reading import Reading

Sides = Literal["one", "symmetric", "ordered"]
"""What is read: one text, two whose order says nothing, or two that differ by which comes first."""

BOTH, ONE, FIRST, SECOND, EXCHANGED, FIRST_EXCHANGED, BESIDE, FIRST_BESIDE, SECOND_BESIDE = range(9)
"""What is said of a pair: a run that both texts have, that one has alone, only the first, only the second; a run that
one text has alone and one that the other has alone, either way or the one of the first text first; a token that one
text has alone and one that both have, whichever text it is, the first or the second."""

KINDS = 9
"""Keys of a pair are the numbers of its runs times this, plus what is said of them."""

MOST_CROSSED = 32
"""Different runs that one text, the other, and both have, of which two make a feature: those that come first."""

MOST_IDS_OF_TWO = int((2**63 / KINDS) ** 0.25) - 2
"""Size of a vocabulary up to which two runs of two tokens have a key of 64 bits."""

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


_Met = tuple[Column, Column]
"""Runs of pairs: the pair and the number."""

_Said = tuple[int, Column, Column]
"""What is said, of which pairs, and of which run or two runs by their number."""


def found_in(readings: Sequence[Reading], *, longest: int, ids: int, sides: Sides = "one", exchanged: int = 1) -> Found:
    """Count the runs of one to `longest` tokens of texts; none reaches over the end of a sequence.

    Of pairs, whose texts are told apart by their segments, it is what both texts have and what one has alone, run by
    run; every two runs of one to `exchanged` tokens (2 at most) of which one text has one alone and the other text the
    other; and every two tokens of which one text has one alone and both have the other: what stands in place of what,
    and what differs beside what. There is no count of these, each is there or not. Where order says something, all of
    it stands there twice, once without the order, which is learned from fewer pairs.
    """
    sequences = [example for reading in readings for example in reading.sequences]
    tokens = np.concatenate([example.token_ids for example in sequences]).astype(np.int64) + 1
    rows = np.repeat(np.arange(len(readings)), [len(reading) for reading in readings])
    runs = np.repeat(np.arange(len(sequences)), [len(example) for example in sequences])
    if sides != "one":
        segments = np.concatenate([example.segment_ids for example in sequences])
        rows, runs = 2 * rows + segments, 2 * runs + segments
    base = ids + 1
    by_size = list(_runs(tokens, rows, runs, longest=longest, base=base))
    found = _counted(*(np.concatenate(each) for each in zip(*by_size, strict=True)))
    if sides == "one":
        return found
    ordered, pairs = sides == "ordered", len(readings)
    said = [*_told(_held(found.rows, found.keys, np.zeros_like(found.keys)), ordered=ordered)]
    for size, (of, numbers) in enumerate(by_size[:exchanged], 1):
        both, first, second = _first_met(of, numbers)
        said += _exchanged(first, second, pairs, unit=base**size, ordered=ordered)
        if size == 1:
            said += _beside(first, second, both, pairs, unit=base, ordered=ordered)
    return _counted(
        np.concatenate([of for _, of, _ in said]), np.concatenate([numbers * KINDS + kind for kind, _, numbers in said])
    )


def most_counted(readings: Sequence[Reading], *, longest: int, sides: Sides, exchanged: int = 1) -> Column:
    """How much is counted in each text or pair at most."""
    lengths = np.array([len(reading) for reading in readings])
    runs: Column = longest * lengths
    if sides == "one":
        return runs
    runs += np.minimum(exchanged * lengths**2 // 4, (2 + exchanged) * MOST_CROSSED**2)
    return runs if sides == "symmetric" else 2 * runs


def require_room(exchanged: int | None, *, ids: int) -> None:
    """Make sure that what is counted has a number.

    Raises:
        UserError: runs of two are exchanged, and the vocabulary is too large for that.
    """
    if exchanged == 2 and ids > MOST_IDS_OF_TWO:
        raise UserError(
            f"n-grams of pairs with ngrams.exchanged=2 take a vocabulary of at most {MOST_IDS_OF_TWO:,} tokens, "
            f"not {ids:,}; fine-tune with ngrams.exchanged=1"
        )


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
    made = sum((digits * (ids + 1) ** place for place, digits in enumerate(spelled)), np.zeros_like(keys))
    if sides != "one":
        unit = np.where(made < (ids + 1) ** 2, ids + 1, (ids + 1) ** 2)
        left, right = np.divmod(made, unit)
        turned = (kinds == EXCHANGED) & (left > right)
        made = KINDS * np.where(turned, right * unit + left, made) + kinds
    order = np.argsort(made[known], kind="stable")
    return made[known][order], places[known][order]


def _digits(numbers: Column, base: int) -> Iterator[Column]:
    """The tokens that numbers spell, counted from 1, the last of each first; 0 where there is none any more."""
    while numbers.any():
        numbers, digits = np.divmod(numbers, base)
        yield digits


def _runs(tokens: Column, rows: Column, runs: Column, *, longest: int, base: int) -> Iterator[tuple[Column, Column]]:
    """The row and number of every run of one token, of two, ..., that does not reach over the end of one of `runs`."""
    ends = np.flatnonzero(np.r_[runs[1:] != runs[:-1], True])
    left = np.repeat(ends, np.diff(np.r_[-1, ends])) + 1 - np.arange(len(tokens))  # of the run, from each token on
    numbers = tokens
    yield rows, numbers
    for size in range(2, longest + 1):
        numbers = numbers[:-1] * base + tokens[size - 1 :]
        whole = left[: len(numbers)] >= size
        yield rows[: len(numbers)][whole], numbers[whole]


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


def _first_met(rows: Column, numbers: Column) -> Iterator[tuple[Column, Column]]:
    """Pair and number of what both texts have, the first alone, the second alone: of each what comes first."""
    order = np.lexsort((numbers, rows))
    once = order[_begins(rows[order], numbers[order])]
    texts, begins = np.unique(rows, return_index=True)
    held = _held(rows[once], numbers[once], once - begins[np.searchsorted(texts, rows[once])])
    order = np.lexsort((held.numbers, held.positions, held.kinds, held.pairs))
    held = _Held(*(column[order] for column in held))
    group = _begins(held.pairs, held.kinds)
    rank = np.arange(len(order)) - np.repeat(group, np.diff(np.r_[group, len(order)]))
    for kind in (BOTH, FIRST, SECOND):
        there = (held.kinds == kind) & (rank < MOST_CROSSED)
        yield held.pairs[there], held.numbers[there]


def _exchanged(first: _Met, second: _Met, pairs: int, *, unit: int, ordered: bool) -> Iterator[_Said]:
    """What one text has alone in place of what the other has alone."""
    at, left, right = _products(first, second, pairs)
    yield EXCHANGED, at, np.minimum(left, right) * unit + np.maximum(left, right)
    if ordered:
        yield FIRST_EXCHANGED, at, left * unit + right


def _beside(first: _Met, second: _Met, both: _Met, pairs: int, *, unit: int, ordered: bool) -> Iterator[_Said]:
    """What one text has alone beside what both have."""
    for kind, one in ((FIRST_BESIDE, first), (SECOND_BESIDE, second)):
        at, left, right = _products(one, both, pairs)
        yield BESIDE, at, left * unit + right
        if ordered:
            yield kind, at, left * unit + right


def _products(one: _Met, other: _Met, pairs: int) -> tuple[Column, Column, Column]:
    """Every run of `one` with every run of `other` in the same pair: the pair and the two."""
    sizes = np.bincount(other[0], minlength=pairs)
    begins = np.cumsum(sizes) - sizes
    times = sizes[one[0]]
    at, left = np.repeat(one[0], times), np.repeat(one[1], times)
    within = np.arange(len(at)) - np.repeat(np.cumsum(times) - times, times)
    return at, left, other[1][begins[at] + within]
