"""What is true of every text, as arrays: one row a text, or one row an item of a text."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Shaped


@dataclass(frozen=True, slots=True)
class Targets:
    """The true answers of many texts, end to end.

    `values` has a row for each item: the number of a label, a yes or no for every label, or a number.
    `counts` says how many items each text has; None: one.
    """

    values: Shaped[np.ndarray, "items *rest"]
    counts: Int[np.ndarray, "texts"] | None = None

    def __len__(self) -> int:
        return len(self.values) if self.counts is None else len(self.counts)

    def of(self, rows: Int[np.ndarray, "rows"]) -> Shaped[np.ndarray, "some *rest"]:
        """The targets of these texts, end to end."""
        if self.counts is None:
            return np.asarray(self.values[rows])
        ends = np.cumsum(self.counts)
        return np.concatenate([self.values[ends[row] - self.counts[row] : ends[row]] for row in rows])

    def split(self) -> Sequence[Shaped[np.ndarray, "_ *rest"]]:
        """The targets of every text."""
        counts = np.ones(len(self.values), dtype=np.int64) if self.counts is None else self.counts
        return np.split(self.values, np.cumsum(counts)[:-1])
