"""A hidden layer before the scores."""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import PositiveInt
from torch import Tensor, nn

from bertsmith.batch import Layout
from bertsmith.heads.base import Dropout, Head, HeadConfig
from bertsmith.heads.initial import initialise

_ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "gelu": nn.GELU, "relu": nn.ReLU}


class Mlp(HeadConfig):
    """One hidden layer, as RoBERTa's code has it (Liu et al. 2019): where one linear map is too little.

    `hidden` is its width; None: as wide as the vectors.
    """

    kind: Literal["mlp"] = "mlp"
    hidden: PositiveInt | None = None
    activation: Literal["tanh", "gelu", "relu"] = "tanh"
    dropout: Dropout = 0.1

    def build(self, width: int, outputs: int, *, generator: torch.Generator | None = None) -> "MlpHead":
        """Make the module; the generator draws its weights."""
        return MlpHead(self, width, outputs, generator=generator)


class MlpHead(Head):
    """Dropout, hidden layer, activation, dropout, linear map; weights from a normal distribution (0.02)."""

    def __init__(self, config: Mlp, width: int, outputs: int, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        hidden = config.hidden or width
        self.dropout = nn.Dropout(config.dropout)
        self.dense = nn.Linear(width, hidden)
        self.activation = _ACTIVATIONS[config.activation]()
        self.linear = nn.Linear(hidden, outputs)
        initialise(self, 0.02, generator)

    def scores(self, vectors: Float[Tensor, "items width"], layout: Layout | None) -> Float[Tensor, "items outputs"]:
        """Each vector on its own."""
        hidden = self.activation(self.dense(self.dropout(vectors)))
        scores: Tensor = self.linear(self.dropout(hidden))
        return scores
