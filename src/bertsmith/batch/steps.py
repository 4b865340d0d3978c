"""Groups of rows walked step by step, side by side: what recurrent nets and chains need, without padding."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from bertsmith.batch.layout import Layout
from bertsmith.batch.moving import sent


@dataclass(frozen=True, slots=True)
class Steps:
    """The rows of a layout in the order of their place within their group, longest group first.

    `order` are the rows step by step, `sizes` how many groups are still going at each step: the
    longest ones, so that the groups of a step are the first `sizes[step]` of those of the step
    before. Empty groups take no part.
    """

    order: Int[Tensor, "rows"]
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, layout: Layout, device: torch.device) -> "Steps":
        """Plan the walk on the host; nothing waits for the device."""
        lengths = np.array(layout.lengths, dtype=np.int64)
        starts = np.cumsum(lengths) - lengths
        longest_first = np.argsort(-lengths, kind="stable")
        sizes = (lengths[None, :] > np.arange(lengths.max(initial=0))[:, None]).sum(1)
        rows = [starts[longest_first[:size]] + step for step, size in enumerate(sizes.tolist())]
        order = np.concatenate([*rows, np.zeros(0, dtype=np.int64)])
        return cls(sent(order, device), tuple(sizes.tolist()))

    @property
    def following(self) -> tuple[int, ...]:
        """How many groups of each step go on to the next."""
        return (*self.sizes[1:], 0)

    def parts(self, walked: Shaped[Tensor, "rows *rest"]) -> tuple[Shaped[Tensor, "_ *rest"], ...]:
        """The rows of each step."""
        return tuple(torch.split_with_sizes(walked, list(self.sizes)))

    def walked(self, rows: Shaped[Tensor, "rows *rest"]) -> Shaped[Tensor, "rows *rest"]:
        """Put rows in the order of the walk."""
        return rows.index_select(0, self.order)

    def back(self, walked: Shaped[Tensor, "rows *rest"]) -> Shaped[Tensor, "rows *rest"]:
        """Put rows back in the order of the layout."""
        return torch.empty_like(walked).index_copy(0, self.order, walked)
