"""What a model says of many texts, before it is read as answers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped


@dataclass(frozen=True, slots=True)
class Outputs:
    """The probabilities (or expected values) of every item, end to end in the order of the texts.

    `counts` says how many items each text has (None: one); then `best` holds what the criterion
    decided for each, which need not be the likeliest label of the item alone (a tag sequence).
    """

    values: Float[np.ndarray, "items outputs"]
    counts: Int[np.ndarray, "texts"] | None = None
    best: Shaped[np.ndarray, "items *rest"] | None = None

    def __len__(self) -> int:
        return len(self.values) if self.counts is None else len(self.counts)

    def split(self) -> Sequence["Outputs"]:
        """The outputs of every text."""
        if self.counts is None:
            return [Outputs(self.values[row : row + 1]) for row in range(len(self.values))]
        ends = np.cumsum(self.counts)[:-1]
        best = [None] * len(self.counts) if self.best is None else np.split(self.best, ends)
        return [
            Outputs(values, np.array([len(values)]), chosen)
            for values, chosen in zip(np.split(self.values, ends), best, strict=True)
        ]
