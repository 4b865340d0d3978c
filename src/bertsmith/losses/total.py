"""A loss before it becomes a mean."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor


class Total(NamedTuple):
    """Sum of a loss over items, and their weight: totals add up over micro-batches and processes, means do not."""

    sum: Float[Tensor, ""]
    weight: Float[Tensor, ""]

    @property
    def mean(self) -> Float[Tensor, ""]:
        """The loss per item."""
        return self.sum / self.weight
