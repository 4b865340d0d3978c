"""Rows that belong together, end to end: the tokens of a text, the chunks of a document, the tags of a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from bertsmith.batch.moving import moved


@dataclass(frozen=True, slots=True)
class Layout:
    """Groups of rows end to end; group `i` is rows `cu_seqlens[i] : cu_seqlens[i + 1]`.

    `lengths` repeats the sizes of the groups on the host. A group may be empty.
    """

    cu_seqlens: Int[Tensor, "boundaries"]
    lengths: tuple[int, ...]

    @classmethod
    def of(cls, lengths: Sequence[int]) -> "Layout":
        """The layout of groups of these sizes, on the host."""
        sizes = tuple(int(length) for length in lengths)
        return cls(torch.from_numpy(np.cumsum([0, *sizes], dtype=np.int32)), sizes)

    @property
    def num_rows(self) -> int:
        """Rows of all groups."""
        return sum(self.lengths)

    def owners(self) -> Int[Tensor, "rows"]:
        """The group of every row."""
        return torch.repeat_interleave(self.cu_seqlens.diff(), output_size=self.num_rows)

    def to(self, device: torch.device | str) -> "Layout":
        """Copy the boundaries to a device."""
        return replace(self, cu_seqlens=moved(self.cu_seqlens, device))
