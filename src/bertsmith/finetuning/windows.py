"""Long texts in overlapping windows, each token answered once, where it sees most around it."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from bertsmith.errors import UserError
from bertsmith.finetuning.documents import Windows
from bertsmith.finetuning.preparation import Prepared
from bertsmith.finetuning.reading import Reading
from bertsmith.text import Tokenizer
from bertsmith.text.shortening import Truncated
from bertsmith.text.units import Aligned


def window_starts(tokens: int, room: int, overlap: int) -> Int[np.ndarray, "windows"]:
    """Where windows of `room` tokens begin; the last ends with the text."""
    if tokens <= room:
        return np.zeros(1, dtype=np.int64)
    starts = np.arange(0, tokens - room, max(room - min(overlap, room // 2), 1))
    return np.append(starts, tokens - room)


def owners(
    places: Int[np.ndarray, "places"], starts: Int[np.ndarray, "windows"], room: int
) -> Int[np.ndarray, "places"]:
    """The window in which each place stands farthest from an edge: what two share is parted in the middle."""
    middles = (starts[1:] + starts[:-1] + room) / 2
    return np.searchsorted(middles, places, side="right")


def read_windows(aligned: Sequence[Aligned], tokenizer: Tokenizer, document: Windows, *, max_length: int) -> Prepared:
    """All tokens of each text, in as many windows as it takes; every unit gets one answer.

    Raises:
        UserError: special tokens alone would fill `max_length`.
    """
    overhead = tokenizer.overhead(pair=False)
    room = max_length - overhead
    if room < 1:
        raise UserError(
            f"document.max_length {max_length} leaves no room for text beside {overhead} special tokens; raise it",
            code="too_short",
        )
    readings = [_reading(each, tokenizer, room, document.overlap) for each in aligned]
    lengths = np.array([len(each.token_ids) for each in aligned], dtype=np.int64)
    return Prepared((readings,), lengths + overhead, Truncated())


def _reading(aligned: Aligned, tokenizer: Tokenizer, room: int, overlap: int) -> Reading:
    before = tokenizer.template.before
    starts = window_starts(len(aligned.token_ids), room, overlap)
    owner = owners(np.maximum(aligned.firsts, 0), starts, room)
    sequences = tuple(tokenizer.assemble(aligned.token_ids[start : start + room]) for start in starts.tolist())
    places = tuple(
        np.maximum(aligned.firsts[owner == number] - start + before, 0) for number, start in enumerate(starts.tolist())
    )
    return Reading(sequences, places)
