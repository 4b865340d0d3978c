"""One training text on the host: tokens, and the units a corruption may choose from."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from bertsmith.batch import Example


@dataclass(frozen=True, slots=True)
class Passage:
    """A text before corruption, special tokens in place.

    `words` and `entities` are ranges of tokens, end exclusive, in ascending order, without
    overlap and never over a special token (but the last separator may be a word of a target, which then teaches
    where to stop); `entities` holds the phrases and named entities, which
    may be none. `relation` is the label of a pair: 1 for a random second segment (BERT) or for
    segments in the wrong order (ALBERT), 0 for a true pair, None for a text that is no pair.
    """

    example: Example
    words: Int[np.ndarray, "words 2"]
    entities: Int[np.ndarray, "entities 2"]
    relation: int | None = None

    def __len__(self) -> int:
        return len(self.example)
