"""Texts as sources: `[CLS] text [SEP]` in segment 0, shortened where they must be, and that counted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bertsmith.batch import Example
from bertsmith.text import Tokenizer
from bertsmith.text.shortening import Truncated, room_for, shorten


@dataclass(frozen=True, slots=True)
class Read:
    """Sources, what shortening cost, and how many texts have no token that the vocabulary knows."""

    examples: tuple[Example, ...]
    truncated: Truncated
    unknown: int


def read_sources(texts: Sequence[str], tokenizer: Tokenizer, *, longest: int) -> Read:
    """Tokenize texts; the beginning of one that is longer than `longest` tokens, special ones included, is kept.

    Raises:
        UserError: there is no room for text beside the special tokens.
    """
    room = room_for(longest, tokenizer.overhead(pair=False), setting="limits.source")
    made = [each.token_ids for each in tokenizer.tokenize(texts)]
    lost = [len(ids) - room for ids in made if len(ids) > room]
    unknown = sum(bool(np.all(ids == tokenizer.special.unk)) for ids in made)
    examples = tuple(tokenizer.assemble(shorten(ids, room, "head")) for ids in made)
    return Read(examples, Truncated(len(lost), sum(lost)), unknown)
