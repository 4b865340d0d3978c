"""What the model reads of one text, and many of them packed together on a device."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from bertsmith.batch import Example, Layout, PackedBatch, moved, pack


@dataclass(frozen=True, slots=True)
class Reading:
    """One text as the model reads it: one sequence, or several where it is cut into chunks or windows.

    `places` says, for a task that answers tokens, which tokens of each sequence get an answer; end to
    end they are the items of the text in their order. None: the text gets one answer.
    """

    sequences: tuple[Example, ...]
    places: tuple[Int[np.ndarray, "_"], ...] | None = None

    def __len__(self) -> int:
        return sum(map(len, self.sequences))

    @property
    def items(self) -> int:
        """How many answers the text gets."""
        return 1 if self.places is None else sum(map(len, self.places))


@dataclass(frozen=True, slots=True)
class TextBatch:
    """Texts on the device: their sequences packed, and what of them belongs together.

    `chunks` says how many sequences each text has (None: one each). `places` are the rows of the
    packed tokens that get an answer, `layout` how many each text has (both None: one answer a text).
    """

    sequences: PackedBatch
    chunks: Layout | None = None
    places: Int[Tensor, "items"] | None = None
    layout: Layout | None = None

    @property
    def num_tokens(self) -> int:
        """Number of tokens the encoder will read."""
        return self.sequences.num_tokens

    @property
    def num_texts(self) -> int:
        """Number of texts."""
        return len((self.chunks or self.sequences).lengths)

    def tokens(self) -> Layout:
        """The tokens of every text, all its sequences end to end."""
        if self.chunks is None:
            return Layout(self.sequences.cu_seqlens, self.sequences.lengths)
        ends = np.cumsum([0, *self.sequences.lengths])[np.cumsum([0, *self.chunks.lengths])]
        return Layout.of(np.diff(ends).tolist()).to(self.sequences.token_ids.device)

    def to(self, device: torch.device | str) -> "TextBatch":
        """Copy to a device."""
        return replace(
            self,
            sequences=self.sequences.to(device),
            chunks=None if self.chunks is None else self.chunks.to(device),
            places=moved(self.places, device),
            layout=None if self.layout is None else self.layout.to(device),
        )


def pack_readings(readings: Sequence[Reading]) -> TextBatch:
    """Lay the sequences of texts end to end."""
    sequences = pack([sequence for reading in readings for sequence in reading.sequences])
    counts = [len(reading.sequences) for reading in readings]
    chunks = Layout.of(counts) if max(counts) > 1 else None
    if readings[0].places is None:
        return TextBatch(sequences, chunks)
    starts = np.cumsum([0, *sequences.lengths[:-1]])
    within = [places for reading in readings for places in reading.places or ()]
    rows = np.concatenate([start + places for start, places in zip(starts, within, strict=True)])
    layout = Layout.of([reading.items for reading in readings])
    return TextBatch(sequences, chunks, torch.from_numpy(rows.astype(np.int64)), layout)
