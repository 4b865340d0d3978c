"""LAMB: Adam's step, scaled for each tensor by how large its weights are."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


class LayerwiseAdam(torch.optim.Optimizer):
    """LAMB (You et al. 2020, arXiv 1904.00962, algorithm 2), φ the identity.

    Every tensor is a layer, the fused projection of queries, keys and values one. Tensors of fewer
    than two dimensions, biases and LayerNorm weights, move by Adam's step alone, as in the authors'
    code; so do weights or steps that are all zeros.
    """

    def __init__(
        self,
        groups: Iterable[dict[str, Any]],
        *,
        betas: tuple[float, float],
        eps: float,
        bias_correction: bool,
    ) -> None:
        super().__init__(groups, {"betas": betas, "eps": eps, "bias_correction": bias_correction})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
            if parameters:
                self._move(parameters, group)

    def _move(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        states = [self._state_of(parameter) for parameter in parameters]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        means, squares = [state["exp_avg"] for state in states], [state["exp_avg_sq"] for state in states]
        beta1, beta2 = group["betas"]
        torch._foreach_lerp_(means, gradients, 1 - beta1)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - beta2)
        for parameter, state in zip(parameters, states, strict=True):
            state["step"] += 1
            move = _adam_step(state, group)
            if group["weight_decay"]:
                move.add_(parameter, alpha=group["weight_decay"])
            parameter.sub_(move.mul_(group["lr"] * _trust(parameter, move)))

    def _state_of(self, parameter: Tensor) -> dict[str, Tensor]:
        state: dict[str, Tensor] = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), device=parameter.device)
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        return state


def _adam_step(state: dict[str, Tensor], group: dict[str, Any]) -> Tensor:
    """Mean gradient over the root of the mean square, both corrected for starting at zero if wanted."""
    mean, square = state["exp_avg"], state["exp_avg_sq"]
    if group["bias_correction"]:
        first, second = (1 - beta ** state["step"].double() for beta in group["betas"])
        mean, square = mean / first, square / second
    return mean / square.sqrt().add_(group["eps"])


def _trust(parameter: Tensor, move: Tensor) -> Tensor | float:
    """How many times the step fits into the weights; 1 where that says nothing."""
    if parameter.ndim < 2:
        return 1.0
    weight, length = parameter.norm(), move.norm()
    return torch.where((weight > 0) & (length > 0), weight / length, 1.0)
