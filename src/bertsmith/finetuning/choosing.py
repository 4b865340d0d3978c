"""What to do with long texts, decided by how long the training texts are."""

import numpy as np
from jaxtyping import Int

from bertsmith.finetuning.answers import Aim
from bertsmith.finetuning.documents import Auto, Chunks, ReadDocument, Truncate, Windows

FEW_LOST = 0.01
"""Up to this share of all tokens, it does not matter which end is cut."""
MUCH_LOST = 0.5
"""From this share of all tokens on, cutting throws away more than it keeps."""


def chosen_document(
    document: Auto, aim: Aim, lengths: Int[np.ndarray, "texts"], max_length: int
) -> tuple[ReadDocument, str]:
    """A way to read texts of these lengths (special tokens included), and why.

    Head and tail did best in Sun et al. 2019 (arXiv 1905.05583, table 2) where 13 and 46 % of the texts
    were too long; chunks are for texts most of which would be lost otherwise.
    """
    limit = document.max_length
    if aim.per_token:
        return Windows(max_length=limit), "every token gets an answer, so long texts are read in overlapping windows"
    longer = lengths > max_length
    lost = float(np.maximum(lengths - max_length, 0).sum() / max(lengths.sum(), 1))
    fact = (
        f"{int(longer.sum()):,} of {len(lengths):,} training texts ({longer.mean():.1%}) are longer than {max_length} "
        f"tokens, and shortening them would lose {lost:.1%} of all tokens"
    )
    if not longer.any():
        return Truncate(max_length=limit), f"no training text is longer than {max_length} tokens"
    if aim.pairs:
        return Truncate(max_length=limit), f"{fact}; of pairs the longer text is shortened"
    if lost <= FEW_LOST:
        return Truncate(max_length=limit), f"{fact}: too few to matter, the beginning is kept"
    if lost <= MUCH_LOST:
        return Truncate(keep="head_tail", max_length=limit), f"{fact}: beginning and end are kept"
    return Chunks(max_length=limit), f"{fact}, more than is kept: they are read in chunks"
