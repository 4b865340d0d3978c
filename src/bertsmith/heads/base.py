"""What every head on top of the encoder offers."""

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from bertsmith.batch import Layout
from bertsmith.config import Config

Dropout = Annotated[float, Field(ge=0.0, lt=1.0)]


class HeadConfig(Config, ABC):
    """A head before it has weights.

    `gathers` says that it makes one row of scores of all the tokens of a text, by itself; the others
    give a row for every vector. `walks` says that it looks from token to token.
    """

    gathers: ClassVar[bool] = False
    walks: ClassVar[bool] = False

    @abstractmethod
    def build(self, width: int, outputs: int, *, generator: torch.Generator | None = None) -> "Head":
        """Make the module for vectors of this width; the generator draws its weights."""


class Head(nn.Module, ABC):
    """Vectors -> scores, computed in float32 even under autocast.

    In training the loss is the mean over `samples` passes through the head, each with its own dropout.
    """

    samples: int = 1

    def forward(
        self, vectors: Float[Tensor, "vectors width"], layout: Layout | None = None
    ) -> Float[Tensor, "items outputs"]:
        """Score every vector, or every text of `layout`; `layout` says which vectors are neighbours."""
        with torch.autocast(vectors.device.type, enabled=False):
            return self.scores(vectors.to(next(self.parameters()).dtype), layout)

    @abstractmethod
    def scores(self, vectors: Float[Tensor, "vectors width"], layout: Layout | None) -> Float[Tensor, "items outputs"]:
        """The scores, in the type of the weights."""
