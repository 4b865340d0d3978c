"""How the texts of a run are read: what a recipe asks for, decided, and what it costs."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from bertsmith.data import Record
from bertsmith.finetuning import (
    Aim,
    AskedDocument,
    Auto,
    Chunks,
    Prepared,
    ReadDocument,
    Truncate,
    chosen_document,
    length_limit,
)
from bertsmith.text import Tokenizer


class Decided(NamedTuple):
    """How texts are read, the most tokens of a sequence, and why (None: the recipe says so)."""

    document: ReadDocument
    max_length: int
    why: str | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What to say beforehand."""
        if self.why is None:
            return ()
        name = self.document.keep if isinstance(self.document, Truncate) else self.document.kind
        return (f"document auto: {name}: {self.why}",)


def decided(
    document: AskedDocument, aim: Aim, train: tuple[Record, ...], tokenizer: Tokenizer, *, max_positions: int
) -> Decided:
    """Take what the recipe says, or choose by the lengths of the training texts.

    Raises:
        UserError: a sequence would be longer than the encoder can read.
    """
    max_length = length_limit(document, max_positions)
    if not isinstance(document, Auto):
        return Decided(document, max_length)
    chosen, why = chosen_document(document, aim, _lengths(train, tokenizer), max_length)
    return Decided(chosen, max_length, why)


def reading_notes(prepared: Mapping[str, Prepared], how: Decided) -> tuple[str, ...]:
    """What shortening costs each split, or how many texts are read in chunks."""
    return tuple(note for name, made in prepared.items() if (note := _note(name, made, how)))


def _note(name: str, made: Prepared, how: Decided) -> str | None:
    texts, cut, limit = len(made.readings), made.truncated, how.max_length
    match how.document:
        case Truncate(keep=keep) if cut.texts:
            kept = {"head": "the beginning", "tail": "the end", "head_tail": "beginning and end"}[keep]
            return (
                f"{name}: {cut.texts:,} of {texts:,} texts are longer than {limit} tokens; "
                f"{kept} is kept, {cut.tokens:,} tokens are lost"
            )
        case Chunks(join=join, most_chunks=most):
            several = [len(reading.sequences) for reading in made.readings if len(reading.sequences) > 1]
            if not several:
                return None
            beyond = f"; {cut.texts:,} have more than {most}, {cut.tokens:,} tokens are lost" if cut.texts else ""
            return (
                f"{name}: {len(several):,} of {texts:,} texts are read in chunks of up to {limit} tokens, "
                f"{max(several)} at most, joined by {join}{beyond}"
            )
    return None


def _lengths(records: tuple[Record, ...], tokenizer: Tokenizer) -> Int[np.ndarray, "texts"]:
    """Tokens of each text or pair, special tokens included."""
    first = [len(one.token_ids) for one in tokenizer.tokenize([record.text for record in records])]
    second = [len(one.token_ids) for one in tokenizer.tokenize([record.text_pair or "" for record in records])]
    overhead = tokenizer.overhead(pair=any(record.text_pair is not None for record in records))
    return np.array(first, dtype=np.int64) + np.array(second, dtype=np.int64) + overhead
