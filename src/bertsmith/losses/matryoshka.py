"""One vector that is good at several lengths: the loss of its first so many numbers, for each length."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bertsmith.losses.total import Total
from bertsmith.losses.vectors import Truth, VectorCriterion, Vectors


class Matryoshka(VectorCriterion):
    """The sum of a loss over prefixes of the vectors (Kusupati et al. 2022, arXiv 2205.13147 eq. 1, all weights 1).

    The whole vector is one of them always.
    """

    def __init__(self, criterion: VectorCriterion, dims: Sequence[int]) -> None:
        super().__init__()
        if any(isinstance(module, nn.Linear) for module in criterion.modules()):
            raise ValueError("a loss with weights of its own knows one width only")
        self.criterion = criterion
        self.dims = tuple(dims)

    def weight(self, truth: Truth) -> Float[Tensor, ""]:
        """That of the loss."""
        return self.criterion.weight(truth)

    def loss(self, vectors: Vectors, truth: Truth) -> Total:
        """The sum over all lengths, and the weight of one."""
        width = vectors.shape[-1]
        sums = [self.criterion.loss(vectors[..., :dim], truth).sum for dim in sorted({*self.dims, width})]
        return Total(torch.stack(sums).sum(), self.weight(truth))
