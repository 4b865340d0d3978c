"""Several dropouts of the same vectors in one update."""

from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from bertsmith.batch import Layout
from bertsmith.heads.base import Head, HeadConfig
from bertsmith.heads.linear import Linear
from bertsmith.heads.mlp import Mlp


class MultiSample(HeadConfig):
    """The loss is the mean over several dropouts of the same vectors, one head for all (Inoue 2019, arXiv 1905.09788).

    Only the head is computed again, so it costs next to nothing; the paper's dropout is 0.5.
    """

    kind: Literal["multi_sample"] = "multi_sample"
    samples: Annotated[int, Field(ge=2)] = 5
    of: Annotated[Linear | Mlp, Field(discriminator="kind")] = Linear(dropout=0.5)

    def build(self, width: int, outputs: int, *, generator: torch.Generator | None = None) -> "MultiSampleHead":
        """Make the module; the generator draws the weights of the head inside."""
        return MultiSampleHead(self, width, outputs, generator=generator)


class MultiSampleHead(Head):
    """The head inside, with `samples` as the number of its passes in training."""

    def __init__(
        self, config: MultiSample, width: int, outputs: int, *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.samples = config.samples
        self.inner = config.of.build(width, outputs, generator=generator)

    def scores(self, vectors: Float[Tensor, "items width"], layout: Layout | None) -> Float[Tensor, "items outputs"]:
        """The scores of one pass."""
        scores: Tensor = self.inner(vectors, layout)
        return scores
