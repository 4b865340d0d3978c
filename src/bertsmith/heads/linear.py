"""One linear map from a vector to a score for each label."""

from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from bertsmith.batch import Layout
from bertsmith.config import Config


class Linear(Config):
    """Dropout and one linear map: what BERT puts on a text's vector (Devlin et al. 2019, arXiv 1810.04805 §4.1)."""

    kind: Literal["linear"] = "linear"
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1

    def build(self, width: int, outputs: int, *, generator: torch.Generator | None = None) -> "LinearHead":
        """Make the module; the generator draws its weights."""
        return LinearHead(self, width, outputs, generator=generator)


class LinearHead(nn.Module):
    """Weights drawn from a normal distribution (0.02), bias zero.

    Computed in float32 even under autocast: it costs nothing beside the encoder, and near ties
    between labels are decided by the digits bfloat16 drops.
    """

    def __init__(self, config: Linear, width: int, outputs: int, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.dropout = nn.Dropout(config.dropout)
        self.linear = nn.Linear(width, outputs)
        nn.init.normal_(self.linear.weight, std=0.02, generator=generator)
        nn.init.zeros_(self.linear.bias)

    def forward(
        self, vectors: Float[Tensor, "items width"], layout: Layout | None = None
    ) -> Float[Tensor, "items outputs"]:
        """Score every vector for every output; neighbours (`layout`) do not matter."""
        with torch.autocast(vectors.device.type, enabled=False):
            scores: Tensor = self.linear(self.dropout(vectors.to(self.linear.weight.dtype)))
        return scores
