"""Which rows go together: batches under a token budget, as a pure function of (seed, epoch)."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int
from pydantic import PositiveInt

from bertsmith.config import Config

Rows = Int[np.ndarray, "_"]
Lengths = Int[np.ndarray, "_"]


class BatchPlan(Config):
    """How the rows of an epoch are shuffled and cut.

    `batch_size`: texts in one update; None cuts by `max_tokens` instead. `max_tokens`: the most tokens
    packed together at once. `window`: how many batches are drawn at random before they are sorted by
    length; 1 leaves the shuffle alone, more makes the lengths within a batch alike.
    """

    batch_size: PositiveInt | None = 32
    max_tokens: PositiveInt = 8192
    window: PositiveInt = 8

    def updates_of(self, texts: int) -> int:
        """Updates that read so many texts once; where tokens are counted instead, those of the usual size."""
        return -(-texts // (self.batch_size or 32))


def plan_batches(lengths: Lengths, plan: BatchPlan, *, seed: int, epoch: int) -> list[Rows]:
    """Draw the batches of one epoch: every row in exactly one of them, the same for the same (seed, epoch)."""
    random = np.random.Generator(np.random.PCG64([seed, epoch]))
    order = random.permutation(len(lengths))
    batches = [batch for rows in _windows(order, lengths, plan) for batch in _cut(rows, lengths, plan)]
    return [batches[i] for i in random.permutation(len(batches))]


def split_micro_batches(rows: Rows, lengths: Lengths, max_tokens: int, *, parts_at_least: int = 1) -> list[Rows]:
    """Cut the rows of one update into parts of at most `max_tokens` tokens, alike in length and even in load.

    A single text beyond the budget gets a part of its own. With fewer rows than `parts_at_least`, each
    row is a part.
    """
    by_length = rows[np.argsort(lengths[rows], kind="stable")]
    sizes = lengths[by_length]
    parts = max(len(_starts(sizes, max_tokens)), min(parts_at_least, len(rows)))
    starts = _starts(sizes, _smallest_budget(sizes, max_tokens, parts))
    while len(starts) < parts:
        starts = _one_more(starts, sizes)
    return np.split(by_length, starts[1:]) if len(rows) else []


def plan_inference(lengths: Lengths, max_tokens: int, *, window: int = 4096) -> list[Rows]:
    """Batches for prediction: rows in windows of `window` texts, each split evenly by length.

    Even parts have nearly the same number of tokens in every window of a stream: a processor that keeps a kernel for
    each number of rows it has met soon has met them all.
    """
    return [
        batch
        for start in range(0, len(lengths), window)
        for batch in split_micro_batches(np.arange(start, min(start + window, len(lengths))), lengths, max_tokens)
    ]


def _windows(order: Rows, lengths: Lengths, plan: BatchPlan) -> Iterator[Rows]:
    if plan.batch_size is not None:
        size = plan.window * plan.batch_size
        yield from (order[start : start + size] for start in range(0, len(order), size))
    elif len(order):
        yield from np.split(order, _starts(lengths[order], plan.window * plan.max_tokens)[1:])


def _cut(rows: Rows, lengths: Lengths, plan: BatchPlan) -> list[Rows]:
    if plan.batch_size is None:
        return [rows] if plan.window == 1 else _by_tokens(rows, lengths, plan.max_tokens)
    if plan.window > 1:
        rows = rows[np.argsort(lengths[rows], kind="stable")]
    return [rows[start : start + plan.batch_size] for start in range(0, len(rows), plan.batch_size)]


def _by_tokens(rows: Rows, lengths: Lengths, max_tokens: int) -> list[Rows]:
    by_length = rows[np.argsort(lengths[rows], kind="stable")]
    return np.split(by_length, _starts(lengths[by_length], max_tokens)[1:])


def _starts(sizes: Lengths, budget: int) -> list[int]:
    """Where each part begins when parts are filled in order up to the budget."""
    ends = np.cumsum(sizes)
    starts = []
    start = 0
    while start < len(sizes):
        starts.append(start)
        spent = int(ends[start - 1]) if start else 0
        start = max(start + 1, int(np.searchsorted(ends, spent + budget, side="right")))
    return starts


def _smallest_budget(sizes: Lengths, budget: int, parts: int) -> int:
    """The smallest budget that still needs no more than `parts` parts: the most even load."""
    low, high = 1, budget
    while low < high:
        middle = (low + high) // 2
        if len(_starts(sizes, middle)) <= parts:
            high = middle
        else:
            low = middle + 1
    return low


def _one_more(starts: list[int], sizes: Lengths) -> list[int]:
    """Halve the part with the most texts."""
    ends = [*starts[1:], len(sizes)]
    count, start = max((end - start, start) for start, end in zip(starts, ends, strict=True))
    return sorted([*starts, start + count // 2])
