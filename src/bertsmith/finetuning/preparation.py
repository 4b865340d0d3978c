"""Texts to examples: tokenized, shortened where they must be, and everything lost counted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from bertsmith.batch import Example
from bertsmith.finetuning.chunks import read_chunks
from bertsmith.finetuning.documents import AskedDocument, Chunks, Truncate, shorten_pair
from bertsmith.finetuning.reading import Reading
from bertsmith.text import Tokenizer
from bertsmith.text.shortening import Ids, Truncated, most_tokens, room_for, shorten

MAX_LENGTH = "document.max_length"
"""What messages call the limit."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Readings in the order of the texts; `full_lengths` counts tokens before shortening, specials included.

    `views` holds every way in which the texts are read: one, or for pairs without an order both orders.
    """

    views: tuple[list[Reading], ...]
    full_lengths: Int[np.ndarray, "texts"]
    truncated: Truncated

    @property
    def readings(self) -> list[Reading]:
        """The texts as they are read first."""
        return self.views[0]

    @property
    def lengths(self) -> Int[np.ndarray, "texts"]:
        """Tokens the encoder will read of each text."""
        return np.array([len(reading) for reading in self.readings], dtype=np.int64)


def length_limit(document: AskedDocument, max_positions: int) -> int:
    """How many tokens of a text the encoder reads, special tokens included.

    Raises:
        UserError: more is asked for than the encoder has positions.
    """
    return most_tokens(document.max_length, max_positions, setting=MAX_LENGTH)


def prepare(
    texts: Sequence[str],
    pairs: Sequence[str] | None,
    tokenizer: Tokenizer,
    document: Truncate | Chunks,
    *,
    max_length: int,
    both_orders: bool = False,
) -> Prepared:
    """Tokenize texts, or pairs of texts, keep at most `max_length` tokens of a sequence, and add special tokens.

    Raises:
        UserError: special tokens alone would fill `max_length`.
    """
    overhead = tokenizer.overhead(pair=pairs is not None)
    room = room_for(max_length, overhead, texts=1 if pairs is None else 2, setting=MAX_LENGTH)
    firsts = [tokenized.token_ids for tokenized in tokenizer.tokenize(texts)]
    if isinstance(document, Chunks):
        readings, lost = read_chunks(firsts, tokenizer, document, room=room)
        return Prepared((readings,), np.array([len(first) for first in firsts], dtype=np.int64) + overhead, lost)
    if pairs is None:
        views: tuple[list[Reading], ...] = (
            [_single(tokenizer.assemble(shorten(first, room, document.keep))) for first in firsts],
        )
        sizes = np.array([len(first) for first in firsts], dtype=np.int64)
    else:
        seconds = [tokenized.token_ids for tokenized in tokenizer.tokenize(pairs)]
        views = _pairs(firsts, seconds, tokenizer, document, room, both_orders=both_orders)
        sizes = np.array([len(a) + len(b) for a, b in zip(firsts, seconds, strict=True)], dtype=np.int64)
    return Prepared(
        views=views,
        full_lengths=sizes + overhead,
        truncated=Truncated(texts=int((sizes > room).sum()), tokens=int(np.maximum(sizes - room, 0).sum())),
    )


def _pairs(
    firsts: Sequence[Ids],
    seconds: Sequence[Ids],
    tokenizer: Tokenizer,
    document: Truncate,
    room: int,
    *,
    both_orders: bool,
) -> tuple[list[Reading], ...]:
    orders = [(firsts, seconds), (seconds, firsts)] if both_orders else [(firsts, seconds)]
    return tuple(
        [_single(tokenizer.assemble(*shorten_pair(a, b, room, document.keep))) for a, b in zip(*order, strict=True)]
        for order in orders
    )


def _single(example: Example) -> Reading:
    return Reading((example,))
