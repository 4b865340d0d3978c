"""Which layers a vector is made of, and how they become one. Layer 0 is the embedding output, -1 the last."""

import re
from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from bertsmith.config import Config
from bertsmith.errors import UserError

States = Sequence[Float[Tensor, "tokens hidden"]]

_SOME = re.compile(r"(first|last)_([1-9][0-9]*)")
Words = Annotated[str, Field(pattern=f"^(all|all_and_embeddings|{_SOME.pattern})$")]
Numbers = Annotated[tuple[int, ...], Field(min_length=1)] | Words
"""Layers by number, or in words: `last_4`, `first_4`, `all` (the embeddings left out), `all_and_embeddings`."""


class LayerChoice(Config):
    """Some layers of the encoder made into one."""

    @abstractmethod
    def asked(self, num_layers: int) -> tuple[int, ...]:
        """The layers wanted from an encoder of so many."""

    def resolved(self, num_layers: int) -> tuple[int, ...]:
        """The layers wanted, counted from the embeddings (0).

        Raises:
            UserError: the encoder has no such layer.
        """
        numbers = self.asked(num_layers)
        wrong = next((number for number in numbers if not -num_layers - 1 <= number <= num_layers), None)
        if wrong is not None:
            raise UserError(
                f"features.layers asks for layer {wrong}, but this encoder has layers 0 (embeddings) to {num_layers}; "
                "count from the end with -1, -2 ...",
                code="bad_setting",
            )
        return tuple(number % (num_layers + 1) for number in numbers)

    def width(self, hidden_size: int, num_layers: int) -> int:
        """How wide the joined layers are."""
        return hidden_size

    def build(self, num_layers: int) -> nn.Module | None:
        """The weights of the joining, if it has any."""
        return None

    @abstractmethod
    def join(self, states: States, mix: nn.Module | None) -> Float[Tensor, "tokens width"]:
        """Make one of the layers, in the order they were asked for."""


class One(LayerChoice):
    """The output of a single layer; the last is what most tasks use (Sun et al. 2019, arXiv 1905.05583, table 3)."""

    kind: Literal["one"] = "one"
    number: int = -1

    def asked(self, num_layers: int) -> tuple[int, ...]:
        """That layer."""
        return (self.number,)

    def join(self, states: States, mix: nn.Module | None) -> Float[Tensor, "tokens hidden"]:
        """The layer itself."""
        return states[0]


class Several(LayerChoice):
    """What the joinings of several layers share."""

    numbers: Numbers

    def asked(self, num_layers: int) -> tuple[int, ...]:
        """The layers by number.

        Raises:
            UserError: the encoder has fewer layers than are asked for.
        """
        if not isinstance(self.numbers, str):
            return self.numbers
        if some := _SOME.fullmatch(self.numbers):
            first, number = some[1] == "first", int(some[2])
            if number > num_layers:
                raise UserError(
                    f"features.layers asks for the layers {self.numbers}, but this encoder has {num_layers}; "
                    f"choose {some[1]}_{num_layers} or less",
                    code="bad_setting",
                )
            return tuple(range(1, number + 1) if first else range(num_layers - number + 1, num_layers + 1))
        return tuple(range(0 if self.numbers == "all_and_embeddings" else 1, num_layers + 1))


class Average(Several):
    """The mean of some layers; first and last for sentence vectors (Su et al. 2021, arXiv 2103.15316).

    "First" is the output of the first layer, not the embeddings (SimCSE's code, issue 285).
    """

    kind: Literal["average"] = "average"
    numbers: Numbers = (1, -1)

    def join(self, states: States, mix: nn.Module | None) -> Float[Tensor, "tokens hidden"]:
        """The mean of the layers, token by token."""
        return torch.stack(list(states)).mean(0)


class Largest(Several):
    """The largest value of each feature over some layers (Sun et al. 2019, table 3: `last_4` ties with the last)."""

    kind: Literal["max"] = "max"
    numbers: Numbers = "last_4"

    def join(self, states: States, mix: nn.Module | None) -> Float[Tensor, "tokens hidden"]:
        """The maximum over the layers; of equal ones all share the gradient."""
        return torch.stack(list(states)).amax(0)


class Concat(Several):
    """Some layers side by side: a vector as many times as wide (Devlin et al. 2019 §5.3; Sun et al. 2019, table 3)."""

    kind: Literal["concat"] = "concat"
    numbers: Numbers = "last_4"

    def width(self, hidden_size: int, num_layers: int) -> int:
        """As many hidden sizes as layers."""
        return hidden_size * len(self.asked(num_layers))

    def join(self, states: States, mix: nn.Module | None) -> Float[Tensor, "tokens width"]:
        """The layers side by side."""
        return torch.cat(list(states), dim=1)


class Mix(Several):
    """A weighted mean of layers with learned weights, and a learned scale (ELMo; Peters et al. 2018 §3.2, eq. 1).

    arXiv 1802.05365. It begins as the plain mean; the weights learn at the rate of the head.
    """

    kind: Literal["mix"] = "mix"
    numbers: Numbers = "all"

    def build(self, num_layers: int) -> "ScalarMix":
        """One weight a layer."""
        return ScalarMix(len(self.asked(num_layers)))

    def join(self, states: States, mix: nn.Module | None) -> Float[Tensor, "tokens hidden"]:
        """The weighted mean."""
        assert mix is not None
        mixed: Tensor = mix(states)
        return mixed


class ScalarMix(nn.Module):
    """`scale` times the mean of layers under softmax(`weights`), in float32 or wider."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(layers))
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, states: States) -> Float[Tensor, "tokens hidden"]:
        """Weigh each layer and add them up."""
        shares = self.weights.softmax(0) * self.scale
        mixed = shares[0] * states[0]
        for share, state in zip(shares[1:], states[1:], strict=True):
            mixed = mixed + share * state
        return mixed


Layers = Annotated[One | Average | Largest | Concat | Mix, Field(discriminator="kind")]
