"""One linear map from a vector to a score for each label."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bertsmith.batch import Layout
from bertsmith.heads.base import Dropout, Head, HeadConfig
from bertsmith.heads.initial import initialise


class Linear(HeadConfig):
    """Dropout and one linear map: what BERT puts on a text's vector (Devlin et al. 2019, arXiv 1810.04805 §4.1)."""

    kind: Literal["linear"] = "linear"
    dropout: Dropout = 0.1

    def build(self, width: int, outputs: int, *, generator: torch.Generator | None = None) -> "LinearHead":
        """Make the module; the generator draws its weights."""
        return LinearHead(self, width, outputs, generator=generator)


class LinearHead(Head):
    """Weights drawn from a normal distribution (0.02), bias zero.

    Computed in float32 even under autocast: it costs nothing beside the encoder, and near ties
    between labels are decided by the digits bfloat16 drops.
    """

    def __init__(self, config: Linear, width: int, outputs: int, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.dropout = nn.Dropout(config.dropout)
        self.linear = nn.Linear(width, outputs)
        initialise(self, 0.02, generator)

    def scores(self, vectors: Float[Tensor, "items width"], layout: Layout | None) -> Float[Tensor, "items outputs"]:
        """Each vector on its own."""
        scores: Tensor = self.linear(self.dropout(vectors))
        return scores
