"""Long texts in chunks of even length, each read by itself (Sun et al. 2019, arXiv 1905.05583 §5.3.1)."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from bertsmith.finetuning.documents import Chunks
from bertsmith.finetuning.reading import Reading
from bertsmith.text import Tokenizer
from bertsmith.text.shortening import Ids, Truncated


def chunk_bounds(tokens: int, room: int, overlap: int) -> Int[np.ndarray, "chunks two"]:
    """Where chunks begin and end: as few as can be with `room` tokens each, evenly long and evenly spread.

    Neighbours share at least `overlap` tokens, of which at least half a chunk is new.
    """
    shared = min(overlap, room // 2)
    number = max(1, -(-(tokens - shared) // (room - shared)))
    size = -(-(tokens + (number - 1) * shared) // number)
    starts = np.rint(np.linspace(0, max(tokens - size, 0), number)).astype(np.int64)
    return np.stack([starts, np.minimum(starts + size, tokens)], axis=1)


def read_chunks(
    texts: Sequence[Ids], tokenizer: Tokenizer, document: Chunks, *, room: int
) -> tuple[list[Reading], Truncated]:
    """Each text in chunks of at most `room` tokens; what lies beyond `most_chunks` of them is lost, and counted."""
    most = _tokens_of(document.most_chunks, room, document.overlap)
    kept = [text[:most] for text in texts]
    readings = [_reading(text, tokenizer, room, document.overlap) for text in kept]
    lost = np.array([len(text) - len(part) for text, part in zip(texts, kept, strict=True)], dtype=np.int64)
    return readings, Truncated(texts=int((lost > 0).sum()), tokens=int(lost.sum()))


def _tokens_of(chunks: int, room: int, overlap: int) -> int:
    """How many tokens fit into so many chunks."""
    shared = min(overlap, room // 2)
    return chunks * (room - shared) + shared


def _reading(text: Ids, tokenizer: Tokenizer, room: int, overlap: int) -> Reading:
    bounds = chunk_bounds(len(text), room, overlap).tolist()
    return Reading(tuple(tokenizer.assemble(text[start:end]) for start, end in bounds))
