"""One text (or pair) as token ids, on the host."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids with special tokens in place, and the segment (0 or 1) each token belongs to."""

    token_ids: Int[np.ndarray, "tokens"]
    segment_ids: Int[np.ndarray, "tokens"]

    def __len__(self) -> int:
        return len(self.token_ids)
