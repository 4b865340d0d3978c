"""One text as tokens, and the tokens that are not text."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from bertsmith.config import Config


@dataclass(frozen=True, slots=True)
class Tokenized:
    """One text without special tokens, not truncated.

    `offsets` are the characters of the original text each token covers, end exclusive; they never
    step back, and several tokens cut from one character share its place.
    """

    token_ids: Int[np.ndarray, "tokens"]
    offsets: Int[np.ndarray, "tokens 2"]

    def __len__(self) -> int:
        return len(self.token_ids)


class SpecialTokens(Config):
    """The ids of the tokens that stand for no text."""

    pad: int
    unk: int
    cls: int
    sep: int
    mask: int | None = None

    def ids(self) -> frozenset[int]:
        """All of them."""
        return frozenset(number for number in dict(self).values() if number is not None)
