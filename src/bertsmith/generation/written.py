"""What was written, and what sampling and beam search share."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from bertsmith.batch import Example


@dataclass(frozen=True, slots=True)
class Written:
    """One text: its tokens without the closing [SEP], the logarithm of its probability, and whether it ended."""

    token_ids: Int[np.ndarray, "tokens"]
    log_probability: float
    finished: bool


@dataclass(frozen=True, slots=True)
class Job:
    """Some of the texts of one source: those numbered from `first` on."""

    source: int
    first: int
    count: int


def jobs(sources: Sequence[Example], count: int, rows: int) -> Iterator[list[Job]]:
    """All texts of all sources, `rows` at most side by side, sources of similar length together."""
    group: list[Job] = []
    room = rows
    for source in sorted(range(len(sources)), key=lambda number: len(sources[number])):
        first = 0
        while first < count:
            taken = min(count - first, room)
            group.append(Job(source, first, taken))
            first, room = first + taken, room - taken
            if not room:
                yield group
                group, room = [], rows
    if group:
        yield group


def repeating(
    written: Int[np.ndarray, "rows tokens"], size: int, vocabulary: int, end: int
) -> Bool[Tensor, "rows vocab"] | None:
    """Which tokens would repeat a run of `size` tokens of the same row; None: none can yet.

    A token is forbidden if the last `size - 1` tokens stood somewhere before, and it stood behind them. The
    `end` never is.
    """
    length = written.shape[1]
    if length < size:
        return None
    windows = np.lib.stride_tricks.sliding_window_view(written, size, axis=1)
    recent = written[:, length - size + 1 :]
    again = (windows[:, :, :-1] == recent[:, None, :]).all(-1)
    rows, places = np.nonzero(again)
    forbidden = torch.zeros(len(written), vocabulary, dtype=torch.bool)
    forbidden[torch.from_numpy(rows), torch.from_numpy(windows[rows, places, -1].astype(np.int64))] = True
    forbidden[:, end] = False
    return forbidden
