"""Token ids cut to what an encoder can read: nothing is lost without being counted."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int

from bertsmith.errors import UserError

USUAL_LENGTH = 512
"""The longest input of the BERT family; encoders with more positions get it when asked for."""

HEAD_SHARE = 128 / 510
"""Head + tail keeps the first 128 and the last 382 of 510 tokens (Sun et al. 2019, arXiv 1905.05583 §5.3.1)."""

Ids = Int[np.ndarray, "_"]


@dataclass(frozen=True, slots=True)
class Truncated:
    """How many texts were shortened, and how many tokens that cost."""

    texts: int = 0
    tokens: int = 0

    def __add__(self, other: "Truncated") -> "Truncated":
        return Truncated(self.texts + other.texts, self.tokens + other.tokens)


def shorten(token_ids: Ids, limit: int, keep: Literal["head", "tail", "head_tail"]) -> Ids:
    """Keep at most `limit` tokens of one text, in their order."""
    if len(token_ids) <= limit:
        return token_ids
    head = {"head": limit, "tail": 0, "head_tail": round(limit * HEAD_SHARE)}[keep]
    return np.concatenate([token_ids[:head], token_ids[len(token_ids) - (limit - head) :]])


def most_tokens(asked: int | None, max_positions: int, *, setting: str) -> int:
    """How many tokens of a text are read, special tokens included; None asks for the usual length.

    `setting` is what messages call it.

    Raises:
        UserError: more is asked for than the encoder has positions.
    """
    limit = asked or min(USUAL_LENGTH, max_positions)
    if limit > max_positions:
        raise UserError(
            f"{setting} is {limit}, but this encoder has {max_positions} positions; set it to {max_positions} or less",
            code="too_long",
        )
    return limit


def room_for(max_length: int, overhead: int, *, texts: int = 1, setting: str) -> int:
    """Tokens of a sequence that are left for text beside the special ones.

    Raises:
        UserError: none are.
    """
    room = max_length - overhead
    if room < texts:
        raise UserError(
            f"{setting} {max_length} leaves no room for text beside {overhead} special tokens; raise it",
            code="too_short",
        )
    return room
