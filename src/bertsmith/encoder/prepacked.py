"""A linear layer that keeps its weight packed for the processor while it only answers.

A matrix product on the CPU first copies the weight into the order in which the processor multiplies, in
bfloat16 also from float32, and afterwards reads and writes everything once more for an activation. oneDNN can
be given a weight that lies in that order, and apply the activation while the product is still at hand. The
packed copy is made when it is first needed, and dropped when the layer learns or its weight is another. Sums
inside a product are float32 as ever.
"""

import operator
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from bertsmith.encoder.dropout import add_dropped
from bertsmith.encoder.processor import can_pack

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "relu": F.relu,
    "silu": F.silu,
}

FUSED = {"gelu": ("gelu", "none"), "gelu_tanh": ("gelu", "tanh"), "relu": ("relu", "")}
"""Activations that oneDNN applies inside a product, and how it is told."""


class _Packed(NamedTuple):
    """A weight in the processor's order, its bias, and which parameters in which state they were made of.

    The parameters are kept, so that no other can take their place in memory unnoticed.
    """

    source: tuple[Tensor, Tensor]
    state: tuple[object, ...]
    weight: Tensor
    bias: Tensor


class Linear(nn.Linear):
    """`nn.Linear`, faster on the CPU where nothing is learned: in eval mode, without gradients.

    What learns goes forward with gradients or in training mode, and drops the copy there: fused optimizers change
    weights without a word. Any other change is seen by its version, but for those through `.data`, which hides them.
    """

    _packed: _Packed | None = None

    def forward(self, states: Float[Tensor, "*rows width"]) -> Float[Tensor, "*rows out"]:
        """The product and the bias; under autocast in its dtype."""
        dtype = self._answers_in(states)
        return super().forward(states) if dtype is None else self._answer(states, dtype, "none", "")

    def activated(self, states: Float[Tensor, "*rows width"], activation: str) -> Float[Tensor, "*rows out"]:
        """The same with an activation, by its name, in one go where that is possible."""
        dtype = self._answers_in(states) if activation in FUSED else None
        if dtype is None:
            return ACTIVATIONS[activation](self(states))
        return self._answer(states, dtype, *FUSED[activation])

    def added(
        self, residual: Float[Tensor, "rows out"], states: Float[Tensor, "rows width"], *, dropout: float
    ) -> Float[Tensor, "rows out"]:
        """The same, dropped with this chance, on top of a residual; in one go where that is possible."""
        dtype = self._answers_in(states) if dropout == 0.0 else None
        if dtype is None or residual.dtype != dtype:
            return add_dropped(residual, self(states), dropout)
        packed = self._ready(dtype)
        made: Tensor = torch.ops.mkldnn._linear_pointwise.binary(
            states.to(dtype), residual, packed.weight, packed.bias, "add"
        )
        return made

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_packed"}

    def _answers_in(self, states: Tensor) -> torch.dtype | None:
        """The dtype of the packed product; None where the plain one has to be taken."""
        if self.training or torch.is_grad_enabled():
            self._packed = None
            return None
        if states.device.type != "cpu" or self.weight.is_inference():
            return None
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else states.dtype
        return dtype if self.weight.dtype == torch.float32 and can_pack(dtype) else None

    def _answer(self, states: Tensor, dtype: torch.dtype, activation: str, algorithm: str) -> Tensor:
        packed = self._ready(dtype)
        made: Tensor = torch.ops.mkldnn._linear_pointwise(
            states.to(dtype), packed.weight, packed.bias, activation, [], algorithm
        )
        return made

    def _ready(self, dtype: torch.dtype) -> _Packed:
        state = (dtype, *((part.data_ptr(), part._version) for part in (self.weight, self.bias)))
        packed, source = self._packed, (self.weight, self.bias)
        same = packed is not None and all(map(operator.is_, packed.source, source)) and packed.state == state
        if packed is None or not same:
            weight = torch.ops.mkldnn._reorder_linear_weight(self.weight.detach().to(dtype), None)
            packed = self._packed = _Packed(source, state, weight, self.bias.detach().to(dtype))
        return packed
