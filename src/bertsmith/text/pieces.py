"""Long texts in pieces, cut where no token changes, so that memory stays flat at any length."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from bertsmith.text.characters import HAN, without_surrogates
from bertsmith.text.definition import Definition
from bertsmith.text.tokenized import Tokenized

LONGEST_PIECE = 50_000
"""Characters after which a text is cut at the next harmless place."""
CHARACTERS_AT_ONCE = 1_000_000

_BEFORE_A_SPACE = r"(?<=\S)(?=\s\S)"
_AFTER_A_MARK = rf"(?<=[。！？；，、])(?=[{HAN}])"
_BEFORE_A_CHARACTER = rf"(?=[{HAN}])"


class Piece(NamedTuple):
    """A part of a text: the number of the text, where the part starts in it, the part."""

    number: int
    start: int
    text: str


def harmless_cuts(definition: Definition) -> re.Pattern[str]:
    """Where a text may be cut without changing a token.

    Every scheme cuts in front of a space; BERT also beside Chinese characters, unless Chinese
    words are to be found first.
    """
    normalizer = definition.backend.get("normalizer") or {}
    if definition.kind != "WordPiece" or not normalizer.get("handle_chinese_chars"):
        return re.compile(_BEFORE_A_SPACE)
    beside = _AFTER_A_MARK if definition.level == "word" else _BEFORE_A_CHARACTER
    return re.compile(f"{_BEFORE_A_SPACE}|{beside}")


def batches(texts: Sequence[str], cut: re.Pattern[str]) -> Iterator[list[Piece]]:
    """The pieces of all texts in order, in groups of limited size."""
    batch: list[Piece] = []
    size = 0
    for number, text in enumerate(texts):
        for start, part in _cut(without_surrogates(text), cut):
            batch.append(Piece(number, start, part))
            size += len(part) + 1
            if size > CHARACTERS_AT_ONCE:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


def joined(parts: Sequence[tuple[int, Tokenized]]) -> Tokenized:
    """The pieces of one text as one, offsets counted from its start."""
    if len(parts) == 1:
        return parts[0][1]
    return Tokenized(
        np.concatenate([part.token_ids for _, part in parts]),
        np.concatenate([part.offsets + np.int32(start) for start, part in parts]),
    )


def _cut(text: str, cut: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    start = 0
    while len(text) - start > LONGEST_PIECE:
        place = cut.search(text, start + LONGEST_PIECE)
        if place is None:
            break
        yield start, text[start : place.start()]
        start = place.start()
    yield start, text[start:]
