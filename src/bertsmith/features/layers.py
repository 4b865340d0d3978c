"""Which layers a vector is made of, and how they become one. Layer 0 is the embedding output, -1 the last."""

from collections.abc import Mapping
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from bertsmith.config import Config


class One(Config):
    """The output of a single layer; the last is what most tasks use (Sun et al. 2019, arXiv 1905.05583, table 3)."""

    kind: Literal["one"] = "one"
    number: int = -1

    @property
    def numbers(self) -> tuple[int, ...]:
        """The layers to keep."""
        return (self.number,)

    def join(self, states: Mapping[int, Tensor]) -> Float[Tensor, "tokens hidden"]:
        """The layer itself."""
        return states[self.number]


class Average(Config):
    """The mean of some layers; first and last for sentence vectors (Su et al. 2021, arXiv 2103.15316).

    "First" is the output of the first layer, not the embeddings (SimCSE's code, issue 285).
    """

    kind: Literal["average"] = "average"
    numbers: tuple[int, ...] = Field(default=(1, -1), min_length=1)

    def join(self, states: Mapping[int, Tensor]) -> Float[Tensor, "tokens hidden"]:
        """The mean of the layers, token by token."""
        return torch.stack([states[number] for number in self.numbers]).mean(0)


Layers = Annotated[One | Average, Field(discriminator="kind")]
